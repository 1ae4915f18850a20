"""Jobs that a timeout leaves where they are.

What: After the last call that a job gave up, the call or the job is tried again and goes well, or
the job says how it ended, or it updates a row of the database; a request is over when it is
answered. It fails
where nothing more was heard of the job for longer than a job may stay without a word, while its
worker went on. That the span of a job ended says nothing of the job's state, and what a worker that
died took along is not known.

Why: A timeout that nobody handles turns a slow provider into jobs that wait for ever.

Fix: Catch the timeout where the call is made, try again or record the job as failed, and let both
be seen: `job.status` on a span or a log record.

Source: the audit's test of external call timeouts: the job moves to retry or failed, not stuck.
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
from tracejury.telemetry.numbers import counted

# How long an SDK keeps spans back by default.
_EXPORT_NS: Final = 5_000_000_000


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow that gave up a call: it counts once all of its instances went on."""
    rows = evidence.rows(_INSTANCES, {"export_ns": _EXPORT_NS, "shown": SHOWN})
    return Judgement(
        tuple(
            Unit(
                row["workflow"],
                (row["exposed"] if row["gone_on"] == row["instances"] else 0) + row["stuck"],
                _findings(row),
            )
            for row in rows
        ),
        reason=_reason(rows),
        short_s=longest_short_s(rows),
    )


def _reason(rows: list[Row]) -> str:
    if any(row["waiting"] for row in rows):
        return "unsettled"
    return "export-lag" if any(row["crashed"] for row in rows) else ""


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["stuck"]:
        return ()
    return (
        Finding(
            f"{counted(row['stuck'], 'job')} of `{row['workflow']}` stopped at a timeout:"
            f" `{row['instance']}` called {row['target']}, waited for {row['waited_s']:.3g} s, and"
            f" was not heard of again in the {row['silent_s']:.0f} s after that.",
            subject=row["workflow"],
            instance=row["instance"],
            evidence=references(row["evidence"]),
        ),
    )


_INSTANCES: Final = """
    -- Calls that were given up, and those that failed without an answer or a reason.
    WITH unanswered AS (
        SELECT cut.span_no, true AS is_cut
        FROM cut_off AS cut
        JOIN waiting_call USING (span_no)
        WHERE cut.waited_for = 'answer'
        UNION ALL
        SELECT call.span_no, false
        FROM waiting_call AS call
        JOIN span_error AS error USING (span_no)
        LEFT JOIN span_field AS field USING (span_no)
        WHERE error.error_type = ''
            AND field.http_status IS NULL
            AND call.span_no NOT IN (SELECT cut_off.span_no FROM cut_off)
    ),
    -- The last one of each instance.
    given_up AS (
        SELECT call.instance_no, call.target, node.span_no, run.item, node.span_id, node.trace_no,
            node.service, node.instance_id, node.start_ns, node.end_ns, unanswered.is_cut,
            bool_or(unanswered.is_cut) OVER (PARTITION BY call.instance_no) AS has_cut
        FROM unanswered
        JOIN external_call AS call USING (span_no)
        JOIN node USING (span_no)
        LEFT JOIN item_part AS part ON part.span_no = call.span_no
        LEFT JOIN item_run AS run ON run.span_no = part.run_no
        WHERE node.end_ns IS NOT NULL
        QUALIFY row_number() OVER (
            PARTITION BY call.instance_no
            ORDER BY node.end_ns DESC, node.start_ns DESC, node.span_id
        ) = 1
    ),
    -- What may come after it: an attempt that went well, an end, a row that is updated.
    later AS (
        SELECT
            instance.instance_no, NULL::VARCHAR AS item, node.start_ns AS time_ns,
            NULL::VARCHAR AS service, NULL::BIGINT AS trace_no
        FROM attempt_of AS attempt
        JOIN node USING (span_no)
        JOIN trace_instance AS instance USING (trace_no)
        WHERE attempt.how = 'nested' AND attempt.number > 1 AND attempt.recovered
        UNION ALL
        SELECT instance_no, item, start_ns, NULL, NULL
        FROM item_run
        WHERE number > 1 AND completed
        UNION ALL
        SELECT instance_no, NULL, start_ns, NULL, NULL
        FROM delivery
        WHERE is_again AND NOT failed AND end_ns IS NOT NULL
        UNION ALL
        SELECT instance_no, NULL, time_ns, NULL, NULL
        FROM state_record
        WHERE level = 'job' AND (is_final OR state = 'retrying')
        UNION ALL
        SELECT call.instance_no, NULL, call.start_ns::BIGINT, call.service, node.trace_no
        FROM external_call AS call
        JOIN node USING (span_no)
        JOIN span_field AS field USING (span_no)
        WHERE call.protocol = 'db'
            AND NOT call.failed
            AND regexp_matches(
                coalesce(field.db_operation, field.db_query, ''), '^\\s*UPDATE\\b', 'i'
            )
    ),
    went_on AS (
        SELECT given_up.instance_no, max(later.time_ns) AS time_ns
        FROM given_up
        JOIN later USING (instance_no)
        -- That another item is tried again helps this one nothing.
        WHERE coalesce(later.item = given_up.item, true)
            -- Nor does what the others in the call write of themselves.
            AND coalesce(
                later.service = given_up.service OR later.trace_no <> given_up.trace_no, true
            )
        GROUP BY given_up.instance_no
    ),
    tried_again AS (
        SELECT span_no
        FROM attempt_of
        WHERE how = 'siblings' AND number < attempts AND recovered
    ),
    measured AS (
        SELECT
            given_up.*,
            instance.workflow,
            instance.correlation_id,
            crash_hit.instance_no IS NOT NULL AS is_crashed,
            tried_again.span_no IS NOT NULL
                OR coalesce(went_on.time_ns >= given_up.end_ns, false)
                -- Who waits for a request knows that it is over.
                OR (job.instance_no IS NULL AND instance.entry_kind = 'SERVER'
                    AND NOT instance.rootless
                    AND coalesce(entry.end_ns >= given_up.end_ns, false))
                AS is_gone_on,
            coalesce(NOT job.is_ended, false) AS is_open,
            coalesce(job.is_overdue, false)
                -- The error that the timeout raised may be logged a moment later.
                AND settling.last_ns - given_up.end_ns <= 1000000000
                -- What it had said of the job would have come along with what it said later.
                AND coalesce(life.last_ns - settling.last_ns >= $export_ns, false) AS is_silent,
            settling.run_end_ns - settling.last_ns AS silent_ns,
            job.short_ns
        FROM given_up
        JOIN workflow_instance AS instance USING (instance_no)
        JOIN node AS entry ON entry.span_no = instance.entry_span_no
        JOIN settling USING (instance_no)
        LEFT JOIN job USING (instance_no)
        LEFT JOIN crash_hit USING (instance_no)
        LEFT JOIN went_on USING (instance_no)
        LEFT JOIN tried_again ON tried_again.span_no = given_up.span_no
        LEFT JOIN instance_life AS life
            ON life.service = given_up.service AND life.instance_id = given_up.instance_id
    ),
    judged AS (
        SELECT
            *,
            is_cut AND NOT is_gone_on AND is_open AND is_silent AND NOT is_crashed AS is_stuck,
            is_gone_on OR NOT is_crashed AS is_exposed
        FROM measured
    )
    SELECT
        judged.workflow,
        count(*) FILTER (judged.is_exposed) AS instances,
        count(*) FILTER (judged.is_gone_on) AS gone_on,
        count(*) FILTER (judged.is_gone_on AND judged.has_cut) AS exposed,
        count(*) FILTER (judged.is_stuck) AS stuck,
        count(*) FILTER (judged.is_exposed AND NOT judged.is_gone_on AND judged.is_open
            AND NOT judged.is_stuck) AS waiting,
        max(judged.short_ns) FILTER (judged.is_exposed AND NOT judged.is_gone_on
            AND judged.is_open AND NOT judged.is_stuck) AS short_ns,
        count(*) FILTER (NOT judged.is_exposed) AS crashed,
        arg_min(judged.target, (judged.end_ns, judged.span_id)) FILTER (judged.is_stuck) AS target,
        arg_min(judged.end_ns - judged.start_ns, (judged.end_ns, judged.span_id))
            FILTER (judged.is_stuck) / 1e9 AS waited_s,
        arg_min(judged.silent_ns, (judged.end_ns, judged.span_id))
            FILTER (judged.is_stuck) / 1e9 AS silent_s,
        arg_min(judged.correlation_id, (judged.end_ns, judged.span_id))
            FILTER (judged.is_stuck) AS instance,
        list(span.reference ORDER BY judged.end_ns, judged.span_id)
            FILTER (judged.is_stuck)[:$shown] AS evidence
    FROM judged
    JOIN span_reference AS span USING (span_no)
    GROUP BY judged.workflow
    HAVING bool_or(judged.has_cut OR NOT judged.is_gone_on)
    ORDER BY judged.workflow
"""

CHECK = Check(
    id="TIM-04",
    title="After a timeout the job retries or fails",
    severity=Severity.CRITICAL,
    task=3,
    serves=("TEST-RR-T01",),
    judge=judge,
    judges_absence=True,
    remedy="Catch the timeout, try again or record the job as failed, and record which.",
)
