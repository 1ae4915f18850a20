"""A run that is judged while its telemetry may still arrive.

What: Nothing more can come: the input was a file, the server ended, or its last record is older
than an export delay and a margin (`settle_seconds`) by the receiver's clock.

Why: Until then a span that is missing may only be late, so nothing may be concluded from absence.

Fix: Wait as long as the note says, or stop the server; then audit again. Shorter export delays
(OTEL_BSP_SCHEDULE_DELAY=200) shorten the wait.

Source: OpenTelemetry specification, trace/sdk.md (BatchSpanProcessor: scheduled delay 5 s, export
timeout 30 s).
"""

import math

from tracejury.checks.check import Check, Judgement, Severity, Unit
from tracejury.checks.evidence import Evidence


def judge(evidence: Evidence) -> Judgement:
    """One unit: what was received. It never fails, for waiting closes every window."""
    row = evidence.rows("""
        WITH arrived AS (
            SELECT received_ns FROM stored.span
            UNION ALL
            SELECT received_ns FROM stored.log_record
        )
        SELECT
            count(*) AS records,
            coalesce(max(arrived.received_ns::HUGEINT) - any_value(settled.time_ns), 0) AS late_ns
        FROM arrived
        CROSS JOIN settled_before AS settled
    """)[0]
    units = (Unit("what was received", row["records"]),) if row["records"] else ()
    if row["late_ns"] <= 0:
        return Judgement(units)
    wait = math.ceil(row["late_ns"] / 1e9)
    return Judgement(
        units,
        note=f"Spans may still arrive: audit again in {wait} s, or stop the server.",
        reason="unsettled",
    )


CHECK = Check(
    id="ING-04",
    title="The window is closed",
    severity=Severity.INFO,
    task=10,
    serves=(),
    judge=judge,
    is_gate=True,
    remedy="Wait for the last export, or stop the server, and audit again.",
)
