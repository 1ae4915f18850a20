"""Side effects that a retry makes a second time.

What: Where a call that changes something was tried again although the first attempt may have been
done (it timed out, or the connection was reset), the half that answers shows that it was done once,
or the last attempt is refused as a duplicate (409) and no other was answered. It fails where one
thing was done twice: in different attempts or deliveries of one unit of work, by answers that the
caller got or that the other half confirms. Calls with an idempotency key decide nothing, since a
provider repeats its first answer; nor do providers whose half is not traced. PUT, DELETE and
upserts may be repeated.

Why: The customer is charged twice, and the image is paid for three times.

Fix: Send an idempotency key with every call that changes something, the same for all attempts, and
let the server remember what it did.

Source: the audit's pattern 5, retry without idempotency; RFC 9110, idempotent methods.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted


def judge(evidence: Evidence) -> Judgement:
    """One unit a service and target with a call that was tried again, or delivered again."""
    rows = evidence.rows(_REPEATED, {"shown": SHOWN})
    return Judgement(
        tuple(Unit(_name(row), row["safe"] + row["doubled"], _findings(row)) for row in rows),
        note=_note(rows),
    )


def _name(row: Row) -> str:
    return f"{row['service']} → {row['target']}"


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["doubled"]:
        return ()
    return (
        Finding(
            f"{counted(row['doubled'], 'time')} {row['service']} had {row['target']} do one thing"
            f" more than once: `{row['operation']}` was done {counted(row['most'], 'time')} for"
            f" `{row['unit']}`.",
            subject=_name(row),
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


def _note(rows: list[Row]) -> str:
    keyed = sum(row["keyed"] for row in rows)
    return f"{counted(keyed, 'repeated call')} carried one idempotency key." if keyed else ""


_REPEATED: Final = """
    -- The same thing, asked for in several attempts or deliveries.
    WITH again AS (
        SELECT DISTINCT instance_no, item
        FROM item_run
        WHERE number > 1
    ),
    attempt AS (
        SELECT
            effect.*,
            coalesce('a' || attempt.group_no, 'i' || effect.instance_no || effect.item) AS unit_no,
            coalesce(attempt.number, run.number) AS number
        FROM side_effect AS effect
        LEFT JOIN attempt_of AS attempt
            ON attempt.span_no = effect.span_no AND attempt.how = 'siblings'
        LEFT JOIN (
            SELECT * FROM item_run SEMI JOIN again USING (instance_no, item)
        ) AS run
            ON run.instance_no = effect.instance_no
            AND run.item = effect.item
            AND effect.start_ns BETWEEN run.start_ns AND coalesce(run.end_ns, run.start_ns)
    ),
    thing AS (
        SELECT
            instance_no,
            unit_no,
            service,
            target,
            operation,
            min(item) AS item,
            count(DISTINCT number) AS attempts,
            count(*) FILTER (is_answered OR is_confirmed) AS done,
            bool_or(is_ambiguous) AS was_ambiguous,
            bool_and(has_half) AS has_halves,
            coalesce(arg_max(field.http_status, (start_ns, span_no)) = '409', false) AS is_refused,
            count(DISTINCT key) = 1 AND min(key) <> '' AS is_keyed,
            list(span_no ORDER BY start_ns) AS span_nos
        FROM attempt
        LEFT JOIN span_field AS field USING (span_no)
        WHERE number IS NOT NULL
        GROUP BY instance_no, unit_no, service, target, operation
        HAVING count(DISTINCT number) > 1
    ),
    judged AS (
        SELECT
            *,
            -- In one attempt a step may do the same twice on purpose.
            done > 1 AND done <= attempts AND NOT is_keyed AS is_doubled,
            was_ambiguous AND ((has_halves AND done = 1) OR (is_refused AND done = 0)) AS is_safe
        FROM thing
    )
    SELECT
        judged.service,
        judged.target,
        count(*) FILTER (judged.is_safe) AS safe,
        count(*) FILTER (judged.is_doubled) AS doubled,
        count(*) FILTER (judged.is_keyed AND judged.done > 1) AS keyed,
        max(judged.done) FILTER (judged.is_doubled) AS most,
        -- Of several, the one that is first in the evidence.
        arg_min(judged.operation, (-judged.done, span.start_ns, span.reference))
            FILTER (judged.is_doubled) AS operation,
        arg_min(
            coalesce(nullif(judged.item, ''), instance.correlation_id),
            (-judged.done, span.start_ns, span.reference)
        ) FILTER (judged.is_doubled) AS unit,
        arg_min(instance.correlation_id, (-judged.done, span.start_ns, span.reference))
            FILTER (judged.is_doubled) AS instance,
        list(span.reference ORDER BY judged.done DESC, span.start_ns, span.reference)
            FILTER (judged.is_doubled)[:$shown] AS evidence
    FROM judged
    JOIN workflow_instance AS instance USING (instance_no)
    JOIN span_reference AS span ON span.span_no = judged.span_nos[1]
    WHERE judged.is_safe OR judged.is_doubled OR judged.is_keyed
    GROUP BY judged.service, judged.target
    ORDER BY judged.service, judged.target
"""

CHECK = Check(
    id="RET-06",
    title="A retry repeats no side effect",
    severity=Severity.CRITICAL,
    task=5,
    serves=("pattern-5", "TEST-RR-R03", "CRITICAL-4", "TEST-RR-RE02"),
    judge=judge,
    remedy="Send one idempotency key with all attempts at a call that changes something.",
)
