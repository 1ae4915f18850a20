"""The audit's tests as trials: each fault for real, against any variant of the pipeline."""

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from stand.faults import now, ready_items, status_of, submitted
from stand.pipeline import FINAL, get, post
from stand.processes import children, wait_until
from stand.traffic import prompts, submit_job

# Longer than any bound of the resilient variant.
HANG_SECONDS = 6
# That nothing more became of a job is only said when the run went on for a minute after it.
TAIL_SECONDS = 66


@dataclass(frozen=True)
class Trial:
    """What is done, after some quiet traffic, and for how long the traffic goes on after it."""

    inject: Callable
    quiet_seconds: float = 10
    recovery_seconds: float = 14
    pause_seconds: float = 1.5  # from one job of the traffic to the next


def _call_timeout(pipeline):
    """Each thing that is called accepts calls and answers none for a while, in mid-job."""
    # What sends no telemetry is known by its address.
    notifier = pipeline.url("notifier").removeprefix("http://")
    hangs = {
        "provider": lambda: _provider_mode(pipeline, "hang"),
        "asset-store": lambda: _frozen(pipeline, "asset-store"),
        notifier: lambda: _frozen(pipeline, "notifier"),
        "postgres": lambda: _locked_tables(pipeline),
        "redis": lambda: _frozen(pipeline, "redis"),
    }
    faults = []
    for target, hang in hangs.items():
        job_id = submitted(pipeline, prompts(6))
        wait_until(lambda: _all_have(pipeline, 1, job_id), f"items of {job_id}")  # noqa: B023
        fault = {"id": f"T01-{target}", "kind": "hang", "target": target}
        with _window(faults, **fault), hang():
            time.sleep(HANG_SECONDS)
        pipeline.revive_worker()
        time.sleep(4)
    return faults


def _job_timeout(pipeline):
    """Every call is slow, none too slow: the job as a whole takes too long."""
    faults = []
    job = {"kind": "delay", "target": "provider", "magnitude": "1.5 s", "items_expected": 24}
    with _window(faults, **job), _provider_mode(pipeline, "slow"):
        job_id = submitted(pipeline, prompts(24))
        wait_until(lambda: status_of(pipeline, job_id) in FINAL, f"the end of {job_id}", seconds=90)
    return faults


def _failing_item(pipeline):
    faults = []
    batch = {"items_expected": 20, "item_injected": 7, "workflow": "POST /jobs"}
    with _window(faults, kind="bad_item", target="provider", **batch):
        _ended(pipeline, submitted(pipeline, prompts(20, forbidden=(7,))))
    return faults


def _outage(pipeline):
    faults = []
    with (
        _window(faults, kind="error", target="provider", magnitude="every call gets 503"),
        _provider_mode(pipeline, "503"),
    ):
        submitted(pipeline, prompts(10))
        time.sleep(30)
    return faults


def _retry_failed(*unlucky):
    """A job of eight of which some items fail; when the provider is well again, a user retries."""

    def inject(pipeline):
        kind = "retry" if len(unlucky) == 1 else "retry_all"
        job_id = _with_failures(pipeline, unlucky)
        faults = []
        with _window(faults, kind=kind, target="web", items_expected=8):
            _retry(pipeline, job_id)
            _ended_again(pipeline, job_id)
        return faults

    return inject


def _double_retry(pipeline):
    job_id = _with_failures(pipeline, (2, 5))
    faults = []
    with _window(faults, kind="double_retry", target="web"):
        _retry(pipeline, job_id)
        wait_until(lambda: status_of(pipeline, job_id) == "processing", "the retry")
        _retry(pipeline, job_id)
        _ended_again(pipeline, job_id)
    return faults


def _crash(pipeline):
    """Both pool processes die in mid-job."""
    faults = []
    jobs = [submitted(pipeline, prompts(14)) for _ in range(2)]
    wait_until(lambda: _all_have(pipeline, 4, *jobs), "the two jobs")
    with _window(faults, kind="kill", target="worker", items_expected=14):
        _kill_pool(pipeline)
    return faults


def _crash_and_user(pipeline):
    """The same, and a user who sees one of the jobs stand still asks for it again."""
    faults = []
    job_id = submitted(pipeline, prompts(14))
    wait_until(lambda: _all_have(pipeline, 4, job_id), f"items of {job_id}")
    with _window(faults, kind="kill", target="worker", items_expected=14):
        _kill_pool(pipeline)
    time.sleep(4)
    if _stands_still(pipeline, job_id):
        _retry(pipeline, job_id)
    _ended(pipeline, job_id)
    return [{"test_id": "TEST-RR-RE01"} | fault for fault in faults]


def _server_restart(pipeline):
    """The provider dies after it made an image and before it said so; a standby takes over."""
    faults = []
    serving = pipeline.processes["provider"]
    pipeline.start_http_service("provider")
    standby = pipeline.processes["provider"]
    wait_until(lambda: "standing by" in standby.output.read_text(), "the standby")
    made = len(pipeline.provider_calls())
    with _provider_mode(pipeline, "mute"):
        submitted(pipeline, prompts(4))
        wait_until(lambda: len(pipeline.provider_calls()) > made, "an image")
        # Its spans are sent every 0.2 s.
        time.sleep(0.6)
        with _window(faults, kind="restart", target="provider"):
            os.kill(serving.pid, signal.SIGKILL)
            serving.wait()
            wait_until(lambda: get(f"{pipeline.url('provider')}/healthz"), "the provider")
    time.sleep(5)
    return faults


def _endless_source(pipeline):
    url = f"{pipeline.url('web')}/imports"
    post(url, {"project": "spring"})
    time.sleep(4)
    faults = []
    with _window(faults, kind="endless_source", target="asset-store", workflow="POST /imports"):
        post(f"{pipeline.url('asset-store')}/control/endless", {})
        post(url, {"project": "spring"})
        time.sleep(12)
        post(f"{pipeline.url('asset-store')}/control/ok", {})
    return faults


def _failing_items(pipeline):
    """One item of eight fails; then of sixteen all but the first three."""
    faults = []
    batch = {"kind": "bad_item", "target": "provider", "workflow": "POST /jobs"}
    with _window(faults, id="SL02-one", items_expected=8, item_injected=3, **batch):
        _ended(pipeline, submitted(pipeline, prompts(8, forbidden=(3,))))
    time.sleep(2)
    with _window(faults, id="SL02-most", items_expected=16, **batch):
        _ended(pipeline, submitted(pipeline, prompts(16, forbidden=range(4, 17))))
    return faults


def _message_loss(pipeline):
    """The broker is restarted while jobs wait in it."""
    faults = []
    with _probed(pipeline):
        for _ in range(8):
            submitted(pipeline, prompts(3))
        with _window(faults, kind="restart", target="redis", magnitude="4 s away"):
            pipeline.processes["redis"].stop()
            time.sleep(4)
            pipeline.start_redis()
            pipeline.wait_for_redis()
        for _ in range(20):
            pipeline.revive_worker()
            time.sleep(0.5)
    return faults


def _no_acknowledgement(pipeline):
    """A worker dies in mid-job; then every worker dies that takes a certain job."""
    faults = []
    job_id = submitted(pipeline, prompts(10))
    wait_until(lambda: _all_have(pipeline, 3, job_id), f"items of {job_id}")
    with _window(faults, id="Q02-once", kind="kill", target="worker"):
        _kill_pool(pipeline)
    # What crashed within a minute of two faults is laid to neither.
    time.sleep(TAIL_SECONDS)
    with _window(faults, id="Q02-always", kind="kill", target="worker"):
        submitted(pipeline, prompts(4, poison=(3,)))
        time.sleep(15)
    return faults


def _flood(pipeline):
    faults = []
    with _window(faults, kind="flood", target="media", magnitude="40 jobs at once"):
        with ThreadPoolExecutor(8) as users:
            list(users.map(lambda _: submitted(pipeline, prompts(1)), range(40)))
        for _ in range(5):
            submit_job(pipeline, "spring", prompts(1), urgent=True)
        wait_until(lambda: pipeline.open_jobs() < 5, "the end of the flood", seconds=90)
    return faults


def _cancelled(pipeline):
    faults = []
    job_id = submitted(pipeline, prompts(40))
    wait_until(lambda: _all_have(pipeline, 3, job_id), f"items of {job_id}")
    with _window(faults, kind="cancel", target="web"):
        post(f"{pipeline.url('web')}/jobs/{job_id}/cancel", {})
        time.sleep(1)
    time.sleep(12)
    return faults


def _clean(_pipeline):
    return []


TRIALS = {
    "clean": Trial(_clean),
    "T01": Trial(_call_timeout),
    "T02": Trial(_job_timeout, pause_seconds=3),
    "P01": Trial(_failing_item),
    "P02": Trial(_outage, recovery_seconds=25),
    "R01": Trial(_retry_failed(4)),
    "R02": Trial(_retry_failed(2, 5, 7)),
    "R03": Trial(_double_retry),
    "RE01": Trial(_crash, recovery_seconds=TAIL_SECONDS, pause_seconds=3),
    "RE01-user": Trial(_crash_and_user),
    "RE02": Trial(_server_restart),
    "SL01": Trial(_endless_source),
    "SL02": Trial(_failing_items),
    "Q01": Trial(_message_loss, recovery_seconds=TAIL_SECONDS, pause_seconds=3),
    "Q02": Trial(_no_acknowledgement, recovery_seconds=TAIL_SECONDS, pause_seconds=3),
    "Q03": Trial(_flood),
    "cancel": Trial(_cancelled, recovery_seconds=TAIL_SECONDS, pause_seconds=3),
}


@contextmanager
def _window(faults, **fault):
    start = now()
    yield
    faults.append({**fault, "start": start, "end": now()})


@contextmanager
def _provider_mode(pipeline, mode):
    url = f"{pipeline.url('provider')}/control/"
    post(url + mode, {})
    try:
        yield
    finally:
        post(url + "ok", {})


@contextmanager
def _frozen(pipeline, name):
    pipeline.processes[name].freeze()
    try:
        yield
    finally:
        pipeline.processes[name].thaw()


@contextmanager
def _locked_tables(pipeline):
    """What a long migration does: whoever wants a row waits, for as long as it likes."""
    with psycopg.connect(pipeline.dsn) as connection:
        connection.execute("LOCK TABLE jobs, assets IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


@contextmanager
def _probed(pipeline):
    """A load balancer that asks the web service every half second whether it is ready."""
    stopped = threading.Event()

    def probe():
        while not stopped.wait(0.5):
            get(f"{pipeline.url('web')}/readyz")

    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _with_failures(pipeline, unlucky):
    with _provider_mode(pipeline, "unlucky"):
        job_id = submitted(pipeline, prompts(8, unlucky=unlucky))
        _ended(pipeline, job_id)
    time.sleep(2)
    return job_id


def _ended(pipeline, job_id):
    wait_until(lambda: status_of(pipeline, job_id) in FINAL, f"the end of {job_id}", seconds=60)


def _ended_again(pipeline, job_id):
    # The fragile variant keeps the state of the first time until a worker takes the job up.
    time.sleep(2)
    _ended(pipeline, job_id)
    time.sleep(3)


def _retry(pipeline, job_id):
    return post(f"{pipeline.url('web')}/jobs/{job_id}/retry", {})


def _all_have(pipeline, count, *job_ids):
    return all(ready_items(pipeline, job_id) >= count for job_id in job_ids)


def _kill_pool(pipeline):
    worker = pipeline.processes["worker"].pid
    pool = children(worker)
    for pid in pool:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(set(children(worker)) - set(pool)) >= 2, "new pool processes")


def _stands_still(pipeline, job_id):
    before = ready_items(pipeline, job_id)
    time.sleep(3)
    return status_of(pipeline, job_id) not in FINAL and ready_items(pipeline, job_id) == before
