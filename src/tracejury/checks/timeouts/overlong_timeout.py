"""Timeouts so long that they guard nothing.

What: A call that was given up was given up within the bound of its kind: 30 s for an answer over
HTTP, RPC or from a model, 30 s for a database statement, 120 s for an object, 5 s for a connection.
The bounds are policy. Spans of databases and RPC cover all attempts of one call, so a longer one of
them decides nothing.

Why: A timeout of ten minutes frees a worker ten minutes too late; by then all of them wait.

Fix: Set the timeout to what the slowest good answer takes, with some room, and declare what is
heavy on purpose in [policy].

Source: the audit's timeout table; semantic conventions for database and RPC client spans (a span
covers the logical call with its retries).
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either

# The clock that ended a call ticks before the span ends.
_ROOM: Final = 1.02


def judge(evidence: Evidence) -> Judgement:
    """One unit a service and target that gave up at least one call."""
    rows = evidence.rows(
        _CUT_OFFS,
        {"connect_ns": evidence.policy.connect_seconds * 1e9, "room": _ROOM, "shown": SHOWN},
    )
    return Judgement(
        tuple(
            Unit(f"{row['service']} → {row['target']}", row["decided"], _findings(row))
            for row in rows
        )
    )


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["overlong"]:
        return ()
    return (
        Finding(
            f"{counted(row['overlong'], 'call')} of {row['service']} to {row['target']}"
            f" {either(row['overlong'], 'was', 'were')} given up after {row['longest_s']:.1f} s;"
            f" the bound is {row['bound_s']:g} s.",
            subject=f"{row['service']} → {row['target']}",
            evidence=references(row["evidence"]),
        ),
    )


_CUT_OFFS: Final = """
    WITH bounded AS (
        SELECT
            cut.*,
            call.trace_id,
            call.span_id,
            CASE
                WHEN cut.waited_for IN ('connection', 'pool') THEN $connect_ns
                WHEN cut.waited_for = 'answer' THEN waiting.bound_ns
            END AS bound_ns,
            cut.protocol IN ('db', 'rpc') AS covers_attempts
        FROM cut_off AS cut
        JOIN waiting_call AS waiting USING (span_no)
        JOIN external_call AS call USING (span_no)
    ),
    judged AS (
        SELECT
            *,
            duration_ns > bound_ns * $room AND NOT covers_attempts AS is_overlong,
            bound_ns IS NOT NULL AND NOT (duration_ns > bound_ns * $room AND covers_attempts)
                AS is_decided
        FROM bounded
    )
    SELECT
        service,
        target,
        count(*) FILTER (is_decided) AS decided,
        count(*) FILTER (is_overlong) AS overlong,
        max(duration_ns) FILTER (is_overlong) / 1e9 AS longest_s,
        min(bound_ns) FILTER (is_overlong) / 1e9 AS bound_s,
        list({'trace_id': trace_id, 'span_id': span_id} ORDER BY span_no)
            FILTER (is_overlong)[:$shown] AS evidence
    FROM judged
    GROUP BY service, target
    ORDER BY service, target
"""

CHECK = Check(
    id="TIM-02",
    title="Timeouts suit what they guard",
    severity=Severity.HIGH,
    task=3,
    serves=("TEST-RR-T01",),
    judge=judge,
    remedy="Bring the timeout down to the bound of its kind, or declare a longer one in [policy].",
)
