"""The public API: accept a job or an export, check it, record it, enqueue it."""

import logging
import uuid

import redis
from flask import Flask, request

from pipeline import database, settings, tasks, telemetry
from pipeline.telemetry import step

log = logging.getLogger("pipeline.web")
telemetry.start()
app = Flask("web")
counters = redis.Redis.from_url(settings.REDIS, socket_timeout=2, socket_connect_timeout=1)


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


@app.post("/jobs")
def create_job():
    job_id = f"job-{uuid.uuid4().hex[:12]}"
    with telemetry.carrying(telemetry.JOB_ID, job_id):
        project_id, items = _validated(job_id)
        with step("check quota"):
            _check_quota(project_id, len(items))
        _enqueue(tasks.generate_assets, job_id, "generate", project_id, items)
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
    used = counters.incrby(f"quota:{project_id}", wanted)
    log.info("project %s has used %d of %d items", project_id, used, settings.DAILY_QUOTA)
    if used > settings.DAILY_QUOTA:
        raise RefusedError(429, f"project {project_id} is over its quota of {settings.DAILY_QUOTA}")


def _enqueue(task, job_id, kind, project_id, items):
    with step("record job"):
        database.add_job(job_id, kind, project_id, items)
        log.info(
            "job %s recorded: job.status=queued",
            job_id,
            extra={"job.status": "queued"},
        )
    with step("enqueue job"):
        task.apply_async(args=[job_id])
        log.info("job %s enqueued for %s", job_id, task.name)


if __name__ == "__main__":
    telemetry.serve(app, settings.PORT)
