"""Faults that leave no trace of themselves.

What: Each fault of the fault file that hit something shows: within a minute of its start (or within
the time that a call may take, if that is longer) a span of its target or of a direct caller failed,
an attempt that was repeated for one, or one of them wrote a log record of severity WARN or above.
It fails where the target was called or killed and nothing of that kind came. A delay that every
call came through, more load than usual, and what a tester does to a job are no failures by
themselves. What a caller suffered from somebody else, what came once the next fault had begun and
was no call of this one's, and what comes without a fault as well, whatever ids and numbers it names
and however much more often it comes, shows nothing and proves no silence; what began with the fault
and went on after it does show it.

Why: What leaves no signal is found by customers, and never explained.

Fix: Record exceptions and set the status of spans where calls fail, also where a fallback or a
retry hides it, and log what was given up.

Source: the audit's tests of the time to diagnose and of states after failures.
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

_LEAST_S: Final = 60.0

# Words that name one thing among many: with a digit in them, or an address of mail.
_NAMED: Final = r"[\w.-]*\d[\w.-]*|[\w.+-]+@[\w.-]+"


def judge(evidence: Evidence) -> Judgement:
    """One unit a fault."""
    within_s = max(_LEAST_S, evidence.policy.call_seconds)
    rows = evidence.rows(_SHOWED, {"shown": SHOWN, "within_ns": within_s * 1e9, "named": _NAMED})
    return Judgement(
        tuple(
            Unit(row["id"], int(bool(row["signals"] or _is_silent(row))), _findings(row))
            for row in rows
        ),
        note=" ".join(filter(None, map(_note, rows))),
        reason=_reason(rows),
        short_s=longest_short_s(filter(_is_silent, rows)),
    )


def _is_silent(row: Row) -> bool:
    return bool(row["hits"] and not row["signals"] and not row["doubtful"])


def _findings(row: Row) -> tuple[Finding, ...]:
    if not _is_silent(row) or not row["is_over"]:
        return ()
    return (
        Finding(
            f"`{row['id']}` hit `{row['target']}` {counted(row['hits'], 'time')}, and no span of"
            " it or its callers failed, and none of them logged a warning.",
            subject=row["id"],
            fault=row["id"],
            evidence=references(row["evidence"]),
        ),
    )


def _note(row: Row) -> str:
    if row["signals"]:
        return f"`{row['id']}` showed after {row['after_s']:.1f} s, in {row['first']}."
    if row["doubtful"]:
        return f"What failed or was said during `{row['id']}` comes without it, too."
    return ""


def _reason(rows: list[Row]) -> str:
    return "unsettled" if any(_is_silent(row) and not row["is_over"] for row in rows) else ""


_SHOWED: Final = """
    WITH lasting AS (
        SELECT
            fault.id, fault.kind, fault.target, fault.start_ns, fault.end_ns,
            (fault.start_ns + $within_ns)::BIGINT AS until_ns,
            (
                SELECT min(following.start_ns)
                FROM fault AS following
                WHERE following.start_ns > fault.end_ns
            ) AS next_ns
        FROM fault
        JOIN run_time ON fault.start_ns <= run_time.until_ns AND fault.end_ns >= run_time.from_ns
        WHERE fault.target <> ''
    ),
    -- The target itself, and who is known to call it.
    witness AS (
        SELECT lasting.id, node.service
        FROM lasting
        JOIN (SELECT DISTINCT service FROM node) AS node
            ON lower(node.service) = lower(lasting.target)
        UNION
        -- It may send log records and no spans.
        SELECT lasting.id, resource.service
        FROM lasting
        JOIN resource ON lower(resource.service) = lower(lasting.target)
        UNION
        SELECT lasting.id, call.service
        FROM lasting
        JOIN (SELECT DISTINCT service, target FROM external_call) AS call
            ON lower(call.target) = lower(lasting.target)
        UNION
        SELECT fault_call.fault_id, node.service
        FROM fault_call
        JOIN node USING (span_no)
    ),
    broken AS (
        SELECT
            node.span_no, node.trace_no, node.service, node.start_ns,
            coalesce(node.end_ns, node.start_ns) AS time_ns,
            node.service || ' ' || node.name AS first,
            concat_ws(
                chr(31), node.service, regexp_replace(node.name, $named, '#', 'g'), error.error_type
            ) AS what,
            call.target
        FROM span_error AS error
        JOIN node USING (span_no)
        LEFT JOIN external_call AS call USING (span_no)
    ),
    -- A caller fails for many reasons; where it failed to reach somebody else is known.
    elsewhere AS (
        SELECT lasting.id, broken.trace_no, broken.service
        FROM lasting
        JOIN broken ON broken.start_ns BETWEEN lasting.start_ns AND lasting.end_ns
        LEFT JOIN fault_call AS struck
            ON struck.fault_id = lasting.id AND struck.span_no = broken.span_no
        WHERE broken.target <> '?'
        GROUP BY lasting.id, broken.trace_no, broken.service
        HAVING bool_and(struck.span_no IS NULL AND lower(broken.target) <> lower(lasting.target))
    ),
    failed AS (
        SELECT
            lasting.id, broken.time_ns, broken.first, broken.what,
            struck.span_no IS NOT NULL AS is_struck,
            lower(broken.service) <> lower(lasting.target)
                AND elsewhere.id IS NOT NULL AS is_elsewhere
        FROM lasting
        JOIN broken
            ON broken.time_ns BETWEEN lasting.start_ns AND lasting.until_ns
        LEFT JOIN fault_call AS struck
            ON struck.fault_id = lasting.id AND struck.span_no = broken.span_no
        LEFT JOIN elsewhere
            ON elsewhere.id = lasting.id
            AND elsewhere.trace_no = broken.trace_no
            AND elsewhere.service = broken.service
        WHERE broken.service IN (
            SELECT witness.service FROM witness WHERE witness.id = lasting.id
        )
    ),
    said AS (
        SELECT
            greatest(log.time_ns, CASE WHEN log.time_ns = 0 THEN log.observed_ns END)::BIGINT
                AS time_ns,
            resource.service,
            concat_ws(
                chr(31), resource.service, regexp_replace(left(log.body, 200), $named, '#', 'g')
            ) AS what
        FROM stored.log_record AS log
        JOIN resource USING (resource_id)
        WHERE log.severity_number >= 13
            AND greatest(log.time_ns, log.observed_ns) <= 9223372036854775807
    ),
    warned AS (
        SELECT
            lasting.id, said.time_ns, 'a log record of ' || said.service AS first, said.what,
            false AS is_struck, false AS is_elsewhere
        FROM lasting
        JOIN said ON said.time_ns BETWEEN lasting.start_ns AND lasting.until_ns
        WHERE said.service IN (
            SELECT witness.service FROM witness WHERE witness.id = lasting.id
        )
    ),
    heard AS (
        SELECT *, time_ns - lag(time_ns) OVER (PARTITION BY what ORDER BY time_ns) AS pause_ns
        FROM (
            SELECT service, what, time_ns FROM broken
            UNION ALL
            SELECT service, what, time_ns FROM said
        )
    ),
    -- What goes on without a pause is one course of trouble, and began once.
    course AS (
        SELECT service, what, time_ns, min(time_ns) OVER (PARTITION BY what, course_no) AS began_ns
        FROM (
            SELECT
                *,
                count(*) FILTER (coalesce(pause_ns > $within_ns, true))
                    OVER (PARTITION BY what ORDER BY time_ns) AS course_no
            FROM heard
        )
    ),
    begun AS (
        SELECT service, min(first_ns) AS first_ns
        FROM instance_life
        GROUP BY service
    ),
    -- What fails or is said without a fault, too, tells of none. What began with one outlasts it,
    -- where its service was heard for a while before without that.
    usual AS (
        SELECT DISTINCT course.what
        FROM course
        LEFT JOIN begun USING (service)
        WHERE NOT EXISTS (
            SELECT 1
            FROM fault
            WHERE course.time_ns BETWEEN fault.start_ns AND fault.end_ns + $within_ns
                OR (
                    course.began_ns BETWEEN fault.start_ns AND fault.end_ns + $within_ns
                    AND begun.first_ns <= fault.start_ns - $within_ns
                )
        )
    ),
    signal AS (
        SELECT
            id,
            count(*) FILTER (is_telling) AS signals,
            count(*) FILTER (NOT is_telling) AS doubtful,
            arg_min(first, (time_ns, first)) FILTER (is_telling) AS first,
            min(time_ns) FILTER (is_telling) AS first_ns
        FROM (
            SELECT
                told.*,
                is_struck OR NOT (
                    is_elsewhere
                    -- It may be of the next fault.
                    OR coalesce(told.time_ns >= lasting.next_ns, false)
                    OR what IN (SELECT usual.what FROM usual)
                ) AS is_telling
            FROM (FROM failed UNION ALL FROM warned) AS told
            JOIN lasting USING (id)
        )
        GROUP BY id
    ),
    hit AS (
        SELECT
            struck.id,
            count(*) AS hits,
            list(span.reference ORDER BY span.start_ns, span.reference)[:$shown] AS evidence
        FROM (
            SELECT fault_call.fault_id AS id, fault_call.span_no
            FROM fault_call
            JOIN lasting ON lasting.id = fault_call.fault_id
            WHERE lasting.kind IN ('', 'error', 'hang', 'partition', 'storage', 'restart', 'kill')
            UNION
            -- What a killed process had begun is known by what is left of it.
            SELECT lasting.id, orphan.span_no
            FROM lasting
            JOIN ghost ON ghost.cause = 'killed'
                AND lower(ghost.service) = lower(lasting.target)
                AND ghost.last_ns >= lasting.start_ns - 60000000000
                AND ghost.first_ns <= lasting.end_ns
            JOIN orphan
                ON orphan.trace_no = ghost.trace_no AND orphan.missing_parent = ghost.span_id
            WHERE lasting.kind IN ('restart', 'kill')
        ) AS struck
        JOIN span_reference AS span USING (span_no)
        GROUP BY struck.id
    )
    SELECT
        lasting.id,
        lasting.target,
        coalesce(signal.signals, 0) AS signals,
        coalesce(signal.doubtful, 0) AS doubtful,
        signal.first,
        (signal.first_ns - lasting.start_ns) / 1e9 AS after_s,
        coalesce(hit.hits, 0) AS hits,
        hit.evidence,
        coalesce(
            (SELECT max(last_ns) FROM instance_life) >= lasting.until_ns, false
        ) AS is_over,
        lasting.until_ns - (SELECT max(last_ns) FROM instance_life) AS short_ns
    FROM lasting
    LEFT JOIN signal USING (id)
    LEFT JOIN hit USING (id)
    ORDER BY lasting.id
"""

CHECK = Check(
    id="OBS-11",
    title="Every failure leaves a signal",
    severity=Severity.HIGH,
    task=10,
    serves=("TEST-RR-O01", "TEST-RR-S01"),
    judge=judge,
    judges_absence=True,
    remedy="Record exceptions and log what was given up, also where a retry or fallback hides it.",
)
