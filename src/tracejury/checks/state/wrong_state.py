"""Failures after which jobs say a state that is not true.

What: After each fault of the audit's seven failure modes, what it hit says the right state. A crash
of a worker or server leaves a job failed, timed out or queued, or it is taken up again; a call that
timed out for good leaves it failed, partial or retrying; a storage failure leaves an item failed
and the job not completed; a lost message is found, and given up or sent again; a bad item leaves a
partial batch, a cancellation a cancelled job of which no item stays in work. What two faults hit is
not judged.

Why: States are what users, support and retries go by. After a failure they are all there is.

Fix: Decide for each failure who writes which state, and let a reaper write it where the worker is
gone.

Source: the audit's test of the state after each failure mode.
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

# What is right after each failure mode, as the audit's table has it.
_EXPECTED: Final = {
    "worker crash": "timeout, failed or taken up again",
    "server restart": "queued, failed or taken up again",
    "API timeout": "failed, partial or retrying",
    "storage failure": "item failed, job not completed",
    "lost message": "given up or sent again",
    "partial batch": "partial",
    "user cancel": "cancelled, and no item in work",
}


def judge(evidence: Evidence) -> Judgement:
    """One unit a fault of a known failure mode: the jobs that it alone hit."""
    rows = evidence.rows(_FAULTS, {"shown": SHOWN})
    return Judgement(
        tuple(Unit(row["fault"], _exposures(row), _findings(row)) for row in rows),
        note=" ".join(map(_line, rows)),
        reason=_reason(rows),
        short_s=longest_short_s(rows),
    )


def _exposures(row: Row) -> int:
    """Jobs that say nothing of their state may be in any."""
    return 0 if row["silent"] and not row["wrong"] else int(row["right"] + row["wrong"])


def _line(row: Row) -> str:
    seen = row["seen"] or "nothing recorded"
    return f"{row['fault']}, {row['mode']}: expected {_EXPECTED[row['mode']]}, seen {seen}."


def _reason(rows: list[Row]) -> str:
    if not rows:
        return "needs-declaration"
    return "unsettled" if any(row["waiting"] for row in rows) else ""


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["wrong"]:
        return ()
    return (
        Finding(
            f"{counted(row['wrong'], 'job')} {either(row['wrong'], 'says', 'say')} a wrong state"
            f" after {row['mode']} ({row['fault']}): `{row['instance']}` says {row['state']},"
            f" expected was {_EXPECTED[row['mode']]}.",
            subject=row["mode"],
            instance=row["instance"],
            fault=row["fault"],
            evidence=references(row["evidence"]),
        ),
    )


_FAULTS: Final = """
    WITH declared AS (
        SELECT
            *,
            CASE
                WHEN regexp_matches(failure_mode, 'crash', 'i') THEN 'worker crash'
                WHEN regexp_matches(failure_mode, 'restart', 'i') THEN 'server restart'
                WHEN regexp_matches(failure_mode, 'storage', 'i') THEN 'storage failure'
                WHEN regexp_matches(failure_mode, 'lost|loss', 'i') THEN 'lost message'
                WHEN regexp_matches(failure_mode, 'partial', 'i') THEN 'partial batch'
                WHEN regexp_matches(failure_mode, 'cancel', 'i') THEN 'user cancel'
                WHEN regexp_matches(failure_mode, 'time', 'i') THEN 'API timeout'
                WHEN kind = 'kill' THEN 'worker crash'
                WHEN kind = 'restart' THEN 'server restart'
                WHEN kind IN ('hang', 'delay', 'partition') THEN 'API timeout'
                WHEN kind = 'storage' THEN 'storage failure'
                WHEN kind = 'message_loss' THEN 'lost message'
                WHEN kind = 'bad_item' THEN 'partial batch'
                WHEN kind = 'cancel' THEN 'user cancel'
            END AS mode
        FROM fault
    ),
    known AS (
        SELECT *
        FROM declared
        WHERE mode IS NOT NULL
    ),
    called AS (
        SELECT
            call.instance_no, call.span_no, call.service, call.route,
            -- Who asks again and hears that it is there has got what was asked for.
            call.failed AND field.http_status IS DISTINCT FROM '409' AS failed,
            call.start_ns, node.trace_no, node.span_id,
            coalesce(record_item.item, run.item, '') AS item
        FROM outgoing_call AS call
        JOIN node USING (span_no)
        LEFT JOIN span_field AS field ON field.span_no = call.span_no
        LEFT JOIN record_item ON record_item.span_no = call.span_no
        LEFT JOIN item_part AS part ON part.span_no = call.span_no
        LEFT JOIN item_run AS run ON run.span_no = part.run_no
        WHERE call.instance_no IN (SELECT hit.instance_no FROM fault_call AS hit)
    ),
    -- Calls of which no later one for the same item went well.
    lost_call AS (
        SELECT instance_no, service, route, item
        FROM called
        GROUP BY instance_no, service, route, item
        HAVING arg_max(failed, (start_ns, trace_no, span_id))
    ),
    hit AS (
        SELECT known.id, known.mode, crash.instance_no, crash.crashed_ns AS at_ns
        FROM known
        JOIN crash_hit AS crash
            ON lower(crash.service) = lower(known.target)
            AND crash.crashed_ns BETWEEN known.start_ns - 60000000000 AND known.end_ns + 60000000000
        WHERE known.mode IN ('worker crash', 'server restart')
        UNION ALL
        SELECT known.id, known.mode, called.instance_no, min(called.start_ns)
        FROM known
        JOIN fault_call ON fault_call.fault_id = known.id
        JOIN called USING (span_no)
        SEMI JOIN lost_call
            ON lost_call.instance_no = called.instance_no
            AND lost_call.service = called.service
            AND lost_call.route = called.route
            AND lost_call.item = called.item
        WHERE known.mode IN ('API timeout', 'storage failure') AND called.failed
        GROUP BY known.id, known.mode, called.instance_no
        UNION ALL
        SELECT known.id, known.mode, run.instance_no, min(run.start_ns)
        FROM known
        JOIN item_run AS run
            ON coalesce(run.end_ns, run.start_ns) >= known.start_ns
            AND run.start_ns <= known.end_ns
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE known.mode = 'partial batch'
            AND run.failed
            AND known.workflow IN ('', instance.workflow)
        GROUP BY known.id, known.mode, run.instance_no
        UNION ALL
        SELECT known.id, known.mode, job.instance_no, min(node.start_ns)
        FROM known
        JOIN node
            ON node.kind = 'PRODUCER'
            AND node.start_ns BETWEEN known.start_ns AND known.end_ns
        JOIN trace_instance USING (trace_no)
        JOIN job USING (instance_no)
        LEFT JOIN delivery AS taken
            ON taken.creation_no = node.span_no
            AND taken.start_ns <= known.end_ns
        WHERE known.mode = 'lost message'
            AND taken.span_no IS NULL
            AND known.workflow IN ('', job.workflow)
        GROUP BY known.id, known.mode, job.instance_no
        UNION ALL
        SELECT known.id, known.mode, job.instance_no, min(known.start_ns)
        FROM known
        JOIN job ON job.job IN (known.target, known.item_injected)
        WHERE known.mode = 'user cancel'
        GROUP BY known.id, known.mode, job.instance_no
        UNION ALL
        SELECT known.id, known.mode, trace_instance.instance_no, min(known.start_ns)
        FROM known
        JOIN node
            ON node.kind = 'SERVER'
            AND node.start_ns BETWEEN known.start_ns AND known.end_ns
            AND regexp_matches(node.name, 'cancel|^DELETE ', 'i')
        JOIN trace_instance USING (trace_no)
        WHERE known.mode = 'user cancel'
        GROUP BY known.id, known.mode, trace_instance.instance_no
    ),
    alone AS (
        SELECT min(id) AS id, min(mode) AS mode, instance_no, min(at_ns) AS at_ns
        FROM hit
        GROUP BY instance_no
        HAVING min(id) = max(id)
    ),
    said AS (
        SELECT
            instance_no,
            arg_max(state, (time_ns, is_final, state)) AS state,
            arg_max(span_no, time_ns) FILTER (span_no IS NOT NULL) AS span_no,
            arg_max(log_no, time_ns) FILTER (log_no IS NOT NULL) AS log_no,
            arg_max(row_no, time_ns) FILTER (row_no IS NOT NULL) AS row_no
        FROM state_record
        WHERE level = 'job'
        GROUP BY instance_no
    ),
    open_item AS (
        SELECT instance_no
        FROM (
            SELECT instance_no, unit, arg_max(state, (time_ns, is_final, state)) AS state
            FROM state_record
            WHERE level = 'item'
            GROUP BY instance_no, unit
        )
        WHERE state IN ('queued', 'processing', 'retrying')
        GROUP BY instance_no
    ),
    judged AS (
        SELECT
            alone.*,
            said.state,
            said.span_no,
            said.log_no,
            said.row_no,
            job.is_overdue,
            job.short_ns,
            CASE alone.mode
                WHEN 'partial batch' THEN said.state = 'partial'
                    OR (said.state = 'failed' AND items.done = 0)
                WHEN 'user cancel' THEN said.state = 'cancelled' AND open_item.instance_no IS NULL
                WHEN 'API timeout' THEN said.state IN ('failed', 'timeout', 'partial')
                    -- Who says for ever that it tries again is stuck.
                    OR (said.state = 'retrying' AND NOT coalesce(job.is_overdue, false))
                WHEN 'storage failure' THEN said.state IN ('failed', 'timeout', 'partial')
                    AND items.failed > 0
                ELSE said.state IN ('failed', 'timeout')
                    OR (said.state = 'queued' AND alone.mode = 'server restart')
                    OR (said.state IN ('completed', 'partial') AND EXISTS (
                        SELECT 1
                        FROM delivery
                        WHERE delivery.instance_no = alone.instance_no
                            AND delivery.start_ns >= alone.at_ns
                            AND delivery.end_ns IS NOT NULL
                    ))
            END AS is_right,
            said.state IN ('queued', 'processing', 'retrying') AS is_open
        FROM alone
        LEFT JOIN said USING (instance_no)
        LEFT JOIN job USING (instance_no)
        LEFT JOIN open_item USING (instance_no)
        LEFT JOIN (
            SELECT
                instance_no,
                count(*) FILTER (failed) AS failed,
                count(*) FILTER (completed) AS done
            FROM item_run
            GROUP BY instance_no
        ) AS items USING (instance_no)
    ),
    decided AS (
        SELECT
            judged.*,
            instance.correlation_id,
            coalesce(is_right, false) AS is_good,
            state IS NOT NULL AND NOT coalesce(is_right, false) AND (NOT is_open OR is_overdue)
                AS is_wrong,
            state IS NOT NULL AND NOT coalesce(is_right, false) AND is_open AND NOT is_overdue
                AS is_waiting,
            {'trace_id': coalesce(lower(hex(trace.trace_id)), ''),
             'span_id': coalesce(format('{:016x}', node.span_id), ''),
             'log': CASE WHEN node.span_no IS NULL THEN judged.log_no END,
             'row': CASE WHEN node.span_no IS NULL AND judged.log_no IS NULL THEN judged.row_no END}
                AS evidence
        FROM judged
        JOIN workflow_instance AS instance USING (instance_no)
        LEFT JOIN node ON node.span_no = judged.span_no
        LEFT JOIN trace ON trace.trace_no = node.trace_no
        WHERE NOT instance.background
    )
    SELECT
        known.id AS fault,
        known.mode,
        count(*) FILTER (decided.is_good) AS right,
        count(*) FILTER (decided.is_wrong) AS wrong,
        count(*) FILTER (decided.is_waiting) AS waiting,
        max(decided.short_ns) FILTER (decided.is_waiting) AS short_ns,
        count(*) FILTER (decided.id IS NOT NULL AND decided.state IS NULL) AS silent,
        coalesce(string_agg(DISTINCT decided.state, ', ' ORDER BY decided.state), '') AS seen,
        min(decided.correlation_id) FILTER (decided.is_wrong) AS instance,
        arg_min(decided.state, decided.correlation_id) FILTER (decided.is_wrong) AS state,
        list(decided.evidence ORDER BY decided.correlation_id)
            FILTER (decided.is_wrong)[:$shown] AS evidence
    FROM known
    LEFT JOIN decided ON decided.id = known.id
    GROUP BY known.id, known.mode
    ORDER BY known.id
"""

CHECK = Check(
    id="ST-08",
    title="Every failure mode leaves the right state",
    severity=Severity.HIGH,
    task=9,
    serves=("TEST-RR-S01",),
    judge=judge,
    judges_absence=True,
    remedy="Decide for each failure who writes which state, and let a reaper write what is left.",
)
