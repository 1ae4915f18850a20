"""Jobs whose time limit costs what they had done.

What: A job that a time limit ended says that it failed, timed out or is partial, and what it had
completed by then has none of its calls that change something made again. It fails where a completed
item is done once more, where the job calls itself completed although items of it are not, and where
it still calls itself in work when the run has gone on for longer than a job may stay without a
word. Reading a completed item again costs nothing; a further run of it without any call may have
lost them. States that are kept in a database alone cannot
be seen.

Why: A job that begins anew after its limit meets it again at the same place, and pays for it.

Fix: Catch the limit, record the job as timed out, and let the next attempt begin with the items
that are not recorded as completed.

Source: the audit's test of job-level timeouts.
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
    """One unit a workflow: its jobs that a time limit ended after they had completed an item."""
    rows = evidence.rows(_STRUCK, {"shown": SHOWN})
    units = tuple(
        Unit(row["workflow"], row["kept"] + row["wasted"] + row["mute"], _findings(row))
        for row in rows
    )
    return Judgement(units, reason=_reason(rows), short_s=longest_short_s(rows))


def _reason(rows: list[Row]) -> str:
    if any(row["waiting"] for row in rows):
        return "unsettled"
    if any(row["lossy"] for row in rows):
        return "dropped"
    if any(row["unnamed"] for row in rows):
        return "no-correlation"
    if any(row["unclear"] for row in rows):
        return "uninstrumented"
    is_nameless = any(row["nameless"] for row in rows) and not any(row["kept"] for row in rows)
    return "no-item-identity" if is_nameless else ""


def _findings(row: Row) -> tuple[Finding, ...]:
    found = []
    ended = f"of `{row['workflow']}` that a time limit ended"
    if row["wasted"]:
        found.append(
            Finding(
                f"{counted(row['wasted'], 'job')} {ended} did"
                f" {counted(row['repeated'], 'completed item')} again, `{row['item']}` of"
                f" `{row['wasted_job']}` for one.",
                subject=row["workflow"],
                instance=row["wasted_job"],
                evidence=references(row["wasted_at"]),
            )
        )
    if row["mute"]:
        still = "" if row["state"] == "completed" else "still "
        found.append(
            Finding(
                f"{counted(row['mute'], 'job')} {ended}"
                f" {still}{either(row['mute'], 'calls itself', 'call themselves')} {row['state']}:"
                f" `{row['mute_job']}` has {row['done']} of {counted(row['items'], 'item')} done.",
                subject=row["workflow"],
                instance=row["mute_job"],
                evidence=references(row["mute_at"]),
            )
        )
    return tuple(found)


_STRUCK: Final = """
    WITH taken AS (
        SELECT
            instance.instance_no, node.span_no, node.span_id, node.trace_no, node.start_ns,
            node.end_ns,
            lead(node.start_ns) OVER (
                PARTITION BY instance.instance_no
                ORDER BY node.start_ns, node.span_id
            ) AS next_ns
        FROM node
        JOIN trace_instance AS instance USING (trace_no)
        LEFT JOIN span_field AS field USING (span_no)
        WHERE node.kind = 'CONSUMER'
            AND node.start_ns IS NOT NULL
            AND coalesce(field.messaging_operation NOT IN ('receive', 'poll'), true)
    ),
    -- The limit is one of the job's if the job was over soon after.
    struck AS (
        SELECT taken.*, max(node.end_ns) AS struck_ns
        FROM taken
        JOIN node USING (trace_no)
        JOIN error_class AS class ON class.span_no = node.span_no
        WHERE class.is_job_limit
            AND node.end_ns BETWEEN greatest(taken.start_ns, taken.end_ns - 5000000000)
                AND taken.end_ns
        GROUP BY ALL
    ),
    -- What the job said of itself before it was taken up again.
    said AS (
        SELECT
            struck.span_no,
            arg_max(state.state, (state.time_ns, state.is_final, state.state)) AS state,
            arg_max(state.is_final, (state.time_ns, state.is_final, state.state)) AS is_final
        FROM struck
        JOIN state_record AS state USING (instance_no)
        WHERE state.level = 'job' AND coalesce(state.time_ns < struck.next_ns, true)
        GROUP BY struck.span_no
    ),
    item AS (
        SELECT
            struck.span_no,
            run.item,
            bool_or(run.completed AND run.end_ns <= struck.struck_ns) AS is_done
        FROM struck
        JOIN item_run AS run
            ON run.instance_no = struck.instance_no
            AND run.start_ns BETWEEN struck.start_ns AND struck.end_ns
        GROUP BY struck.span_no, run.item
    ),
    rerun AS (
        SELECT struck.span_no, item.item, run.span_no AS run_no, run.instance_no, run.start_ns,
            coalesce(run.end_ns, run.start_ns) AS end_ns, node.trace_no, node.service
        FROM struck
        JOIN item ON item.span_no = struck.span_no AND item.is_done
        JOIN item_run AS run
            ON run.instance_no = struck.instance_no
            AND run.item = item.item
            AND run.start_ns > struck.end_ns
        JOIN node ON node.span_no = run.span_no
    ),
    effect_again AS (
        SELECT DISTINCT rerun.span_no, rerun.item
        FROM rerun
        JOIN side_effect AS effect
            ON effect.instance_no = rerun.instance_no
            AND effect.item = rerun.item
            AND effect.start_ns BETWEEN rerun.start_ns AND rerun.end_ns
    ),
    -- To look at a completed item again costs nothing; a run without a call may have lost it.
    looked_again AS (
        SELECT rerun.run_no
        FROM rerun
        JOIN node AS call
            ON call.trace_no = rerun.trace_no
            AND call.service = rerun.service
            AND call.kind IN ('CLIENT', 'PRODUCER')
            AND call.start_ns BETWEEN rerun.start_ns AND rerun.end_ns
        LEFT JOIN span_field AS field ON field.span_no = call.span_no
        GROUP BY rerun.run_no
        HAVING bool_and(coalesce(
            upper(field.http_method) IN ('GET', 'HEAD', 'OPTIONS')
                OR regexp_matches(coalesce(field.db_operation, field.db_query), '^\\s*SELECT', 'i'),
            false
        ))
        UNION
        SELECT rerun.run_no
        FROM rerun
        JOIN state_record AS state
            ON state.instance_no = rerun.instance_no
            AND state.unit = rerun.item
            AND state.level = 'item'
            AND state.state = 'skipped'
            AND state.time_ns BETWEEN rerun.start_ns AND rerun.end_ns
    ),
    unclear AS (
        SELECT DISTINCT rerun.span_no
        FROM rerun
        ANTI JOIN looked_again USING (run_no)
        ANTI JOIN effect_again USING (span_no, item)
        UNION
        -- Work on the same item that names no job may be of this one.
        SELECT item.span_no
        FROM item
        JOIN struck ON struck.span_no = item.span_no
        JOIN item_run AS run ON run.item = item.item AND run.start_ns > struck.end_ns
        JOIN workflow_instance AS other ON other.instance_no = run.instance_no
        WHERE item.is_done
            AND run.instance_no <> struck.instance_no
            AND other.correlation_key IN ('trace', 'links')
    ),
    counted AS (
        SELECT
            span_no,
            count(*) AS items,
            count(*) FILTER (item.is_done) AS done,
            count(again.item) AS repeated,
            min(again.item) AS repeated_item,
            span_no IN (SELECT unclear.span_no FROM unclear) AS is_unclear
        FROM item
        LEFT JOIN effect_again AS again USING (span_no, item)
        GROUP BY span_no
    ),
    judged AS (
        SELECT
            struck.*,
            instance.workflow,
            instance.correlation_id,
            instance.correlation_key,
            said.state,
            coalesce(counted.items, 0) AS items,
            coalesce(counted.done, 0) AS done,
            counted.repeated,
            counted.repeated_item,
            coalesce(counted.is_unclear, false) AS is_unclear,
            coalesce(counted.repeated > 0, false) AS is_wasted,
            struck.next_ns IS NULL AND NOT said.is_final AS is_open,
            coalesce(job.is_overdue, false) AS is_overdue,
            job.short_ns,
            EXISTS (SELECT 1 FROM ghost WHERE ghost.instance_no = struck.instance_no) AS is_lossy
        FROM struck
        JOIN workflow_instance AS instance USING (instance_no)
        LEFT JOIN said ON said.span_no = struck.span_no
        LEFT JOIN counted ON counted.span_no = struck.span_no
        LEFT JOIN job ON job.instance_no = struck.instance_no
        WHERE NOT instance.background
    ),
    decided AS (
        SELECT
            *,
            coalesce(done > 0 AND state IN ('failed', 'timeout', 'partial'), false)
                AND NOT is_wasted AS is_kept,
            -- Another run of it could be of a job without a name, too.
            correlation_key IN ('trace', 'links') AS is_unnamed,
            coalesce(
                (state = 'completed' AND done < items) OR (is_open AND is_overdue AND done > 0),
                false
            ) AS is_mute
        FROM judged
    )
    SELECT
        decided.workflow,
        count(*) FILTER (decided.is_kept AND NOT decided.is_lossy AND NOT decided.is_unnamed
            AND NOT decided.is_unclear) AS kept,
        count(*) FILTER (decided.is_kept AND decided.is_unclear) AS unclear,
        count(*) FILTER (decided.is_kept AND decided.is_unnamed) AS unnamed,
        count(*) FILTER (decided.is_kept AND decided.is_lossy) AS lossy,
        count(*) FILTER (decided.is_wasted) AS wasted,
        count(*) FILTER (decided.is_mute) AS mute,
        count(*) FILTER (decided.is_open AND NOT decided.is_mute AND decided.done > 0) AS waiting,
        max(decided.short_ns)
            FILTER (decided.is_open AND NOT decided.is_mute AND decided.done > 0) AS short_ns,
        count(*) FILTER (decided.items = 0 AND decided.state IS NOT NULL) AS nameless,
        sum(decided.repeated) FILTER (decided.is_wasted)::BIGINT AS repeated,
        arg_min(decided.repeated_item, (decided.start_ns, decided.span_id))
            FILTER (decided.is_wasted) AS item,
        arg_min(decided.correlation_id, (decided.start_ns, decided.span_id))
            FILTER (decided.is_wasted) AS wasted_job,
        arg_min(decided.correlation_id, (decided.start_ns, decided.span_id))
            FILTER (decided.is_mute) AS mute_job,
        arg_min(decided.state, (decided.start_ns, decided.span_id))
            FILTER (decided.is_mute) AS state,
        arg_min(decided.done, (decided.start_ns, decided.span_id))
            FILTER (decided.is_mute) AS done,
        arg_min(decided.items, (decided.start_ns, decided.span_id))
            FILTER (decided.is_mute) AS items,
        list(span.reference ORDER BY decided.start_ns, decided.span_id)
            FILTER (decided.is_wasted)[:$shown] AS wasted_at,
        list(span.reference ORDER BY decided.start_ns, decided.span_id)
            FILTER (decided.is_mute)[:$shown] AS mute_at
    FROM decided
    JOIN span_reference AS span USING (span_no)
    GROUP BY decided.workflow
    ORDER BY decided.workflow
"""

CHECK = Check(
    id="TIM-07",
    title="A job that times out keeps its completed items",
    severity=Severity.HIGH,
    task=3,
    serves=("TEST-RR-T02",),
    judge=judge,
    judges_absence=True,
    remedy="Catch the limit, record the job as timed out, and begin again after the last item.",
)
