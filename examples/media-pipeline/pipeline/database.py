"""Every statement that the pipeline sends to Postgres."""

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from pipeline import attempts, settings
from pipeline.variant import CURRENT


def _rows(statement, *values):
    if not CURRENT.retries_everywhere:
        return _answer(statement, values)
    # What the pipeline sends may be sent twice: it sets, inserts once, or reads.
    transient = (psycopg.OperationalError, psycopg.errors.QueryCanceled)
    return attempts.tried(lambda: _answer(statement, values), transient, "a statement")


def _answer(statement, values):
    bounds = {}
    if CURRENT.statement:
        milliseconds = int(CURRENT.statement * 1000)
        bounds = {"connect_timeout": 3, "options": f"-c statement_timeout={milliseconds}"}
    # A connection a statement: slower than a pool, and nothing to repair after a restart.
    with psycopg.connect(settings.DATABASE, row_factory=dict_row, **bounds) as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def owner_of(project_id):
    rows = _rows("SELECT owner FROM projects WHERE id = %s", project_id)
    return rows[0]["owner"] if rows else None


def add_job(job_id, kind, project_id, items):
    _rows(
        "INSERT INTO jobs (id, kind, project_id, items) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        job_id,
        kind,
        project_id,
        Jsonb(items),
    )


def job(job_id):
    return _rows("SELECT id, kind, project_id, items, status FROM jobs WHERE id = %s", job_id)[0]


def set_status(job_id, status, *, reason=None, worker=None, result_url=None):
    _rows(
        "UPDATE jobs SET status = %s, reason = %s, worker = coalesce(%s, worker),"
        " result_url = coalesce(%s, result_url), updated_at = now() WHERE id = %s",
        status,
        reason,
        worker,
        result_url,
        job_id,
    )


def status(job_id):
    return _rows("SELECT status FROM jobs WHERE id = %s", job_id)[0]["status"]


def take_up_again(job_id, limit):
    """Mark an ended job as queued again and give the number of this retry; None if it may not."""
    rows = _rows(
        "UPDATE jobs SET status = 'queued', retries = retries + 1, updated_at = now()"
        " WHERE id = %s AND retries < %s AND status IN ('partial', 'failed', 'timeout')"
        " RETURNING retries",
        job_id,
        limit,
    )
    return rows[0]["retries"] if rows else None


def count_delivery(job_id):
    """How often the message of this job has been delivered, this time included."""
    return _rows(
        "UPDATE jobs SET deliveries = deliveries + 1 WHERE id = %s RETURNING deliveries", job_id
    )[0]["deliveries"]


def ready_items(job_id):
    rows = _rows(
        "SELECT item_index FROM assets WHERE job_id = %s AND status = 'ready'",
        job_id,
    )
    return {row["item_index"] for row in rows}


def add_asset(job_id, item, *, object_key=None, error=None):
    _rows(
        "INSERT INTO assets (job_id, item_index, item_id, status, object_key, error)"
        " VALUES (%s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (job_id, item_index) DO UPDATE"
        " SET status = excluded.status, object_key = excluded.object_key, error = excluded.error",
        job_id,
        item["index"],
        item["id"],
        "failed" if error else "ready",
        object_key,
        error,
    )


def newest_assets(project_id, limit):
    return _rows(
        "SELECT assets.item_id, assets.object_key FROM assets"
        " JOIN jobs ON jobs.id = assets.job_id"
        " WHERE jobs.project_id = %s AND assets.status = 'ready'"
        " ORDER BY jobs.created_at DESC, assets.item_index LIMIT %s",
        project_id,
        limit,
    )
