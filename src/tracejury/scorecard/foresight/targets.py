"""What of a run faults could hit: whom it calls, who works, which loops it has."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tracejury.checks.evidence import Evidence
from tracejury.scorecard.foresight.prospects import Aim
from tracejury.store.reader import Row


@dataclass(frozen=True, slots=True)
class Target:
    """Something that a fault can hit.

    `name` is what a fault file says, `units` what checks call what it touches: a caller and target,
    a workflow, a loop, a destination. `risk` orders: what changes something outside comes first.
    """

    name: str
    aim: Aim
    system: str  # redis, postgresql, ...; '' where no database or broker
    units: frozenset[str]
    risk: int


def targets(evidence: Evidence) -> dict[Aim, tuple[Target, ...]]:
    """By aim, the one with the highest risk first."""
    calls = _calls(evidence)
    found: dict[Aim, Iterable[Target]] = {
        Aim.CALL: calls.values(),
        Aim.TRACED_CALL: [
            Target(target.name, Aim.TRACED_CALL, target.system, target.units, target.risk)
            for name, target in calls.items()
            if name in _traced(evidence)
        ],
        **{aim: _rows(evidence, aim, sql) for aim, sql in _SQL.items()},
    }
    return {
        aim: tuple(sorted(some, key=lambda target: (-target.risk, target.name)))
        for aim, some in found.items()
    }


def _rows(evidence: Evidence, aim: Aim, sql: str) -> list[Target]:
    return [
        Target(row["name"], aim, row["system"], frozenset(filter(None, row["units"])), row["risk"])
        for row in evidence.rows(sql)
    ]


def _calls(evidence: Evidence) -> dict[str, Target]:
    """Whom somebody calls. An address of a database goes by its system, where that is the only."""
    rows = evidence.rows(_CALLED)
    return {
        row["target"]: Target(
            _spoken(row, rows),
            Aim.CALL,
            row["system"],
            frozenset(row["units"]),
            row["risk"],
        )
        for row in rows
    }


def _spoken(row: Row, rows: list[Row]) -> str:
    alike = [other for other in rows if other["system"] == row["system"]]
    return str(row["system"] if row["system"] and len(alike) == 1 else row["target"])


def _traced(evidence: Evidence) -> Mapping[str, bool]:
    return {
        row["target"]: True
        for row in evidence.rows("""
            SELECT DISTINCT call.target
            FROM external_call AS call
            JOIN workflow_instance AS instance USING (instance_no)
            JOIN span_field AS field USING (span_no)
            WHERE call.has_server_half
                AND call.kind = 'CLIENT'
                AND NOT instance.background
                AND coalesce(upper(field.http_method), 'POST') IN ('POST', 'PATCH')
        """)
    }


_CALLED: Final = """
    SELECT
        call.target,
        coalesce(min(lower(field.db_system)) FILTER (call.is_external), '') AS system,
        list(DISTINCT call.service || ' → ' || call.target) || list(DISTINCT instance.workflow)
            AS units,
        max(
            CASE
                WHEN field.http_method IN ('POST', 'PUT', 'PATCH', 'DELETE') THEN 4
                WHEN field.db_operation IS NOT NULL OR field.db_query IS NOT NULL THEN 2
                ELSE 1
            END
        ) + bool_or(call.is_external)::INTEGER AS risk
    FROM external_call AS call
    JOIN workflow_instance AS instance USING (instance_no)
    LEFT JOIN span_field AS field USING (span_no)
    WHERE NOT instance.background
        AND call.kind = 'CLIENT'
        AND call.protocol <> 'messaging'
        AND call.target <> '?'
    GROUP BY call.target
"""

_SQL: Final = {
    Aim.WORKER: """
        SELECT name, '' AS system, list(DISTINCT workflow) AS units, count(*) AS risk
        FROM (
            SELECT delivery.service AS name, instance.workflow
            FROM delivery
            JOIN workflow_instance AS instance USING (instance_no)
            WHERE NOT instance.background
            UNION ALL
            -- Where nothing is queued, whoever begins a job does it.
            SELECT instance.entry_service, job.workflow
            FROM job
            JOIN workflow_instance AS instance USING (instance_no)
            WHERE NOT EXISTS (SELECT 1 FROM delivery)
        )
        GROUP BY name
    """,
    Aim.SERVER: """
        SELECT
            node.service AS name,
            '' AS system,
            list(DISTINCT instance.workflow) AS units,
            count(*) AS risk
        FROM node
        JOIN span_field AS field USING (span_no)
        JOIN trace_instance USING (trace_no)
        JOIN workflow_instance AS instance ON instance.instance_no = trace_instance.instance_no
        WHERE NOT instance.background
            AND node.kind = 'SERVER'
            AND coalesce(upper(field.http_method), 'POST') NOT IN ('GET', 'HEAD', 'OPTIONS')
        GROUP BY node.service
    """,
    Aim.BROKER: """
        SELECT
            coalesce(
                lower(field.messaging_system), below.system, 'broker of ' || message.destination
            ) AS name,
            coalesce(lower(field.messaging_system), below.system, '') AS system,
            list(DISTINCT message.destination) AS units,
            count(*) AS risk
        FROM sent_message AS message
        LEFT JOIN span_field AS field USING (span_no)
        -- Some libraries say only below, in the call that sends, what the broker is.
        LEFT JOIN (
            SELECT node.parent_no, min(lower(found.db_system)) AS system
            FROM node
            JOIN span_field AS found USING (span_no)
            WHERE node.kind = 'CLIENT' AND found.db_system IS NOT NULL
            GROUP BY node.parent_no
        ) AS below ON below.parent_no = message.span_no
        GROUP BY 1, 2
    """,
    Aim.QUEUE: """
        SELECT destination AS name, '' AS system, [destination] AS units, count(*) AS risk
        FROM sent_message
        WHERE destination <> ''
        GROUP BY destination
    """,
    Aim.BATCH: """
        SELECT
            instance.workflow AS name,
            '' AS system,
            list(DISTINCT instance.workflow || ': ' || item.service || ' ' || item.name)
                || [instance.workflow] AS units,
            count(*) AS risk
        FROM item_run AS item
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE item.loop_no IS NOT NULL AND NOT instance.background
        GROUP BY instance.workflow
    """,
    Aim.LOOP: """
        SELECT
            instance.workflow || ': ' || loop.service || ' ' || loop.name AS name,
            '' AS system,
            [instance.workflow || ': ' || loop.service || ' ' || loop.name] AS units,
            max(loop.turns) AS risk
        FROM loop
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE NOT instance.background
        GROUP BY instance.workflow, loop.service, loop.name
    """,
    Aim.JOB: """
        SELECT workflow AS name, '' AS system, [workflow] AS units, count(*) AS risk
        FROM job
        GROUP BY workflow
    """,
}
