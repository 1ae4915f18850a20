"""The worker: generate the assets of a job, export a project, import a catalogue."""

import io
import itertools
import logging
import os
import signal
import time
import zipfile

import psycopg
import requests
from celery import Celery, signals
from celery.exceptions import SoftTimeLimitExceeded
from kombu import Queue
from opentelemetry import trace
from opentelemetry._logs import get_logger_provider

from pipeline import attempts, database, images, provider_client, settings, store_client, telemetry
from pipeline.breaker import BreakerOpenError
from pipeline.telemetry import step
from pipeline.variant import CURRENT

log = logging.getLogger("pipeline.worker")
URGENT = "media.urgent"
DEAD_LETTERS = "media.dead-letter"
app = Celery("media", broker=settings.REDIS)
app.conf.update(
    task_default_queue="media",
    # The worker empties the first of them before it looks at the next.
    task_queues=[Queue(name) for name in ([URGENT] if CURRENT.has_urgent_queue else [])]
    + [Queue("media")],
    task_acks_late=CURRENT.acks_late,
    task_reject_on_worker_lost=CURRENT.acks_late,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    worker_concurrency=2,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": CURRENT.visibility,
        "queue_order_strategy": "priority",
        "socket_connect_timeout": 2,
    },
)
LIMITS = {"soft_time_limit": CURRENT.job_soft, "time_limit": CURRENT.job_hard}
# What an item may fail with and leave the others alone.
ITEM_ERRORS = (provider_client.ProviderError, requests.RequestException, psycopg.Error)
PAUSE_SECONDS = 5
PAUSES = 8


@signals.setup_logging.connect
def _keep_our_logging(**_):
    # With a receiver here Celery leaves the root logger, and its OTLP handler, alone.
    telemetry.start()


@signals.worker_process_shutdown.connect
def _flush(**_):
    # Pool children end without exit handlers, so nothing else exports their last spans.
    for provider in (trace.get_tracer_provider(), get_logger_provider()):
        if hasattr(provider, "force_flush"):
            provider.force_flush(2000)


@app.task(name="generate_assets", bind=True, **LIMITS)
def generate_assets(self, job_id, retry=0):
    _number(retry or self.request.retries)
    if _is_over(self.request, job_id):
        return
    try:
        job = _begin(job_id)
        fates = _work_on(job)
    except SoftTimeLimitExceeded:
        _time_out(job_id)
    except Exception:
        if CURRENT.isolates_items:
            raise
        # The fragile variant: nobody asks what became of the batch.
        log.error("job failed")  # noqa: TRY400  no reason and no id is the point
        _finish(job_id, "completed", 0, 0)
    else:
        if "deferred" in fates:
            _defer(self, job_id, fates)
        elif "cancelled" not in fates:
            failed = len(fates) - fates.count("done")
            _finish(job_id, _outcome(failed, len(fates)), failed, len(fates))


@app.task(name="export_project", **LIMITS)
def export_project(job_id):
    try:
        job = _begin(job_id)
        with step("download assets"):
            files = {
                asset["item_id"]: store_client.get(asset["object_key"]) for asset in job["items"]
            }
            log.info("job %s: %d files downloaded", job_id, len(files))
        with step("build archive"):
            archive = _archive(files)
            log.info("job %s: archive of %d bytes built", job_id, len(archive))
        key = f"exports/{job_id}.zip"
        with step("upload archive"):
            store_client.put(key, archive)
        with step("create download url"):
            url = f"{settings.STORE}/{key}"
            log.info("job %s: download url created for %s", job_id, key)
        _finish(job_id, "completed", 0, len(files), result_url=url)
    except SoftTimeLimitExceeded:
        _time_out(job_id)
    except requests.RequestException as error:
        log.exception("job %s: export failed", job_id)
        _finish(job_id, "failed", 1, 1, reason=str(error))


@app.task(name="import_catalogue", **LIMITS)
def import_catalogue(job_id):
    try:
        _begin(job_id)
        with step("read catalogue"):
            has_end = _read_pages(job_id)
        reason = None if has_end else f"the catalogue has no end within {CURRENT.pages} pages"
        _finish(job_id, "completed" if has_end else "failed", 0, 0, reason=reason)
    except SoftTimeLimitExceeded:
        _time_out(job_id)


def _read_pages(job_id):
    for number in itertools.count(1):
        if CURRENT.pages is not None and number > CURRENT.pages:
            log.warning("job %s: max iterations reached, %d pages read", job_id, CURRENT.pages)
            return False
        with step("read page", attributes={"page": number}):
            keys = store_client.page(number)
            log.info("job %s: page %d has %d keys", job_id, number, len(keys or ()))
            # The work on a page.
            time.sleep(0.1)
        if keys is None or (CURRENT.stops_at_empty_page and not keys):
            return True
    return True


def _number(retry):
    if retry:
        trace.get_current_span().set_attribute("retry.attempt", retry)


def _is_over(request, job_id):
    """Whether the job has ended already, or its message has killed worker after worker."""
    if CURRENT.guards_jobs:
        status = database.status(job_id)
        if status in ("completed", "cancelled"):
            # Who ended it may have died before it said so.
            text = "job %s has ended already, nothing to do: job.status=%s"
            log.info(text, job_id, status, extra={"job.status": status})
            return True
    if CURRENT.deliveries is None or not request.delivery_info.get("redelivered"):
        return False
    delivery = database.count_delivery(job_id)
    if delivery <= CURRENT.deliveries:
        return False
    reason = f"given up after {CURRENT.deliveries} deliveries, moved to {DEAD_LETTERS}"
    log.error("job %s: %s", job_id, reason)
    app.send_task("bury_job", args=[job_id], queue=DEAD_LETTERS)
    _set_status(job_id, "failed", reason=reason)
    return True


def _begin(job_id):
    with step("load job"):
        job = database.job(job_id)
    _set_status(job_id, "processing", worker=str(os.getpid()))
    return job


def _work_on(job):
    """Every item's fate: done, failed, skipped, deferred; or cancelled, which ends the list."""
    with step("find finished items"):
        ready = database.ready_items(job["id"]) if CURRENT.keeps_finished_items else set()
    fates = []
    for item in job["items"]:
        if item["index"] in ready:
            log.info("item %s is already done, skipped", item["id"])
            fates.append("done")
            continue
        if CURRENT.guards_jobs and database.status(job["id"]) == "cancelled":
            log.warning("job %s is cancelled: item %s is not begun", job["id"], item["id"])
            return [*fates, "cancelled"]
        limit = CURRENT.failures_in_a_row
        if limit and fates[-limit:].count("failed") == limit:
            _skip(job, item, f"{limit} items in a row failed")
            # What is skipped does not lift the limit.
            fates.append("failed")
            continue
        fates.append(_fate(job, item))
    return fates


def _skip(job, item, reason):
    log.warning(
        "job %s: item %s skipped: item.status=skipped reason: %s",
        job["id"],
        item["id"],
        reason,
        extra={"item.id": item["id"], "item.index": item["index"], "item.status": "skipped"},
    )


def _fate(job, item):
    """Make one asset; a failure stays with this item and the others go on."""
    try:
        with (
            step("process item", attributes={"item.index": item["index"]}),
            telemetry.carrying(telemetry.ITEM_ID, item["id"]),
        ):
            _process(job, item)
    except BreakerOpenError as error:
        _skip(job, item, error)
        return "deferred"
    except ITEM_ERRORS as error:
        if not CURRENT.isolates_items:
            raise
        log.exception(
            "job %s: item %s failed: item.status=failed reason: %s",
            job["id"],
            item["id"],
            error,  # noqa: TRY401  the log's reader may not see the exception's attributes
            extra={"item.id": item["id"], "item.index": item["index"], "item.status": "failed"},
        )
        with step("record failed item", attributes={"item.id": item["id"]}):
            database.add_asset(job["id"], item, error=str(error))
        return "failed"
    return "done"


def _process(job, item):
    with step("generate asset"):
        image = _image(item)
    key = f"assets/{job['project_id']}/{item['id']}.ppm"
    with step("upload asset"):
        store_client.put(key, image)
    with step("create thumbnail"):
        if "poison" in item["prompt"]:
            # A picture that a native decoder dies of.
            os.kill(os.getpid(), signal.SIGKILL)
        small = images.shrink(image)
        log.info("item %s: thumbnail of %d bytes", item["id"], len(small))
    with step("upload thumbnail"):
        store_client.put(f"thumbnails/{job['project_id']}/{item['id']}.ppm", small)
    with step("record asset"):
        database.add_asset(job["id"], item, object_key=key)
    log.info(
        "item %s done: item.status=completed",
        item["id"],
        extra={"item.index": item["index"], "item.status": "completed"},
    )


def _image(item):
    try:
        return provider_client.generate(item)
    except provider_client.ProviderError:
        if CURRENT.specific_errors:
            raise
        raise RuntimeError("operation failed") from None


def _defer(task, job_id, fates):
    """Let the provider rest, and go on with what is left; by itself, without a user."""
    done, total = fates.count("done"), len(fates)
    reason = f"paused with {done} of {total} items done: circuit breaker of provider is open"
    _set_status(job_id, "retrying", reason=reason)
    raise task.retry(countdown=PAUSE_SECONDS, max_retries=PAUSES)


def _outcome(failed, total):
    if not failed or not CURRENT.admits_failures:
        return "completed"
    return "failed" if failed == total else "partial"


def _finish(job_id, status, failed, total, *, reason=None, result_url=None):
    reason = reason or (f"{failed} of {total} items failed" if failed else None)
    _set_status(job_id, status, reason=reason, result_url=result_url)
    with step("notify"):
        _notify(job_id, status)


def _time_out(job_id):
    reason = f"job time limit of {CURRENT.job_soft} s reached"
    log.error("job %s: %s, given up", job_id, reason)
    _set_status(job_id, CURRENT.limit_state, reason=reason)
    with step("notify"):
        _notify(job_id, CURRENT.limit_state)


def _set_status(job_id, status, *, reason=None, worker=None, result_url=None):
    with step("update job status", attributes={"job.status": status}):
        database.set_status(job_id, status, reason=reason, worker=worker, result_url=result_url)
        level = logging.INFO if status in ("processing", "completed") else logging.WARNING
        log.log(
            level,
            "job %s: job.status=%s%s",
            job_id,
            status,
            f" reason: {reason}" if reason else "",
            extra={"job.status": status},
        )


def _notify(job_id, status):
    def deliver():
        requests.post(
            f"{settings.NOTIFIER}/hooks/media",
            json={"job": job_id, "status": status},
            timeout=(CURRENT.connect, CURRENT.notify_read),
        ).raise_for_status()

    try:
        if CURRENT.retries_everywhere:
            attempts.tried(deliver, requests.RequestException, "a webhook")
        else:
            deliver()
        log.info("job %s: webhook delivered", job_id)
    except requests.RequestException as error:
        log.warning("job %s: webhook not delivered: %s", job_id, error)


def _archive(files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(f"{name}.ppm", data)
    return content.getvalue()
