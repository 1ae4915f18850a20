"""What to ask the system's own database, where telemetry leaves the state of jobs open.

The names of tables and columns are the audit's; everyone's own differ, and stand in for them.
"""

from typing import Final, NamedTuple

from tracejury.scorecard.result import Audit

_STATE_TASK: Final = 9


class Query(NamedTuple):
    """A question in SQL, and what it finds."""

    finds: str
    sql: str


# The audit's four impossible states, and the rows that `--state` takes.
_QUERIES: Final = (
    Query(
        "stuck",
        "SELECT id, status, updated_at FROM jobs WHERE status IN ('queued', 'processing')"
        " AND updated_at < now() - INTERVAL 'STUCK seconds'",
    ),
    Query(
        "completed without output",
        "SELECT id, updated_at FROM jobs WHERE status = 'completed' AND output IS NULL",
    ),
    Query(
        "processing without a live worker",
        "SELECT jobs.id, jobs.worker_id FROM jobs LEFT JOIN workers ON workers.id = jobs.worker_id"
        " AND workers.seen_at > now() - INTERVAL 'SILENT seconds'"
        " WHERE jobs.status = 'processing' AND workers.id IS NULL",
    ),
    Query(
        "completed with failed items",
        "SELECT jobs.id, count(*) FROM jobs JOIN items ON items.job_id = jobs.id"
        " WHERE jobs.status = 'completed' AND items.status = 'failed' GROUP BY jobs.id",
    ),
    Query(
        "the rows for tracejury audit --state jobs.csv",
        "SELECT id AS unit, status, updated_at, items_done, items_failed, worker_id AS worker"
        " FROM jobs",
    ),
)


def are_asked_for(audit: Audit) -> bool:
    """Whether states are not decided, and nobody brought rows."""
    return not audit.state_rows and any(
        check.task == _STATE_TASK and check.outcome in ("not-observed", "manual")
        for check in audit.checks
    )


def state_queries(audit: Audit) -> tuple[Query, ...]:
    """The queries, with the bounds that were used."""
    stuck = f"{audit.bounds.get('stuck_seconds', 7200):.0f}"
    silent = f"{audit.bounds.get('silence_seconds', 300):.0f}"
    return tuple(
        Query(query.finds, query.sql.replace("STUCK", stuck).replace("SILENT", silent))
        for query in _QUERIES
    )
