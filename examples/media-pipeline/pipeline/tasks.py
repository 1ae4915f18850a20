"""The worker: generate the assets of a job, export a project."""

import io
import logging
import os
import zipfile

import requests
from celery import Celery, signals
from celery.exceptions import SoftTimeLimitExceeded
from opentelemetry import trace
from opentelemetry._logs import get_logger_provider

from pipeline import database, images, provider_client, settings, store_client, telemetry
from pipeline.telemetry import step

log = logging.getLogger("pipeline.worker")
app = Celery("media", broker=settings.REDIS)
app.conf.update(
    task_default_queue="media",
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    worker_concurrency=2,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": settings.VISIBILITY_SECONDS,
        "socket_connect_timeout": 2,
    },
)
LIMITS = {
    "soft_time_limit": settings.JOB_SOFT_SECONDS,
    "time_limit": settings.JOB_HARD_SECONDS,
}


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


@app.task(name="generate_assets", **LIMITS)
def generate_assets(job_id):
    try:
        job = _begin(job_id)
        with step("find finished items"):
            ready = database.ready_items(job_id)
        failed = 0
        for item in job["items"]:
            if item["index"] in ready:
                log.info("item %s is already done, skipped", item["id"])
            elif not _item_done(job, item):
                failed += 1
        _finish(job_id, _outcome(failed, len(job["items"])), failed, len(job["items"]))
    except SoftTimeLimitExceeded:
        _time_out(job_id)


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


def _begin(job_id):
    with step("load job"):
        job = database.job(job_id)
    _set_status(job_id, "processing", worker=str(os.getpid()))
    return job


def _item_done(job, item):
    """Make one asset; a failure stays with this item and the others go on."""
    try:
        with (
            step("process item", attributes={"item.index": item["index"]}),
            telemetry.carrying(telemetry.ITEM_ID, item["id"]),
        ):
            _process(job, item)
    except (provider_client.ProviderError, requests.RequestException) as error:
        log.exception(
            "job %s: item %s failed: item.status=failed reason: %s",
            job["id"],
            item["id"],
            error,  # noqa: TRY401  the log's reader may not see the exception's attributes
            extra={"item.id": item["id"], "item.index": item["index"], "item.status": "failed"},
        )
        with step("record failed item", attributes={"item.id": item["id"]}):
            database.add_asset(job["id"], item, error=str(error))
        return False
    return True


def _process(job, item):
    with step("generate asset"):
        image = provider_client.generate(item)
    key = f"assets/{job['project_id']}/{item['id']}.ppm"
    with step("upload asset"):
        store_client.put(key, image)
    with step("create thumbnail"):
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


def _outcome(failed, total):
    if not failed:
        return "completed"
    return "failed" if failed == total else "partial"


def _finish(job_id, status, failed, total, *, reason=None, result_url=None):
    reason = reason or (f"{failed} of {total} items failed" if failed else None)
    _set_status(job_id, status, reason=reason, result_url=result_url)
    with step("notify"):
        _notify(job_id, status)


def _time_out(job_id):
    reason = f"job time limit of {settings.JOB_SOFT_SECONDS} s reached"
    log.error("job %s: %s, given up", job_id, reason)
    _set_status(job_id, "failed", reason=reason)
    with step("notify"):
        _notify(job_id, "failed")


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
    try:
        requests.post(
            f"{settings.NOTIFIER}/hooks/media",
            json={"job": job_id, "status": status},
            timeout=(settings.CONNECT_SECONDS, settings.NOTIFY_READ_SECONDS),
        ).raise_for_status()
        log.info("job %s: webhook delivered", job_id)
    except requests.RequestException as error:
        log.warning("job %s: webhook not delivered: %s", job_id, error)


def _archive(files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(f"{name}.ppm", data)
    return content.getvalue()
