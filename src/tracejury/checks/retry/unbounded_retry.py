"""Attempts that go on for ever.

What: Where a fault outlasted the attempts, they ended after at most ten (policy), and the failure
was recorded above the last one. It fails where one thing was tried more often than that. Attempts
that succeeded in the end prove no bound. Polls and waits for a change are no attempts.

Why: A retry without a bound turns one outage into a flood, and a paid call into any number of them.

Fix: Bound the attempts at each layer, let only one layer retry, and record the failure when the
attempts are used up.

Source: the audit's pattern 6, infinite retry loop.
"""

from typing import Final

from tracejury.checks.check import Check, Finding, Judgement, Reference, Severity, Unit
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row

_SHOWN: Final = 5


def judge(evidence: Evidence) -> Judgement:
    """One unit a service and step whose attempts were used up, or were too many."""
    rows = evidence.rows(_GROUPS, {"limit": evidence.policy.attempts, "shown": _SHOWN})
    limit = int(evidence.policy.attempts)
    return Judgement(
        tuple(
            Unit(_name(row), row["exhausted"] + row["excessive"], _findings(row, limit))
            for row in rows
        ),
        note=_note(rows),
    )


def _name(row: Row) -> str:
    return f"{row['service']} {row['name']}"


def _findings(row: Row, limit: int) -> tuple[Finding, ...]:
    if not row["excessive"]:
        return ()
    return (
        Finding(
            f"`{row['name']}` of {row['service']} was tried {row['most']} times for one thing;"
            f" the bound is {limit}.",
            subject=_name(row),
            instance=row["instance"],
            evidence=tuple(Reference(**entry) for entry in row["evidence"]),
        ),
    )


def _note(rows: list[Row]) -> str:
    ended = [f"{_name(row)} after {row['last']}" for row in rows if row["exhausted"]]
    return f"Given up: {', '.join(ended)}." if ended else ""


_GROUPS: Final = """
    WITH grouped AS (
        SELECT
            attempt.how,
            attempt.group_no,
            any_value(node.service) AS service,
            any_value(node.name) AS name,
            any_value(instance.correlation_id) AS instance,
            max(attempt.attempts) AS attempts,
            arg_max(node.span_no, attempt.number) AS last_no,
            bool_or(attempt.recovered) AS recovered
        FROM attempt_of AS attempt
        JOIN node USING (span_no)
        JOIN trace_instance USING (trace_no)
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE NOT instance.background
        GROUP BY attempt.how, attempt.group_no
    ),
    judged AS (
        SELECT
            grouped.*,
            grouped.attempts > $limit AS is_excessive,
            NOT grouped.recovered
                AND grouped.attempts <= $limit
                -- Somebody took note: the span around the attempts failed, or the task did.
                AND (above_error.span_no IS NOT NULL OR field.celery_state = 'FAILURE'
                    OR coalesce(class.is_exhausted, false))
                AS is_exhausted,
            {'trace_id': lower(hex(trace.trace_id)), 'span_id': format('{:016x}', last.span_id)}
                AS evidence
        FROM grouped
        JOIN node AS last ON last.span_no = grouped.last_no
        JOIN trace USING (trace_no)
        LEFT JOIN span_error AS above_error ON above_error.span_no = last.parent_no
        LEFT JOIN error_class AS class ON class.span_no IN (last.parent_no, last.span_no)
        LEFT JOIN span_field AS field ON field.span_no = last.span_no
        QUALIFY row_number() OVER (
            PARTITION BY grouped.how, grouped.group_no
            ORDER BY coalesce(class.is_exhausted, false) DESC
        ) = 1
    )
    SELECT
        service,
        name,
        count(*) FILTER (is_exhausted) AS exhausted,
        count(*) FILTER (is_excessive) AS excessive,
        max(attempts) FILTER (is_excessive) AS most,
        max(attempts) FILTER (is_exhausted) AS last,
        coalesce(any_value(instance) FILTER (is_excessive), '') AS instance,
        coalesce(list(evidence ORDER BY last_no) FILTER (is_excessive)[:$shown], []) AS evidence
    FROM judged
    WHERE is_exhausted OR is_excessive
    GROUP BY service, name
    ORDER BY service, name
"""

CHECK = Check(
    id="RET-02",
    title="Retries are bounded",
    severity=Severity.CRITICAL,
    task=5,
    serves=("pattern-6", "TEST-RR-R01", "CRITICAL-4"),
    judge=judge,
    remedy="Bound the attempts at one layer, and record the failure when they are used up.",
)
