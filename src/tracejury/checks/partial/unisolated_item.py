"""Batches that one bad item stops.

What: After an item failed alone, the same attempt at the batch began another one and completed it.
It fails where a batch of which more items were expected ended with the failure. Items that were
running already when it failed prove nothing, nor does another attempt at the same one, nor the
failure of the last one. Three items that fail in a row are an outage, which a breaker may end on
purpose.

Why: One poisoned item then costs the work on all that come after it, again at every retry.

Fix: Catch the error of each item inside the loop, record it, and go on; decide at the end of the
batch what its state is.

Source: the audit's patterns 3 and 10: entire batch fails on a single item, no isolation in loops.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow and item step: the items that failed alone."""
    skew_ns = int(evidence.policy.skew_seconds * 1e9)
    rows = evidence.rows(_LOOPS, {"skew_ns": skew_ns, "shown": SHOWN})
    return Judgement(
        tuple(
            Unit(
                f"{row['workflow']}: {row['service']} {row['name']}",
                row["survived"] + row["stopped"],
                _findings(row),
            )
            for row in rows
        )
    )


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["stopped"]:
        return ()
    return (
        Finding(
            f"{counted(row['stopped'], 'batch', 'batches')} of `{row['workflow']}` ended with the"
            f" failure of one item: `{row['item']}` was number {row['place']} of"
            f" {row['expected']}.",
            subject=row["workflow"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


_LOOPS: Final = """
    -- What became of each item of a loop in the end: attempts at one item are no other items.
    WITH ended AS (
        SELECT
            run.loop_no,
            run.instance_no,
            run.service,
            run.name,
            run.item,
            arg_max(run.span_no, run.number) AS span_no,
            min(run.start_ns) AS first_ns,
            max(run.start_ns) AS start_ns,
            max(coalesce(run.end_ns, run.start_ns)) AS end_ns,
            arg_max(run.failed, run.number) AS failed,
            arg_max(run.completed, run.number) AS completed,
            arg_max(coalesce(node.host, node.instance_id), run.number) AS clock
        FROM item_run AS run
        JOIN node USING (span_no)
        WHERE run.loop_no IS NOT NULL
        GROUP BY run.loop_no, run.instance_no, run.service, run.name, run.item
    ),
    placed AS (
        SELECT
            *,
            row_number() OVER loop AS place,
            -- Which row of failures it belongs to.
            sum(CASE WHEN failed THEN 0 ELSE 1 END) OVER loop AS row_no
        FROM ended
        WINDOW loop AS (PARTITION BY loop_no ORDER BY first_ns, item)
    ),
    alone AS (
        SELECT *
        FROM placed
        WHERE failed
        QUALIFY count(*) OVER (PARTITION BY loop_no, row_no) < 3
    ),
    limited AS (
        SELECT DISTINCT node.span_no AS loop_no
        FROM node
        JOIN error_class AS class USING (span_no)
        WHERE class.is_job_limit OR class.is_cancellation OR class.is_breaker
    ),
    -- How many items the batch has, where the fault file says so.
    declared AS (
        SELECT alone.span_no, max(fault.items_expected) AS items
        FROM alone
        JOIN workflow_instance AS instance USING (instance_no)
        JOIN fault ON fault.workflow IN ('', instance.workflow)
            AND alone.start_ns BETWEEN fault.start_ns AND fault.end_ns
        WHERE fault.items_expected IS NOT NULL
        GROUP BY alone.span_no
    ),
    judged AS (
        SELECT
            alone.*,
            instance.workflow,
            instance.correlation_id,
            greatest(coalesce(batch_size.items, 0), coalesce(declared.items, 0)) AS expected,
            -- Between two clocks only what lies further apart than they may differ has an order.
            EXISTS (
                SELECT 1
                FROM placed AS later
                WHERE later.loop_no = alone.loop_no
                    AND later.item <> alone.item
                    AND later.first_ns >= alone.end_ns
                        + CASE WHEN later.clock = alone.clock THEN 0 ELSE $skew_ns END
                    -- What begins when its batch is over was not begun by it.
                    AND coalesce(later.first_ns <= loop.end_ns + $skew_ns, true)
                    AND later.completed
            ) AS has_survived,
            NOT EXISTS (
                SELECT 1
                FROM placed AS later
                WHERE later.loop_no = alone.loop_no
                    AND later.item <> alone.item
                    AND later.start_ns > alone.start_ns
                        - CASE WHEN later.clock = alone.clock THEN 0 ELSE $skew_ns END
            ) AS is_last,
            -- The limit may have struck in the item, and been caught above it.
            limited.loop_no IS NOT NULL
                OR coalesce(class.is_job_limit OR class.is_cancellation OR class.is_breaker, false)
                AS is_limited,
            loop.end_ns IS NULL AS is_lost
        FROM alone
        JOIN workflow_instance AS instance USING (instance_no)
        JOIN node AS loop ON loop.span_no = alone.loop_no
        LEFT JOIN batch_size ON batch_size.span_no = alone.loop_no
        LEFT JOIN declared ON declared.span_no = alone.span_no
        LEFT JOIN limited ON limited.loop_no = alone.loop_no
        LEFT JOIN error_class AS class ON class.span_no = alone.span_no
    ),
    decided AS (
        SELECT
            *,
            NOT has_survived AND is_last AND expected > place AND NOT is_limited AND NOT is_lost
                AS is_stopped
        FROM judged
    ),
    -- Every loop over items is a unit, whether or not one of them failed.
    unit AS (
        SELECT DISTINCT instance.workflow, item_run.service, item_run.name
        FROM item_run
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE item_run.loop_no IS NOT NULL
        QUALIFY count(*) OVER (PARTITION BY item_run.loop_no) > 1
    )
    SELECT
        unit.workflow,
        unit.service,
        unit.name,
        count(*) FILTER (decided.has_survived) AS survived,
        count(*) FILTER (decided.is_stopped) AS stopped,
        arg_min(decided.item, (decided.correlation_id, decided.item, decided.place))
            FILTER (decided.is_stopped) AS item,
        arg_min(decided.place, (decided.correlation_id, decided.item, decided.place))
            FILTER (decided.is_stopped) AS place,
        arg_min(decided.expected, (decided.correlation_id, decided.item, decided.place))
            FILTER (decided.is_stopped) AS expected,
        min(decided.correlation_id) FILTER (decided.is_stopped) AS instance,
        list(span.reference ORDER BY decided.span_no)
            FILTER (decided.is_stopped)[:$shown] AS evidence
    FROM unit
    LEFT JOIN decided USING (workflow, service, name)
    LEFT JOIN span_reference AS span ON span.span_no = decided.span_no
    GROUP BY unit.workflow, unit.service, unit.name
    ORDER BY unit.workflow, unit.service, unit.name
"""

CHECK = Check(
    id="PAR-01",
    title="One item's error does not stop the others",
    severity=Severity.CRITICAL,
    task=4,
    serves=("pattern-3", "pattern-10", "TEST-RR-P01", "TEST-RR-SL02", "CRITICAL-3"),
    judge=judge,
    judges_absence=True,
    remedy="Catch the error of each item inside the loop, record it, and go on with the next.",
)
