"""Loops that end only when their source does.

What: Under a source without an end (a fault `endless_source`) every loop stopped at a limit of its
own, and a warning says so. It fails where a loop went on for more turns or longer than the bounds
(10,000 turns, 30 minutes) while its source had no end, or after more items than it had. A loop that
came to its end proves nothing, and a large batch is no loop without a bound. Loops without a span
for each turn cannot be seen. Two turns may be what is left of three: nothing passes beside a step
that went round twice, unless the SDKs' own counts say that no span is missing.

Why: A cursor that never ends, or a page that repeats, makes a worker run for ever, and pay for each
turn.

Fix: Count the turns and the time inside of the loop, stop at a limit, and log a warning that names
it.

Source: the audit's pattern 9, sequential loop without bounds.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry import lexicon
from tracejury.telemetry.numbers import counted


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow and step that goes round: its loops that a limit ended, or nothing."""
    policy = evidence.policy
    bounds = {"turns": int(policy.loop_turns), "seconds": policy.loop_seconds}
    rows = evidence.rows(
        _LOOPS,
        {**bounds, "limit": f"(?i){lexicon.LOOP_LIMIT_MESSAGE.pattern}", "shown": SHOWN},
    )
    units = [
        Unit(
            _name(row),
            row["bounded"] + row["endless"],
            _findings(row, f"{bounds['turns']} turns and {bounds['seconds']:g} s"),
        )
        for row in rows
    ]
    # They are dear to look for, and matter where all else would pass.
    if units and all(unit.exposures for unit in units):
        seen = {unit.name for unit in units}
        pairs = dict.fromkeys(map(_name, evidence.rows(_PAIRS)))
        units += [Unit(name, 0) for name in pairs if name not in seen]
    return Judgement(tuple(units), reason="unsettled" if any(row["open"] for row in rows) else "")


def _name(row: Row) -> str:
    return f"{row['workflow']}: {row['service']} {row['name']}"


def _findings(row: Row, bounds: str) -> tuple[Finding, ...]:
    if not row["endless"]:
        return ()
    why = "while its source had no end"
    if row["items"] is not None:
        why = f"though it had {counted(row['items'], 'item')}"
    return (
        Finding(
            f"`{row['name']}` of {row['service']} went round {counted(row['most'], 'time')}"
            f" within {row['longest_s']:.3g} s in {counted(row['endless'], 'loop')} of"
            f" `{row['workflow']}` {why}; the bounds are {bounds}.",
            subject=row["workflow"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


_LOOPS: Final = """
    -- Calls to a source without an end, and what lies above them.
    WITH RECURSIVE fed AS (
        SELECT fault_call.fault_id, node.span_no, node.parent_no, 0 AS steps
        FROM fault_call
        JOIN node USING (span_no)
        WHERE fault_call.fault_kind = 'endless_source'
        UNION
        SELECT fed.fault_id, above.span_no, above.parent_no, fed.steps + 1
        FROM fed
        JOIN node AS above ON above.span_no = fed.parent_no
        WHERE fed.steps < 8
    ),
    fed_loop AS (
        SELECT DISTINCT fed.fault_id, turn.trace_no, turn.parent_no, turn.missing_parent,
            turn.service, turn.name, turn.kind
        FROM fed
        JOIN node AS turn USING (span_no)
    ),
    -- What a loop did while its source had no end.
    under_fault AS (
        SELECT
            loop.loop_no,
            max(least(loop.last_ns, fault.end_ns) - greatest(loop.first_ns, fault.start_ns))
                AS during_ns,
            max((
                SELECT count(*)
                FROM node AS turn
                WHERE turn.trace_no = first_turn.trace_no
                    AND turn.parent_no IS NOT DISTINCT FROM first_turn.parent_no
                    AND turn.missing_parent IS NOT DISTINCT FROM first_turn.missing_parent
                    AND turn.service = loop.service
                    AND turn.name = loop.name
                    AND turn.kind = loop.kind
                    AND turn.start_ns BETWEEN fault.start_ns AND fault.end_ns
            )) AS turns
        FROM loop
        JOIN workflow_instance AS instance USING (instance_no)
        JOIN node AS first_turn ON first_turn.span_no = loop.loop_no
        JOIN fault
            ON fault.kind = 'endless_source'
            AND fault.workflow IN ('', instance.workflow)
            AND loop.first_ns < fault.end_ns
            AND loop.last_ns > fault.start_ns
        LEFT JOIN fed_loop
            ON fed_loop.fault_id = fault.id
            AND fed_loop.trace_no = first_turn.trace_no
            AND fed_loop.parent_no IS NOT DISTINCT FROM first_turn.parent_no
            AND fed_loop.missing_parent IS NOT DISTINCT FROM first_turn.missing_parent
            AND fed_loop.service = loop.service
            AND fed_loop.name = loop.name
            AND fed_loop.kind = loop.kind
        WHERE fault.target = '' OR fed_loop.fault_id IS NOT NULL
        GROUP BY loop.loop_no
    ),
    -- How many items a loop over items has, where the fault file or the loop itself says so.
    over_items AS (
        SELECT DISTINCT loop.loop_no, loop.holder_no, loop.instance_no, loop.first_ns
        FROM loop
        JOIN item_run AS run
            ON run.loop_no = loop.holder_no AND run.service = loop.service AND run.name = loop.name
    ),
    counted AS (
        SELECT over_items.loop_no, batch_size.items
        FROM over_items
        JOIN batch_size ON batch_size.span_no = over_items.holder_no
        UNION ALL
        SELECT over_items.loop_no, max(fault.items_expected)
        FROM over_items
        JOIN workflow_instance AS instance USING (instance_no)
        JOIN fault
            ON fault.workflow IN ('', instance.workflow)
            AND over_items.first_ns BETWEEN fault.start_ns AND fault.end_ns
        WHERE fault.items_expected IS NOT NULL
        GROUP BY over_items.loop_no
    ),
    expected AS (
        SELECT loop_no, max(items) AS items
        FROM counted
        GROUP BY loop_no
    ),
    -- Where a limit would be told of: at the loop, at what holds it, and at one of its turns.
    told_at AS (
        SELECT loop.loop_no, loop.holder_no AS span_no
        FROM loop
        SEMI JOIN under_fault USING (loop_no)
        WHERE loop.holder_no IS NOT NULL
        UNION
        SELECT loop.loop_no, holder.parent_no
        FROM loop
        SEMI JOIN under_fault USING (loop_no)
        JOIN node AS holder ON holder.span_no = loop.holder_no
        WHERE holder.parent_no IS NOT NULL
        UNION
        SELECT loop.loop_no, turn.span_no
        FROM loop
        SEMI JOIN under_fault USING (loop_no)
        JOIN node AS turn
            ON turn.parent_no = loop.holder_no
            AND turn.service = loop.service
            AND turn.name = loop.name
            AND turn.kind = loop.kind
    ),
    limited AS (
        SELECT DISTINCT told_at.loop_no
        FROM told_at
        JOIN span_warning AS warning USING (span_no)
        WHERE regexp_matches(warning.text, $limit)
    ),
    measured AS (
        SELECT
            loop.*,
            instance.workflow,
            instance.correlation_id,
            under_fault.loop_no IS NOT NULL AS is_fed,
            limited.loop_no IS NOT NULL AS is_limited,
            CASE WHEN loop.turns > expected.items THEN expected.items END AS items,
            loop.turns > $turns OR loop.last_ns - loop.first_ns > 1e9 * $seconds AS is_long,
            -- As many turns as it has items are a large batch.
            coalesce(
                (under_fault.turns > $turns OR under_fault.during_ns > 1e9 * $seconds)
                    AND coalesce(loop.turns > expected.items, true),
                false
            ) AS is_endless_in_fault,
            -- The next turn is not due yet.
            NOT loop.is_ended
                AND (SELECT max(life.last_ns) FROM instance_life AS life) - loop.last_ns
                    <= 3.0 * (loop.last_ns - loop.first_ns) / loop.turns
                AS is_open
        FROM loop
        JOIN workflow_instance AS instance USING (instance_no)
        LEFT JOIN under_fault USING (loop_no)
        LEFT JOIN limited USING (loop_no)
        LEFT JOIN expected USING (loop_no)
    ),
    judged AS (
        SELECT
            *,
            is_fed AND is_limited AND is_ended AND NOT is_long AS is_bounded,
            is_endless_in_fault OR (items IS NOT NULL AND (is_long OR is_open)) AS is_endless
        FROM measured
    )
    SELECT
        judged.workflow,
        judged.service,
        judged.name,
        count(*) FILTER (judged.is_bounded) AS bounded,
        count(*) FILTER (judged.is_endless) AS endless,
        count(*) FILTER (judged.is_fed AND judged.is_open AND NOT judged.is_endless) AS open,
        max(judged.turns) FILTER (judged.is_endless) AS most,
        max(judged.last_ns - judged.first_ns) FILTER (judged.is_endless) / 1e9 AS longest_s,
        min(judged.items) FILTER (judged.is_endless AND NOT judged.is_endless_in_fault) AS items,
        min(judged.correlation_id) FILTER (judged.is_endless) AS instance,
        list(span.reference ORDER BY judged.turns DESC, span.start_ns, span.reference)
            FILTER (judged.is_endless)[:$shown] AS evidence
    FROM judged
    JOIN span_reference AS span ON span.span_no = coalesce(judged.holder_no, judged.loop_no)
    GROUP BY judged.workflow, judged.service, judged.name
    ORDER BY judged.workflow, judged.service, judged.name
"""

_PAIRS: Final = """
    -- Where each process counted its spans and all of them are here, two are two.
    WITH whole AS (
        SELECT counted.service
        FROM counted_service AS counted
        WHERE counted.counted = counted.processes
            AND counted.service NOT IN (SELECT sdk_gap.service FROM sdk_gap)
    ),
    again AS (
        SELECT span_no
        FROM attempt_of
        WHERE how = 'siblings' AND number > 1
    )
    SELECT DISTINCT instance.workflow, pair.service, pair.name
    FROM (
        SELECT trace_no, parent_no, missing_parent, service, name, kind
        FROM node
        ANTI JOIN again USING (span_no)
        WHERE kind IN ('INTERNAL', 'CLIENT', 'PRODUCER')
            AND start_ns IS NOT NULL
            AND (parent_no IS NOT NULL OR missing_parent IS NOT NULL)
            AND service NOT IN (SELECT whole.service FROM whole)
        GROUP BY ALL
        HAVING count(*) = 2
            -- What runs side by side is a fan-out.
            AND sum(coalesce(end_ns, start_ns) - start_ns) - 5000000 * count(*)
                <= max(coalesce(end_ns, start_ns)) - min(start_ns)
    ) AS pair
    JOIN trace_instance USING (trace_no)
    JOIN workflow_instance AS instance
        ON instance.instance_no = trace_instance.instance_no
    LEFT JOIN node AS holder ON holder.span_no = pair.parent_no
    WHERE NOT instance.background
        -- What lies in another process is what it did for this one.
        AND coalesce(holder.service = pair.service, true)
    ORDER BY instance.workflow, pair.service, pair.name
"""

CHECK = Check(
    id="LOOP-01",
    title="Loops are bounded in iterations and duration",
    severity=Severity.HIGH,
    task=7,
    serves=("pattern-9", "TEST-RR-SL01", "HIGH-3"),
    judge=judge,
    remedy="Count turns and time inside of the loop, stop at a limit, and log a warning.",
)
