"""Completed items that are done once more after a crash.

What: A job that went on after a crash does not make the calls of an item again that was completed
before. It passes where at least one item was completed before the crash, another one after it, and
none of the first was done again; the one that was in work may be. Items that were completed in the
last seconds before the crash may have taken their spans along: nothing is concluded from those that
are absent, only from those that a span, a record or the half of a provider proves done.

Why: A batch that begins anew after each crash pays for everything again, and may never get to its
end.

Fix: Record each item as completed before the next one begins, and begin after the last of those.

Source: the audit's pattern 7, no checkpoint in batch processing.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow: its jobs that went on after a crash."""
    rows = evidence.rows(_RESUMED, {"shown": SHOWN})
    return Judgement(
        tuple(
            Unit(row["workflow"], row["selective"] + row["wasteful"], _findings(row))
            for row in rows
        ),
        reason="export-lag"
        if any(row["unknown"] for row in rows) and not any(row["wasteful"] for row in rows)
        else "",
    )


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["wasteful"]:
        return ()
    return (
        Finding(
            f"{counted(row['wasteful'], 'job')} of `{row['workflow']}` did"
            f" {counted(row['repeated'], 'completed item')} again after a crash, `{row['item']}`"
            " for one.",
            subject=row["workflow"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


_RESUMED: Final = """
    -- When an item was completed, by its own span or by what a record says of it.
    WITH done AS (
        SELECT instance_no, item, min(done_ns) AS done_ns
        FROM (
            SELECT instance_no, item, end_ns AS done_ns
            FROM item_run
            WHERE completed
            UNION ALL
            SELECT instance_no, unit, time_ns
            FROM state_record
            WHERE level = 'item' AND state = 'completed'
        )
        GROUP BY instance_no, item
    ),
    again AS (
        SELECT run.instance_no, run.item, min(run.span_no) AS span_no
        FROM item_run AS run
        JOIN done USING (instance_no, item)
        JOIN crash_hit AS hit USING (instance_no)
        JOIN side_effect AS effect
            ON effect.instance_no = run.instance_no
            AND effect.item = run.item
            AND effect.start_ns BETWEEN run.start_ns AND coalesce(run.end_ns, run.start_ns)
        WHERE run.start_ns > hit.crashed_ns AND done.done_ns <= hit.crashed_ns
        GROUP BY run.instance_no, run.item
    ),
    judged AS (
        SELECT
            hit.instance_no,
            count(DISTINCT done.item) FILTER (done.done_ns <= hit.crashed_ns) AS before,
            count(DISTINCT done.item) FILTER (done.done_ns > hit.crashed_ns) AS after,
            count(DISTINCT again.item) AS repeated,
            min(again.item) AS item,
            min(again.span_no) AS span_no
        FROM crash_hit AS hit
        LEFT JOIN done USING (instance_no)
        LEFT JOIN again ON again.instance_no = hit.instance_no AND again.item = done.item
        GROUP BY hit.instance_no
    )
    SELECT
        instance.workflow,
        count(*) FILTER (judged.repeated = 0 AND judged.before > 0 AND judged.after > 0)
            AS selective,
        count(*) FILTER (judged.repeated > 0) AS wasteful,
        count(*) FILTER (judged.before = 0 AND judged.after > 0) AS unknown,
        sum(judged.repeated)::BIGINT AS repeated,
        arg_max(judged.item, judged.repeated) FILTER (judged.repeated > 0) AS item,
        arg_max(instance.correlation_id, judged.repeated) FILTER (judged.repeated > 0) AS instance,
        list(span.reference ORDER BY span.span_no) FILTER (judged.repeated > 0)[:$shown] AS evidence
    FROM judged
    JOIN workflow_instance AS instance USING (instance_no)
    LEFT JOIN span_reference AS span USING (span_no)
    WHERE NOT instance.background
    GROUP BY instance.workflow
    ORDER BY instance.workflow
"""

CHECK = Check(
    id="RSM-02",
    title="Completed items are not processed again",
    severity=Severity.HIGH,
    task=6,
    serves=("pattern-7", "TEST-RR-RE01"),
    judge=judge,
    remedy="Record each item as completed before the next one begins, and begin after the last.",
)
