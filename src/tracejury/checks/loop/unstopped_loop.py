"""Loops that no number of failures stops.

What: After five items in a row, or half of all items and at least three, had failed for whatever
reason, the loop gave up the rest and said why, or an open breaker refused the rest. It fails where
the loop went on to its last item all the same. What was begun before the limit was reached does not
count, nor does a loop that ran out of items there, or that ended without a word. How many items
there are is what the fault file or the loop says, else what was seen.

Why: When everything fails, each further item costs a call, a timeout and a line in the report.

Fix: Count the failures inside of the loop, stop at five in a row or at half of the batch, and log
which limit it was.

Source: the audit's test of error isolation: above a threshold the loop stops early.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry import lexicon
from tracejury.telemetry.numbers import counted


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow and item step: its loops that reached the limit."""
    policy = evidence.policy
    rows = evidence.rows(
        _LOOPS,
        {
            "in_a_row": int(policy.failures_in_a_row),
            "share": policy.failed_items_share,
            "skew_ns": int(policy.skew_seconds * 1e9),
            "limit": f"(?i){lexicon.ERROR_LIMIT_MESSAGE.pattern}",
            "shown": SHOWN,
        },
    )
    return Judgement(
        tuple(
            Unit(
                f"{row['workflow']}: {row['service']} {row['name']}",
                row["stopped"] + row["unstopped"],
                _findings(row),
            )
            for row in rows
        )
    )


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["unstopped"]:
        return ()
    return (
        Finding(
            f"{counted(row['unstopped'], 'batch', 'batches')} of `{row['workflow']}` went on to"
            f" the end after {counted(row['failed'], 'failed item')}, of which {row['in_a_row']}"
            f" in a row: `{row['name']}` of `{row['instance']}` began {row['later']} more.",
            subject=row["workflow"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


_LOOPS: Final = """
    -- What became of each item of a loop in the end.
    WITH ended AS (
        SELECT
            run.loop_no,
            run.instance_no,
            run.service,
            run.name,
            run.item,
            min(run.start_ns) AS start_ns,
            max(coalesce(run.end_ns, run.start_ns)) AS end_ns,
            arg_max(run.failed, run.number) AS failed,
            arg_max(coalesce(class.is_breaker, false), run.number) AS is_refused,
            arg_max(coalesce(node.host, node.instance_id, ''), run.number) AS clock
        FROM item_run AS run
        JOIN node USING (span_no)
        LEFT JOIN error_class AS class USING (span_no)
        WHERE run.loop_no IS NOT NULL
        GROUP BY run.loop_no, run.instance_no, run.service, run.name, run.item
    ),
    declared AS (
        SELECT loop.span_no AS loop_no, max(fault.items_expected) AS items
        FROM (SELECT DISTINCT loop_no, instance_no FROM ended) AS ended
        JOIN node AS loop ON loop.span_no = ended.loop_no
        JOIN workflow_instance AS instance USING (instance_no)
        JOIN fault
            ON fault.workflow IN ('', instance.workflow)
            AND loop.start_ns <= fault.end_ns
            AND coalesce(loop.end_ns, loop.start_ns) >= fault.start_ns
        WHERE fault.items_expected IS NOT NULL
        GROUP BY loop.span_no
    ),
    -- By the time at which each item was over: its failures so far, and those in a row.
    followed AS (
        SELECT
            *,
            count(*) OVER loop AS seen,
            sum(CASE WHEN failed AND NOT is_refused THEN 1 ELSE 0 END) OVER so_far AS failures,
            sum(CASE WHEN failed AND NOT is_refused THEN 0 ELSE 1 END) OVER so_far AS row_no
        FROM ended
        WINDOW
            loop AS (PARTITION BY loop_no),
            so_far AS (PARTITION BY loop_no ORDER BY end_ns, start_ns, item)
    ),
    numbered AS (
        SELECT
            *,
            CASE WHEN failed AND NOT is_refused THEN
                count(*) FILTER (failed AND NOT is_refused) OVER (
                    PARTITION BY loop_no, row_no
                    ORDER BY end_ns, start_ns, item
                )
            ELSE 0 END AS in_a_row
        FROM followed
    ),
    reached AS (
        SELECT
            numbered.*,
            greatest(coalesce(batch_size.items, 0), coalesce(declared.items, 0), numbered.seen)
                AS items
        FROM numbered
        LEFT JOIN batch_size ON batch_size.span_no = numbered.loop_no
        LEFT JOIN declared USING (loop_no)
        WHERE numbered.failed
            AND NOT numbered.is_refused
            AND (
                numbered.in_a_row >= $in_a_row
                -- One or two that fail are no reason to stop: the others must go on.
                OR numbered.failures >= greatest(
                    3,
                    $share * greatest(
                        coalesce(batch_size.items, 0), coalesce(declared.items, 0), numbered.seen
                    )
                )
            )
        QUALIFY row_number() OVER (
            PARTITION BY numbered.loop_no
            ORDER BY numbered.end_ns, numbered.start_ns, numbered.item
        ) = 1
    ),
    -- Why a loop ended, as it says itself, or as what holds it does.
    told_at AS (
        SELECT reached.loop_no, reached.loop_no AS span_no, reached.end_ns
        FROM reached
        UNION
        SELECT reached.loop_no, loop.parent_no, reached.end_ns
        FROM reached
        JOIN node AS loop ON loop.span_no = reached.loop_no
        WHERE loop.parent_no IS NOT NULL
    ),
    told AS (
        SELECT DISTINCT told_at.loop_no
        FROM told_at
        JOIN span_warning AS warning USING (span_no)
        WHERE regexp_matches(warning.text, $limit)
    ),
    judged AS (
        SELECT
            reached.loop_no, reached.instance_no, reached.service, reached.name, reached.failures,
            reached.in_a_row, reached.items, reached.seen,
            told.loop_no IS NOT NULL AS is_told,
            count(later.item) FILTER (NOT later.is_refused) AS later,
            count(later.item) FILTER (later.is_refused) AS refused,
            loop.end_ns IS NOT NULL AS is_ended
        FROM reached
        JOIN node AS loop ON loop.span_no = reached.loop_no
        LEFT JOIN told ON told.loop_no = reached.loop_no
        LEFT JOIN ended AS later
            ON later.loop_no = reached.loop_no
            AND later.item <> reached.item
            AND later.start_ns - reached.end_ns
                >= CASE WHEN later.clock = reached.clock THEN 0 ELSE $skew_ns END
        GROUP BY ALL
    ),
    decided AS (
        SELECT
            *,
            later > 0 AND refused = 0 AND items = seen AS is_unstopped,
            is_ended AND (refused > 0 OR (is_told AND items > seen)) AS is_stopped
        FROM judged
    ),
    unit AS (
        SELECT instance.workflow, ended.service, ended.name, ended.loop_no
        FROM ended
        JOIN workflow_instance AS instance USING (instance_no)
        GROUP BY ALL
        HAVING count(*) > 1
    )
    SELECT
        unit.workflow,
        unit.service,
        unit.name,
        count(*) FILTER (decided.is_stopped) AS stopped,
        count(*) FILTER (decided.is_unstopped) AS unstopped,
        arg_max(decided.failures, (decided.later, instance.correlation_id))
            FILTER (decided.is_unstopped) AS failed,
        arg_max(decided.in_a_row, (decided.later, instance.correlation_id))
            FILTER (decided.is_unstopped) AS in_a_row,
        max(decided.later) FILTER (decided.is_unstopped) AS later,
        arg_max(instance.correlation_id, (decided.later, instance.correlation_id))
            FILTER (decided.is_unstopped) AS instance,
        list(span.reference ORDER BY decided.later DESC, span.start_ns, span.reference)
            FILTER (decided.is_unstopped)[:$shown] AS evidence
    FROM unit
    LEFT JOIN decided
        ON decided.loop_no = unit.loop_no
        AND decided.service = unit.service
        AND decided.name = unit.name
    LEFT JOIN workflow_instance AS instance ON instance.instance_no = decided.instance_no
    LEFT JOIN span_reference AS span ON span.span_no = decided.loop_no
    GROUP BY unit.workflow, unit.service, unit.name
    ORDER BY unit.workflow, unit.service, unit.name
"""

CHECK = Check(
    id="LOOP-03",
    title="An error threshold stops the loop",
    severity=Severity.MEDIUM,
    task=7,
    serves=("TEST-RR-SL02",),
    judge=judge,
    judges_absence=True,
    remedy="Count failures inside of the loop, and stop at five in a row or at half of the batch.",
)
