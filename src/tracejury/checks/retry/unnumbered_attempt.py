"""Retries that do not say which attempt they are.

What: At least 95 % of the retries of jobs and items carry their number: an attribute that counts
attempts or retries (`celery.retries`, `retry.attempt`, `messaging.*.delivery_attempt`) on the span,
on what lies above it in its process, or on a log record of it, or the number in the span's name,
and another one than the attempt before. It fails where fewer do. Attempts inside of a call are not
asked for, since clients record none, nor is what comes again because a worker crashed.

Why: Without a number nobody sees how near the limit a job is, or that it has none.

Fix: Set `retry.attempt` on the span of the job or the item; Celery's instrumentation does so by
itself.

Source: the audit's tests of retries: each count is incremented.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either

# Attributes that count attempts or retries; how many there may be is no number of one.
_NUMBER: Final = (
    r"(^|[._])(attempts?|retry|retries|retry_?attempts?|retry_?count|attempt_?number"
    r"|delivery_?attempt|(re)?delivery_?count|attempts_?made)([._](number|count|no|index|made))?$"
)
_BOUND: Final = r"max|limit|policy"


def judge(evidence: Evidence) -> Judgement:
    """One unit a service and step of a job or an item that was tried again."""
    share = evidence.policy.numbered_attempts_share
    rows = evidence.rows(_RETRIES, {"number": _NUMBER, "bound": _BOUND, "shown": SHOWN})
    return Judgement(
        tuple(
            Unit(f"{row['service']} {row['name']}", row["retries"], _findings(row, share))
            for row in rows
        )
    )


def _findings(row: Row, share: float) -> tuple[Finding, ...]:
    if row["retries"] - row["silent"] >= share * row["retries"]:
        return ()
    silent = "does not say which attempt it is", "do not say which attempt they are"
    return (
        Finding(
            f"{row['silent']} of {counted(row['retries'], 'retry', 'retries')} of `{row['name']}`"
            f" of {row['service']} {either(row['silent'], *silent)}.",
            subject=f"{row['service']} {row['name']}",
            evidence=references(row["evidence"]),
        ),
    )


_RETRIES: Final = """
    WITH RECURSIVE crashed AS (
        SELECT instance_no
        FROM crash_hit
    ),
    -- Of a job: its task is published again, or its message comes again because it failed.
    retry AS (
        SELECT attempt.span_no, earlier.span_no AS before_no
        FROM attempt_of AS attempt
        JOIN attempt_of AS earlier
            ON earlier.how = attempt.how
            AND earlier.group_no = attempt.group_no
            AND earlier.number = attempt.number - 1
        JOIN node ON node.span_no = attempt.span_no
        WHERE attempt.number > 1
            AND (attempt.how = 'nested' OR node.kind IN ('INTERNAL', 'CONSUMER'))
        UNION
        SELECT again.span_no, earlier.span_no
        FROM delivery AS again
        JOIN delivery AS earlier
            ON earlier.creation_no = again.creation_no
            AND earlier.service = again.service
            AND earlier.consumer_group = again.consumer_group
            AND earlier.number = again.number - 1
        WHERE again.number > 1 AND earlier.failed
        UNION
        -- Of an item: the run before failed.
        SELECT again.span_no, earlier.span_no
        FROM item_run AS again
        JOIN item_run AS earlier
            ON earlier.instance_no = again.instance_no
            AND earlier.item = again.item
            AND earlier.number = again.number - 1
            AND earlier.service = again.service
            AND earlier.name = again.name
        JOIN node ON node.span_no = again.span_no
        WHERE earlier.failed
            AND node.kind IN ('INTERNAL', 'CONSUMER')
            AND NOT again.is_fragment
            AND NOT earlier.is_fragment
    ),
    asked AS (
        SELECT DISTINCT retry.span_no, node.service, node.name
        FROM retry
        JOIN node USING (span_no)
        JOIN trace_instance USING (trace_no)
        JOIN workflow_instance AS instance
            ON instance.instance_no = trace_instance.instance_no
        WHERE NOT instance.background
            AND instance.instance_no NOT IN (SELECT crashed.instance_no FROM crashed)
    ),
    -- The span itself and what lies above it in its process.
    above AS (
        SELECT node.span_no AS of_no, node.span_no, node.parent_no, node.service, 0 AS steps
        FROM (
            SELECT span_no FROM asked
            UNION
            SELECT retry.before_no FROM retry SEMI JOIN asked USING (span_no)
        ) AS tried
        JOIN node USING (span_no)
        UNION ALL
        SELECT above.of_no, node.span_no, node.parent_no, node.service, above.steps + 1
        FROM above
        JOIN node ON node.span_no = above.parent_no AND node.service = above.service
        WHERE above.steps < 8
    ),
    number AS (
        SELECT DISTINCT above.of_no, attribute.key, attribute.value
        FROM above
        JOIN stored.span_attribute AS attribute USING (span_no)
        WHERE regexp_matches(attribute.key, $number, 'i')
            AND NOT regexp_matches(attribute.key, $bound, 'i')
            AND coalesce(try_cast(attribute.value AS BIGINT) >= 1, false)
        UNION
        SELECT span_no, 'name', name
        FROM above
        JOIN node USING (span_no)
        WHERE above.of_no = above.span_no
            AND regexp_matches(node.name, '\\b(attempt|try|retry)\\b[\\s#:]*\\d+', 'i')
    ),
    numbered AS (
        -- What the attempt before says as well tells them apart from nothing.
        SELECT retry.span_no
        FROM retry
        JOIN number ON number.of_no = retry.span_no
        ANTI JOIN number AS before
            ON before.of_no = retry.before_no
            AND before.key = number.key
            AND before.value = number.value
        UNION
        SELECT asked.span_no
        FROM asked
        JOIN log_instance ON log_instance.span_no = asked.span_no
        JOIN stored.log_attribute AS attribute USING (log_no)
        WHERE regexp_matches(attribute.key, $number, 'i')
            AND NOT regexp_matches(attribute.key, $bound, 'i')
            AND coalesce(try_cast(attribute.value AS BIGINT) >= 1, false)
    )
    SELECT
        asked.service,
        -- Which attempt it is may stand in the name.
        regexp_replace(
            asked.name, '[\\s(#:-]*\\b(attempt|try|retry)\\b[\\s#:]*\\d*(/\\d+)?\\)?$', '', 'i'
        ) AS name,
        count(*) AS retries,
        count(*) FILTER (numbered.span_no IS NULL) AS silent,
        list(span.reference ORDER BY span.start_ns, span.reference)
            FILTER (numbered.span_no IS NULL)[:$shown] AS evidence
    FROM asked
    JOIN span_reference AS span USING (span_no)
    LEFT JOIN numbered USING (span_no)
    GROUP BY ALL
    ORDER BY ALL
"""

CHECK = Check(
    id="RET-08",
    title="The attempt number is recorded",
    severity=Severity.MEDIUM,
    task=5,
    serves=("TEST-RR-R01", "TEST-RR-R02"),
    judge=judge,
    judges_absence=True,
    remedy="Set retry.attempt on the span of the job or the item that is tried again.",
)
