"""Retries that do again what was done already.

What: When a job is tried again, only the items that failed are worked on again. It fails where an
item that an earlier attempt completed has a call that changes something made for it once more. What
comes again because its worker crashed is judged as resuming. Reading or checking a completed item
again costs nothing. It passes only where no span of the job is known to be missing, and none of the
step that works on its items names no item: the call that was repeated may be in it.

Why: One failed item of twenty then costs twenty paid calls at every retry.

Fix: Record each item when it is completed, and let a retry begin with what is not.

Source: the audit's pattern 4, retry reprocesses all items.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow: its jobs of which items were worked on again after one had failed."""
    rows = evidence.rows(_RETRIED, {"shown": SHOWN})
    return Judgement(
        tuple(
            Unit(row["workflow"], row["selective"] + row["wasteful"], _findings(row))
            for row in rows
        ),
        reason=_reason(rows),
    )


def _reason(rows: list[Row]) -> str:
    if any(row["unseen"] for row in rows):
        return "dropped"
    return "no-item-identity" if any(row["unnamed"] for row in rows) else ""


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["wasteful"]:
        return ()
    return (
        Finding(
            f"{counted(row['wasteful'], 'job')} of `{row['workflow']}` repeated the calls of"
            f" {counted(row['repeated'], 'completed item')} when"
            f" {either(row['wasteful'], 'it was', 'they were')} tried again, `{row['item']}` for"
            " one.",
            subject=row["workflow"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


_RETRIED: Final = """
    -- Jobs of which an item failed, and that went on after that with an item known from before.
    WITH retried AS (
        SELECT DISTINCT failure.instance_no
        FROM item_run AS failure
        JOIN item_run AS again
            ON again.instance_no = failure.instance_no
            AND again.number > 1
            AND again.start_ns >= coalesce(failure.end_ns, failure.start_ns)
        JOIN item_run AS earlier
            ON earlier.instance_no = again.instance_no
            AND earlier.item = again.item
            AND earlier.number < again.number
            -- Two steps of an item whose own span does not name it are no two runs.
            AND (earlier.service, earlier.name) = (again.service, again.name)
        -- What is left of one lost run looks like a second one.
        WHERE failure.failed AND NOT again.is_fragment AND NOT earlier.is_fragment
    ),
    crashed AS (
        SELECT instance_no
        FROM job
        WHERE hit_by = 'crash'
    ),
    repeated AS (
        SELECT again.instance_no, again.item, again.span_no
        FROM retried
        JOIN item_run AS again ON again.instance_no = retried.instance_no AND again.number > 1
        WHERE EXISTS (
                SELECT 1
                FROM item_run AS earlier
                WHERE earlier.instance_no = again.instance_no
                    AND earlier.item = again.item
                    AND earlier.number < again.number
                    AND earlier.completed
            )
            AND EXISTS (
                SELECT 1
                FROM side_effect AS effect
                WHERE effect.instance_no = again.instance_no
                    AND effect.item = again.item
                    AND effect.start_ns BETWEEN again.start_ns
                        AND coalesce(again.end_ns, again.start_ns)
            )
    ),
    judged AS (
        SELECT
            retried.instance_no,
            count(DISTINCT repeated.item) AS items,
            retried.instance_no IN (SELECT ghost.instance_no FROM ghost) AS is_holed,
            retried.instance_no IN (SELECT half_named.instance_no FROM half_named) AS is_half_named,
            min(repeated.item) AS item,
            min(repeated.span_no) AS span_no
        FROM retried
        LEFT JOIN repeated USING (instance_no)
        WHERE retried.instance_no NOT IN (SELECT crashed.instance_no FROM crashed)
        GROUP BY retried.instance_no
    )
    SELECT
        instance.workflow,
        count(*) FILTER (
            judged.items = 0 AND NOT judged.is_holed AND NOT judged.is_half_named
        ) AS selective,
        count(*) FILTER (judged.items = 0 AND judged.is_holed) AS unseen,
        count(*) FILTER (judged.items = 0 AND judged.is_half_named) AS unnamed,
        count(*) FILTER (judged.items > 0) AS wasteful,
        sum(judged.items)::BIGINT AS repeated,
        arg_max(judged.item, judged.items) FILTER (judged.items > 0) AS item,
        arg_max(instance.correlation_id, judged.items) FILTER (judged.items > 0) AS instance,
        list(span.reference ORDER BY span.span_no) FILTER (judged.items > 0)[:$shown] AS evidence
    FROM judged
    JOIN workflow_instance AS instance USING (instance_no)
    LEFT JOIN span_reference AS span USING (span_no)
    GROUP BY instance.workflow
    ORDER BY instance.workflow
"""

CHECK = Check(
    id="RET-04",
    title="Only failed items are retried",
    severity=Severity.CRITICAL,
    task=5,
    serves=("pattern-4", "TEST-RR-R01", "TEST-RR-R02"),
    judge=judge,
    remedy="Record each item when it is completed, and let a retry begin with what is not.",
)
