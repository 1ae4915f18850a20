"""Processes that do not say who they are.

What: Every resource has a `service.name` that somebody chose, and a `service.instance.id` that no
other process uses at the same time. A process that follows another under its id is a restart.

Why: Crashes, restarts and silence are read off the instances. Two processes under one id hide each
other's death, and records of an `unknown_service` belong to nobody.

Fix: Set OTEL_SERVICE_NAME, and a `service.instance.id` for each process, after the fork:
OTEL_RESOURCE_ATTRIBUTES=service.instance.id=$(uuidgen).

Source: Instrumentation Score RES-001, RES-002 and RES-005; semantic conventions, resource service.
"""

from typing import Final

from tracejury.checks.check import Check, Finding, Judgement, Severity, Unit
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted

_PROCESSES: Final = """
    WITH record AS (
        SELECT resource_id, start_ns AS first_ns, greatest(start_ns, end_ns) AS last_ns
        FROM stored.span
        UNION ALL
        SELECT resource_id, greatest(time_ns, observed_ns), greatest(time_ns, observed_ns)
        FROM stored.log_record
    ),
    life AS (
        SELECT resource_id, count(*) AS records,
            min(nullif(first_ns, 0)) AS first_ns, max(nullif(last_ns, 0)) AS last_ns
        FROM record
        GROUP BY resource_id
    ),
    process AS (
        SELECT
            resource.service,
            life.*,
            any_value(attribute.value) FILTER (attribute.key = 'service.instance.id') AS id,
            coalesce(any_value(attribute.value) FILTER (attribute.key = 'host.name'), '?')
            || ' pid ' || any_value(attribute.value) FILTER (attribute.key = 'process.pid')
                AS place
        FROM life
        JOIN resource USING (resource_id)
        LEFT JOIN stored.resource_attribute AS attribute USING (resource_id)
        GROUP BY ALL
    ),
    doubled AS (
        SELECT DISTINCT one.service, one.id
        FROM process AS one
        JOIN process AS other
            ON other.service = one.service
            AND other.id = one.id
            AND other.place > one.place
            AND other.first_ns <= one.last_ns
            AND one.first_ns <= other.last_ns
    )
    SELECT
        process.service,
        count(*) AS resources,
        sum(process.records)::BIGINT AS records,
        coalesce(sum(process.records) FILTER (coalesce(process.id, '') = ''), 0)::BIGINT
            AS without_id,
        list(DISTINCT process.id ORDER BY process.id) FILTER (doubled.id IS NOT NULL)
            AS shared_ids,
        list(DISTINCT process.place ORDER BY process.place) FILTER (doubled.id IS NOT NULL)
            AS places
    FROM process
    LEFT JOIN doubled ON doubled.service = process.service AND doubled.id = process.id
    GROUP BY process.service
    ORDER BY process.service
"""


def judge(evidence: Evidence) -> Judgement:
    """One unit a service: the resources that it sent records with."""
    rows = evidence.rows(_PROCESSES)
    return Judgement(
        tuple(
            Unit(row["service"] or "(no service name)", row["resources"], _findings(row))
            for row in rows
        )
    )


def _findings(row: Row) -> tuple[Finding, ...]:
    service = row["service"]
    said = []
    if not service.strip():
        said.append(f"{_records(row['records'])} came without a service.name.")
    elif service.startswith("unknown_service"):
        said.append(f"{_records(row['records'])} came from `{service}`, a name that nobody chose.")
    if row["without_id"]:
        who = service or "a nameless service"
        said.append(f"{_records(row['without_id'])} of {who} came without a service.instance.id.")
    if row["shared_ids"]:
        said.append(
            f"Processes of {service} ran at the same time as instance"
            f" {', '.join(row['shared_ids'])}: {', '.join(row['places'])}."
        )
    return tuple(Finding(message, subject=service) for message in said)


def _records(count: int) -> str:
    return f"{counted(count, 'record')}"


CHECK = Check(
    id="OBS-14",
    title="Every process says who it is",
    severity=Severity.INFO,
    task=10,
    serves=(),
    judge=judge,
    remedy="Set OTEL_SERVICE_NAME and a service.instance.id of its own for every process.",
)
