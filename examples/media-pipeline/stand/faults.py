"""The faults: each breaks something for real, repairs it, and says when it was broken."""

import os
import signal
import time
from datetime import UTC, datetime

from stand.console import StandError
from stand.pipeline import FINAL, post
from stand.processes import children, wait_until
from stand.traffic import prompts, submit_job

BAD_ITEM = 7
BATCH_ITEMS = 20
KILLED_JOB_ITEMS = 12
DONE_BEFORE_KILL = 4


def rfc3339(moment):
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def now():
    return rfc3339(datetime.now(UTC))


def none(_pipeline, seconds):
    time.sleep(seconds)
    return []


def provider_mode(name, *, kind, magnitude, test_id):
    def inject(pipeline, seconds):
        url = f"{pipeline.url('provider')}/control/"
        if post(url + name, {}) is None:
            raise StandError(f"the provider did not take the mode {name}")
        start = now()
        try:
            time.sleep(seconds)
        finally:
            post(url + "ok", {})
        fault = {"kind": kind, "target": "provider", "start": start, "end": now()}
        return [fault | {"magnitude": magnitude, "workflow": "POST /jobs", "test_id": test_id}]

    return inject


def bad_item(pipeline, seconds):
    """One job of 20 items, of which the provider refuses the seventh every time."""
    deadline = time.monotonic() + seconds
    start = now()
    job_id = submitted(pipeline, prompts(BATCH_ITEMS, forbidden=(BAD_ITEM,)))
    wait_until(lambda: status_of(pipeline, job_id) in FINAL, f"the end of {job_id}", seconds=60)
    fault = {"kind": "bad_item", "target": "provider", "start": start, "end": now()}
    time.sleep(max(0, deadline - time.monotonic()))
    batch = {"items_expected": BATCH_ITEMS, "item_injected": BAD_ITEM}
    return [fault | batch | {"workflow": "POST /jobs", "test_id": "TEST-RR-P01"}]


def worker_kill(pipeline, seconds):
    """Kill the pool process in the middle of a job; the worker starts another by itself."""
    deadline = time.monotonic() + seconds
    worker = pipeline.processes["worker"].pid
    job_id = submitted(pipeline, prompts(KILLED_JOB_ITEMS))
    wait_until(lambda: ready_items(pipeline, job_id) >= DONE_BEFORE_KILL, f"items of {job_id}")
    pool = children(worker)
    victim = int(pipeline.query("SELECT worker FROM jobs WHERE id = %s", job_id)[0][0])
    if victim not in pool:
        raise StandError(f"{job_id} is not in the hands of a pool process")
    start = now()
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: set(children(worker)) - set(pool), "a new pool process")
    fault = {"kind": "kill", "target": "worker", "start": start, "end": now()}
    time.sleep(max(0, deadline - time.monotonic()))
    extra = {"magnitude": "SIGKILL of one of two pool processes", "workflow": "POST /jobs"}
    return [fault | extra | {"items_expected": KILLED_JOB_ITEMS, "test_id": "TEST-RR-RE01"}]


def frozen(name):
    """SIGSTOP: connections stay open, nothing answers."""

    def inject(pipeline, seconds):
        process = pipeline.processes[name]
        start = now()
        process.freeze()
        try:
            # Half the window: whoever calls it without a timeout stands still for that long.
            time.sleep(seconds / 2)
        finally:
            process.thaw()
        fault = {"kind": "hang", "target": name, "start": start, "end": now()}
        time.sleep(seconds / 2)
        return [fault | {"magnitude": "SIGSTOP"}]

    return inject


def broker_restart(pipeline, seconds):
    deadline = time.monotonic() + seconds
    start = now()
    pipeline.processes["redis"].stop()
    time.sleep(2)
    pipeline.start_redis()
    pipeline.wait_for_redis()
    fault = {"kind": "restart", "target": "redis", "start": start, "end": now()}
    while time.monotonic() < deadline:
        pipeline.revive_worker()
        time.sleep(0.5)
    return [fault | {"magnitude": "2 s away", "test_id": "TEST-RR-Q01"}]


FAULTS = {
    "none": none,
    "provider-hang": provider_mode(
        "hang", kind="hang", magnitude="no answer", test_id="TEST-RR-T01"
    ),
    "provider-503": provider_mode(
        "503", kind="error", magnitude="every call", test_id="TEST-RR-P02"
    ),
    "provider-429": provider_mode(
        "429", kind="error", magnitude="every call", test_id="TEST-RR-P02"
    ),
    "provider-slow": provider_mode("slow", kind="delay", magnitude="1.5 s", test_id="TEST-RR-T01"),
    "provider-flaky": provider_mode(
        "flaky", kind="error", magnitude="40 % of calls", test_id="TEST-RR-R01"
    ),
    "bad-item": bad_item,
    "worker-kill": worker_kill,
    "redis-stop": frozen("redis"),
    "postgres-stop": frozen("postgres"),
    "broker-restart": broker_restart,
}


def submitted(pipeline, wanted):
    job_id = submit_job(pipeline, "spring", wanted)
    if job_id is None:
        raise StandError("the web service did not accept the job of the fault")
    return job_id


def status_of(pipeline, job_id):
    return pipeline.query("SELECT status FROM jobs WHERE id = %s", job_id)[0][0]


def ready_items(pipeline, job_id):
    statement = "SELECT count(*) FROM assets WHERE job_id = %s AND status = 'ready'"
    return pipeline.query(statement, job_id)[0][0]
