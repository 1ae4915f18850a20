"""Attempts that go on for ever.

What: Where a fault outlasted the attempts, they ended after at most ten (policy), and the failure
was recorded above the last one. It fails where one thing was tried more often than that; a message
that comes again because it failed counts, and attempts inside of an attempt multiply it. Attempts
that succeeded in the end prove no bound, nor do those of which some may be among the spans that are
known to be missing of their job, or among others that tell less of what they were for. Polls and
waits for a change are no attempts.

Why: A retry without a bound turns one outage into a flood, and a paid call into any number of them.

Fix: Bound the attempts at each layer, let only one layer retry, and record the failure when the
attempts are used up.

Source: the audit's pattern 6, infinite retry loop.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted


def judge(evidence: Evidence) -> Judgement:
    """One unit a service and step whose attempts were used up, or were too many."""
    rows = evidence.rows(_GROUPS, {"limit": evidence.policy.attempts, "shown": SHOWN})
    limit = int(evidence.policy.attempts)
    return Judgement(
        tuple(
            Unit(_name(row), row["exhausted"] + row["excessive"], _findings(row, limit))
            for row in rows
        ),
        note=_note(rows),
        reason=_reason(rows),
    )


def _reason(rows: list[Row]) -> str:
    if any(row["unclear"] for row in rows):
        return "no-item-identity"
    return "dropped" if any(row["unseen"] for row in rows) else ""


def _name(row: Row) -> str:
    return f"{row['service']} {row['name']}"


def _findings(row: Row, limit: int) -> tuple[Finding, ...]:
    if not row["excessive"]:
        return ()
    return (
        Finding(
            f"`{row['name']}` of {row['service']} was tried {counted(row['most'], 'time')} for"
            f" one thing{_product(row)}; the bound is {limit}.",
            subject=_name(row),
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


def _product(row: Row) -> str:
    """What two layers that try again make of each other."""
    if row["inner_attempts"] == 1:
        return ""
    times = counted(row["outer_attempts"], "time")
    return f" ({times} up to {counted(row['inner_attempts'], 'attempt')} inside)"


def _note(rows: list[Row]) -> str:
    ended = [f"{_name(row)} after {row['last']}" for row in rows if row["exhausted"]]
    return f"Given up: {', '.join(ended)}." if ended else ""


_GROUPS: Final = """
    WITH RECURSIVE tried AS (
        SELECT how, group_no, span_no, number, failed, unclear
        FROM attempt_of
        UNION ALL
        -- A message that comes again because it failed is tried again.
        SELECT
            'delivered',
            min(delivery.span_no) OVER message,
            delivery.span_no,
            row_number() OVER (message ORDER BY delivery.start_ns, delivery.span_no),
            delivery.failed,
            false
        FROM delivery
        JOIN span_field AS field USING (span_no)
        WHERE field.celery_state IS NULL
            AND coalesce(delivery.creation_no::VARCHAR, field.message_id) IS NOT NULL
        WINDOW message AS (
            PARTITION BY delivery.instance_no, delivery.service, delivery.consumer_group,
                delivery.destination, coalesce(delivery.creation_no::VARCHAR, field.message_id)
        )
    ),
    -- Attempts inside of an attempt multiply it.
    inner_group AS (
        SELECT
            attempt.group_no,
            min(node.parent_no) AS at_no,
            max(attempt.attempts) AS attempts
        FROM attempt_of AS attempt
        JOIN node USING (span_no)
        WHERE attempt.how = 'siblings'
        GROUP BY attempt.group_no
        HAVING NOT bool_or(attempt.recovered)
    ),
    above AS (
        SELECT at_no, attempts, 1 AS steps
        FROM inner_group
        UNION ALL
        SELECT node.parent_no, above.attempts, above.steps + 1
        FROM above
        JOIN node ON node.span_no = above.at_no
        WHERE node.parent_no IS NOT NULL
            AND above.steps < 8
            -- Each delivery has attempts of its own.
            AND node.kind NOT IN ('CONSUMER', 'PRODUCER', 'SERVER')
    ),
    inside AS (
        SELECT at_no AS span_no, max(attempts) AS attempts
        FROM above
        GROUP BY at_no
    ),
    grouped AS (
        SELECT
            tried.how,
            tried.group_no,
            min(node.service) AS service,
            arg_min(node.name, (tried.number, node.name)) AS name,
            min(instance.instance_no) AS instance_no,
            min(instance.correlation_id) AS instance,
            count(*) AS outer_attempts,
            max(coalesce(inside.attempts, 1)) AS inner_attempts,
            sum(coalesce(inside.attempts, 1))::BIGINT AS attempts,
            arg_max(node.span_no, tried.number) AS last_no,
            bool_or(tried.unclear) AS is_partly_told,
            NOT arg_max(tried.failed, tried.number) AS recovered
        FROM tried
        JOIN node USING (span_no)
        JOIN trace_instance USING (trace_no)
        JOIN workflow_instance AS instance USING (instance_no)
        LEFT JOIN inside USING (span_no)
        WHERE NOT instance.background AND (tried.failed OR tried.how <> 'delivered')
        GROUP BY tried.how, tried.group_no
        HAVING count(*) > 1
    ),
    -- Deliveries of which nothing tells whether they are of one message: no bound is known there.
    unclear AS (
        SELECT delivery.instance_no
        FROM delivery
        LEFT JOIN span_field AS field USING (span_no)
        LEFT JOIN inside USING (span_no)
        WHERE delivery.failed
            AND delivery.creation_no IS NULL
            AND field.message_id IS NULL
        GROUP BY delivery.instance_no, delivery.service, delivery.destination
        HAVING sum(coalesce(inside.attempts, 1)) > $limit
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
                AS is_used_up,
            grouped.is_partly_told
                OR grouped.instance_no IN (SELECT unclear.instance_no FROM unclear) AS is_unclear,
            grouped.instance_no IN (SELECT ghost.instance_no FROM ghost) AS is_holed,
            span.reference AS evidence
        FROM grouped
        JOIN node AS last ON last.span_no = grouped.last_no
        JOIN span_reference AS span ON span.span_no = grouped.last_no
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
        count(*) FILTER (is_used_up AND NOT is_unclear AND NOT is_holed) AS exhausted,
        count(*) FILTER (is_used_up AND is_unclear) AS unclear,
        count(*) FILTER (is_used_up AND is_holed) AS unseen,
        count(*) FILTER (is_excessive) AS excessive,
        max(attempts) FILTER (is_excessive) AS most,
        arg_max(outer_attempts, (attempts, outer_attempts)) FILTER (is_excessive) AS outer_attempts,
        arg_max(inner_attempts, (attempts, outer_attempts)) FILTER (is_excessive) AS inner_attempts,
        max(attempts) FILTER (is_used_up AND NOT is_unclear AND NOT is_holed) AS last,
        min(instance) FILTER (is_excessive) AS instance,
        list(evidence ORDER BY last_no) FILTER (is_excessive)[:$shown] AS evidence
    FROM judged
    WHERE is_used_up OR is_excessive
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
