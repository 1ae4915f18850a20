"""Steps with a high risk, and what only a person knows of them.

What: Each step is rated from what was seen of it: whether it calls somebody outside, takes longer
than 10 s, changes something, runs in a loop, gets no answer that is recorded, failed and was never
tried again or given up. Its risk is impact times the sum of probability and difficulty of
detection, each from 1 to 3: 12 and more is CRITICAL, 9 and more HIGH. How often it fails is counted
outside of injected faults. Whether it takes what users type, and whether it can be undone, no
telemetry says, so nothing passes and nothing fails here.

Why: The steps with the highest risk are the ones to inject faults into first.

Fix: Go through the list with those who own the steps, and test from the top.

Source: the audit's second task: high-risk step indicators and risk matrix; the bounds of each
factor are assumed.
"""

from typing import Final

from tracejury.checks.check import Check, Judgement, Severity, Unit
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row

_LISTED: Final = 10
_LONG_NS: Final = 10_000_000_000


def judge(evidence: Evidence) -> Judgement:
    """One unit a step: how often it ran."""
    rows = evidence.rows(_STEPS, {"long_ns": _LONG_NS})
    units = tuple(
        Unit(f"{row['service']} {row['name']} ({row['kind']})", row["spans"]) for row in rows
    )
    return Judgement(units, note=_note(rows), reason="needs-declaration" if rows else "")


def _note(rows: list[Row]) -> str:
    flagged = [row for row in rows if _flags(row)]
    said = [
        f"{_rank(row['risk'])} {row['risk']} `{row['name']}` of {row['service']}"
        f" ({', '.join(_flags(row))})."
        for row in flagged[:_LISTED]
    ]
    if len(flagged) > _LISTED:
        said.append(f"And {len(flagged) - _LISTED} more.")
    worst: dict[str, int] = {}
    for row in flagged:
        for workflow in row["workflows"]:
            worst[workflow] = max(worst.get(workflow, 0), row["risk"])
    if worst:
        ranks = [f"`{name}` {_rank(worst[name])}" for name in sorted(worst)[:_LISTED]]
        said.append(f"Workflows by their worst step: {', '.join(ranks)}.")
    return " ".join(said)


def _rank(risk: int) -> str:
    if risk >= 12:
        return "CRITICAL"
    return "HIGH" if risk >= 9 else "MEDIUM"


def _flags(row: Row) -> list[str]:
    failed = f"failed {row['usual_failures']} of {row['usual']}" if row["usual_failures"] else ""
    flags = {
        "external": row["is_external"],
        "changes something": row["is_mutating"],
        "over 10 s": row["is_long"],
        "in a loop": row["is_in_loop"],
        "no answer seen": row["is_unanswered"],
        failed: bool(failed),
        "never tried again": row["is_untried"],
        "no timeout seen": row["is_untimed"],
    }
    return [flag for flag, is_set in flags.items() if is_set]


_STEPS: Final = """
    WITH tried AS (
        SELECT DISTINCT span_no
        FROM attempt_of
        WHERE number < attempts
    ),
    usual AS (
        SELECT node.span_no
        FROM node
        ANTI JOIN fault
            ON node.start_ns <= fault.end_ns
            AND coalesce(node.end_ns, node.start_ns) >= fault.start_ns
    ),
    timed AS (
        SELECT DISTINCT service, target
        FROM cut_off
    ),
    measured AS (
        SELECT
            node.service, node.name, node.kind,
            count(*) AS spans,
            list(DISTINCT instance.workflow ORDER BY instance.workflow) AS workflows,
            coalesce(bool_or(call.is_external), false) AS is_external,
            node.kind = 'PRODUCER' OR coalesce(bool_or(
                upper(field.http_method) IN ('POST', 'PUT', 'PATCH', 'DELETE')
                OR regexp_matches(
                    coalesce(field.db_operation, field.db_query),
                    '^\\s*(INSERT|UPDATE|DELETE|MERGE|REPLACE)\\b', 'i'
                )
                OR regexp_matches(field.rpc_method, '(Put|Delete|Copy|Complete)\\w*$')
            ) FILTER (node.kind = 'CLIENT'), false) AS is_mutating,
            coalesce(quantile_cont(node.duration_ns, 0.95) > $long_ns, false) AS is_long,
            coalesce(
                bool_or(NOT call.has_response)
                    OR (node.kind = 'PRODUCER' AND NOT bool_or(call.has_server_half)),
                false
            ) AS is_unanswered,
            count(usual.span_no) AS usual,
            count(error.span_no) FILTER (usual.span_no IS NOT NULL) AS usual_failures,
            count(error.span_no) > 0 AND count(tried.span_no) = 0 AND node.kind = 'CLIENT'
                AS is_untried,
            count(error.span_no) > 0 AND count(timed.service) = 0 AND node.kind = 'CLIENT'
                AS is_untimed
        FROM node
        JOIN trace_instance USING (trace_no)
        JOIN workflow_instance AS instance
            ON instance.instance_no = trace_instance.instance_no
        LEFT JOIN external_call AS call ON call.span_no = node.span_no
        LEFT JOIN span_field AS field ON field.span_no = node.span_no
        LEFT JOIN span_error AS error ON error.span_no = node.span_no
        LEFT JOIN usual ON usual.span_no = node.span_no
        LEFT JOIN tried ON tried.span_no = node.span_no
        LEFT JOIN timed ON timed.service = call.service AND timed.target = call.target
        WHERE NOT instance.background
        GROUP BY node.service, node.name, node.kind
    ),
    looped AS (
        SELECT DISTINCT service, name, kind
        FROM loop
    ),
    rated AS (
        SELECT
            measured.*,
            looped.name IS NOT NULL AS is_in_loop,
            CASE
                WHEN is_external AND is_mutating THEN 3
                WHEN is_external OR is_mutating OR looped.name IS NOT NULL THEN 2
                ELSE 1
            END AS impact,
            CASE
                WHEN usual_failures >= 0.05 * usual AND usual_failures > 0 THEN 3
                WHEN usual_failures > 0 THEN 2
                ELSE 1
            END AS probability,
            CASE WHEN is_unanswered THEN 3 WHEN is_long THEN 2 ELSE 1 END AS difficulty
        FROM measured
        LEFT JOIN looped USING (service, name, kind)
    )
    SELECT *, impact * (probability + difficulty) AS risk
    FROM rated
    ORDER BY risk DESC, service, name, kind
"""

CHECK = Check(
    id="INV-03",
    title="High-risk steps are flagged",
    severity=Severity.INFO,
    task=2,
    serves=(),
    judge=judge,
    remedy="Go through the list with those who own the steps, and test from the top.",
)
