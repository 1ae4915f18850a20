"""The public API: accept a job or an export, check it, record it, enqueue it."""

import logging
import uuid

import redis
import requests
from flask import Flask, request

from pipeline import attempts, database, settings, tasks, telemetry
from pipeline.telemetry import step
from pipeline.variant import CURRENT

log = logging.getLogger("pipeline.web")
telemetry.start()
app = Flask("web")
RETRIES = 3
# Who sends to the broker must not wait for it for ever; the worker, which listens, must.
if CURRENT.broker:
    tasks.app.conf.broker_transport_options["socket_timeout"] = CURRENT.broker
counters = redis.Redis.from_url(
    settings.REDIS, socket_timeout=CURRENT.broker or CURRENT.provider_read, socket_connect_timeout=1
)


class RefusedError(Exception):
    """The request cannot be accepted; the status and the sentence go to the caller."""

    def __init__(self, status, sentence):
        super().__init__(sentence)
        self.status = status


@app.errorhandler(RefusedError)
def refused(error):
    log.warning("request refused: status=%d %s", error.status, error)
    return {"error": str(error)}, error.status


@app.get("/healthz")
def healthz():
    counters.ping()
    return {"project": database.owner_of("spring")}


@app.get("/readyz")
def readyz():
    """Whether work can be taken on; the fragile variant says so without looking."""
    if CURRENT.tests_dependencies:
        try:
            requests.get(f"{settings.PROVIDER}/healthz", timeout=1).raise_for_status()
            counters.ping()
        except (requests.RequestException, redis.RedisError) as error:
            log.error("not ready: status=503 %s", error)  # noqa: TRY400  the sentence is enough
            return {"ready": False}, 503
    return {"ready": True}


@app.post("/jobs/<job_id>/retry")
def retry_job(job_id):
    with telemetry.carrying(telemetry.JOB_ID, job_id):
        retry = 0
        if CURRENT.guards_jobs:
            retry = database.take_up_again(job_id, RETRIES)
            if retry is None:
                raise RefusedError(409, f"job {job_id} is in progress, or may not be retried again")
        log.info("job %s is retried: job.status=queued", job_id, extra={"job.status": "queued"})
        with step("enqueue job"):
            tasks.generate_assets.apply_async(args=[job_id, retry])
        return {"job": job_id, "retry": retry}, 202


@app.post("/jobs/<job_id>/cancel")
def cancel_job(job_id):
    with telemetry.carrying(telemetry.JOB_ID, job_id), step("cancel job") as span:
        span.set_attribute("job.status", "cancelled")
        database.set_status(job_id, "cancelled", reason="cancelled by the user")
        log.warning(
            "job %s is cancelled by the user: job.status=cancelled",
            job_id,
            extra={"job.status": "cancelled"},
        )
        return {"job": job_id}, 202


@app.post("/imports")
def create_import():
    job_id = f"import-{uuid.uuid4().hex[:12]}"
    with telemetry.carrying(telemetry.JOB_ID, job_id):
        _enqueue(tasks.import_catalogue, job_id, "import", request.get_json()["project"], [])
        return {"job": job_id}, 202


@app.post("/jobs")
def create_job():
    job_id = f"job-{uuid.uuid4().hex[:12]}"
    with telemetry.carrying(telemetry.JOB_ID, job_id):
        project_id, items = _validated(job_id)
        with step("check quota"):
            _check_quota(project_id, len(items))
        is_urgent = request.get_json().get("urgent") and CURRENT.has_urgent_queue
        queue = {"queue": tasks.URGENT} if is_urgent else {}
        _enqueue(tasks.generate_assets, job_id, "generate", project_id, items, **queue)
        return {"job": job_id, "items": len(items)}, 202


@app.post("/exports")
def create_export():
    job_id = f"export-{uuid.uuid4().hex[:12]}"
    with telemetry.carrying(telemetry.JOB_ID, job_id):
        body = request.get_json()
        with step("check permissions"):
            owner = database.owner_of(body["project"])
            if owner != body["user"]:
                raise RefusedError(403, f"user {body['user']} may not export {body['project']}")
            log.info("user %s may export project %s", body["user"], body["project"])
        with step("load metadata"):
            assets = database.newest_assets(body["project"], body["limit"])
            if not assets:
                raise RefusedError(409, f"project {body['project']} has no assets yet")
            log.info("export of project %s has %d files", body["project"], len(assets))
        _enqueue(tasks.export_project, job_id, "export", body["project"], assets)
        return {"job": job_id, "items": len(assets)}, 202


def _validated(job_id):
    with step("validate request"):
        body = request.get_json()
        prompts = body.get("prompts") or []
        if not prompts or not all(isinstance(prompt, str) and prompt for prompt in prompts):
            raise RefusedError(422, "a job needs at least one prompt, and no empty one")
        log.info("job %s is valid: %d items", job_id, len(prompts))
        items = [
            {"index": index, "id": f"{job_id}-{index:02d}", "prompt": prompt}
            for index, prompt in enumerate(prompts, start=1)
        ]
        return body["project"], items


def _check_quota(project_id, wanted):
    def count():
        return counters.incrby(f"quota:{project_id}", wanted)

    # Counting twice is to the user's cost, and little of it.
    used = (
        attempts.tried(count, redis.RedisError, "the quota")
        if CURRENT.retries_everywhere
        else count()
    )
    log.info("project %s has used %d of %d items", project_id, used, settings.DAILY_QUOTA)
    if used > settings.DAILY_QUOTA:
        raise RefusedError(429, f"project {project_id} is over its quota of {settings.DAILY_QUOTA}")


def _enqueue(task, job_id, kind, project_id, items, **queue):
    with step("record job"):
        database.add_job(job_id, kind, project_id, items)
        log.info(
            "job %s recorded: job.status=queued",
            job_id,
            extra={"job.status": "queued"},
        )
    with step("enqueue job"):
        task.apply_async(args=[job_id], **queue)
        log.info("job %s enqueued for %s", job_id, task.name)


if __name__ == "__main__":
    telemetry.serve(app, settings.PORT)
