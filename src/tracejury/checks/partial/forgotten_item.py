"""Items that were skipped while a target was down, and that nobody came back to.

What: An item that was passed over in an outage, refused by a breaker or called skipped or deferred,
is worked on later without a user who asks for it. It fails where the run went on for longer than a
message may wait and nobody did. What was completed before was passed over for good, and is no such
item.

Why: Nothing failed, so nothing is repeated: these items are missing without anybody knowing.

Fix: Put what a breaker refuses back into the queue with a delay, and let it count as open until it
is done.

Source: the audit's test of a systemic failure.
"""

from typing import Final

from tracejury.checks.check import (
    SHOWN,
    Check,
    Finding,
    Judgement,
    Severity,
    Unit,
    longest_short_s,
    references,
)
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow: its items that were skipped in an outage."""
    rows = evidence.rows(_ITEMS, {"shown": SHOWN})
    return Judgement(
        tuple(
            Unit(row["workflow"], _exposures(row), _findings(row))
            for row in rows
            if row["returned"] + row["lost"] + row["waiting"] + row["asked"]
        ),
        note=_note(rows),
        reason=_reason(rows),
        short_s=longest_short_s(rows),
    )


def _exposures(row: Row) -> int:
    """What only a user brought back would perhaps have come by itself, and proves nothing."""
    return 0 if row["asked"] and not row["lost"] else int(row["returned"] + row["lost"])


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["lost"]:
        return ()
    return (
        Finding(
            f"{counted(row['lost'], 'item')} of `{row['workflow']}`"
            f" {either(row['lost'], 'was', 'were')} skipped in an outage and never worked on"
            f" afterwards, `{row['item']}` of `{row['instance']}` for one.",
            subject=row["workflow"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


def _note(rows: list[Row]) -> str:
    asked = sum(row["asked"] for row in rows)
    if not asked:
        return ""
    return (
        f"{counted(asked, 'skipped item')} {either(asked, 'was', 'were')} worked on only when a"
        " user asked again."
    )


def _reason(rows: list[Row]) -> str:
    if any(row["waiting"] for row in rows):
        return "unsettled"
    return "dropped" if any(row["unseen"] for row in rows) else ""


_ITEMS: Final = """
    WITH refused AS (
        SELECT DISTINCT part.run_no
        FROM error_class AS class
        JOIN item_part AS part USING (span_no)
        WHERE class.is_breaker
    ),
    skip AS (
        SELECT
            run.instance_no, run.item, run.start_ns AS at_ns, run.span_no, NULL::BIGINT AS log_no
        FROM item_run AS run
        JOIN refused ON refused.run_no = run.span_no
        UNION ALL
        SELECT state.instance_no, state.unit, state.time_ns, state.span_no, state.log_no
        FROM state_record AS state
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE state.level = 'item'
            AND state.state = 'skipped'
            AND NOT instance.background
            AND EXISTS (
                SELECT 1
                FROM outage
                WHERE outage.service = state.service
                    AND outage.start_ns <= state.time_ns
                    AND coalesce(state.time_ns <= outage.until_ns, true)
            )
    ),
    done AS (
        SELECT instance_no, item, coalesce(end_ns, start_ns) AS at_ns
        FROM item_run
        WHERE completed
        UNION ALL
        SELECT instance_no, unit, time_ns
        FROM state_record
        WHERE level = 'item' AND state = 'completed'
    ),
    -- The last time that it was passed over counts.
    skipped AS (
        SELECT
            instance_no,
            item,
            max(at_ns) AS at_ns,
            arg_max(span_no, at_ns) FILTER (span_no IS NOT NULL) AS span_no,
            arg_max(log_no, at_ns) FILTER (log_no IS NOT NULL) AS log_no
        FROM skip
        WHERE NOT EXISTS (
            SELECT 1
            FROM done
            WHERE done.instance_no = skip.instance_no
                AND done.item = skip.item
                AND done.at_ns <= skip.at_ns
        )
        GROUP BY instance_no, item
    ),
    later AS (
        SELECT skipped.instance_no, skipped.item, min(again.at_ns) AS at_ns
        FROM skipped
        JOIN (
            SELECT instance_no, item, start_ns AS at_ns
            FROM item_run
            WHERE span_no NOT IN (SELECT refused.run_no FROM refused)
            UNION ALL
            SELECT done.instance_no, done.item, done.at_ns
            FROM done
        ) AS again USING (instance_no, item)
        WHERE again.at_ns > skipped.at_ns
        GROUP BY skipped.instance_no, skipped.item
    ),
    request AS (
        SELECT trace_instance.instance_no, node.start_ns
        FROM node
        JOIN trace_instance USING (trace_no)
        SEMI JOIN skipped ON skipped.instance_no = trace_instance.instance_no
        LEFT JOIN span_field AS field USING (span_no)
        WHERE node.kind = 'SERVER'
            AND node.parent_no IS NULL
            AND coalesce(field.http_method NOT IN ('GET', 'HEAD', 'OPTIONS'), true)
    ),
    judged AS (
        SELECT
            skipped.*,
            instance.workflow,
            instance.correlation_id,
            later.at_ns IS NOT NULL AS has_returned,
            EXISTS (
                SELECT 1
                FROM request
                WHERE request.instance_no = skipped.instance_no
                    AND request.start_ns BETWEEN skipped.at_ns AND later.at_ns
            ) AS was_asked,
            settling.is_redelivery_settled,
            settling.redelivery_short_ns,
            skipped.instance_no IN (SELECT ghost.instance_no FROM ghost) AS is_holed
        FROM skipped
        JOIN workflow_instance AS instance USING (instance_no)
        JOIN settling USING (instance_no)
        LEFT JOIN later USING (instance_no, item)
    ),
    decided AS (
        SELECT *, NOT has_returned AND is_redelivery_settled AS is_lost
        FROM judged
    )
    SELECT
        decided.workflow,
        count(*) FILTER (has_returned AND NOT was_asked) AS returned,
        count(*) FILTER (has_returned AND was_asked) AS asked,
        count(*) FILTER (is_lost) AS lost,
        count(*) FILTER (NOT has_returned AND NOT is_lost) AS waiting,
        max(redelivery_short_ns) FILTER (NOT has_returned AND NOT is_lost) AS short_ns,
        count(*) FILTER (is_holed) AS unseen,
        arg_min(decided.item, (correlation_id, decided.item)) FILTER (is_lost) AS item,
        min(correlation_id) FILTER (is_lost) AS instance,
        list(
            {'trace_id': coalesce(lower(hex(trace.trace_id)), ''),
             'span_id': coalesce(format('{:016x}', node.span_id), ''),
             'log': CASE WHEN node.span_no IS NULL THEN decided.log_no END}
            ORDER BY correlation_id, decided.item
        ) FILTER (is_lost)[:$shown] AS evidence
    FROM decided
    LEFT JOIN node ON node.span_no = decided.span_no
    LEFT JOIN trace ON trace.trace_no = node.trace_no
    GROUP BY decided.workflow
    ORDER BY decided.workflow
"""

CHECK = Check(
    id="PAR-05",
    title="Skipped items are queued and retried",
    severity=Severity.HIGH,
    task=4,
    serves=("TEST-RR-P02",),
    judge=judge,
    judges_absence=True,
    remedy="Put what a breaker refuses back into the queue, and count it as open until it is done.",
)
