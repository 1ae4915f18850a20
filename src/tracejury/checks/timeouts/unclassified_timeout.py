"""Timeouts that look like any other error.

What: Every call that its caller gave up says so: the error type, the exception or a message of the
span is one of a timeout. It fails where three calls or more were left at the same age, while their
server went on, and none of them says why. A call that was called off (a closed tab, a cancelled
group of tasks) is no timeout.

Why: What is not called a timeout is counted as an error of somebody else, and the alert on timeouts
stays silent.

Fix: Let the exception of the client pass through, or set `error.type` to its class.

Source: semantic conventions, error.type; the audit's test of external call timeouts.
"""

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either


def judge(evidence: Evidence) -> Judgement:
    """One unit a service and target that gave up at least one call."""
    rows = evidence.rows(
        """
        SELECT
            cut.service,
            cut.target,
            count(*) AS cut_off,
            count(*) FILTER (NOT cut.is_classified) AS unclassified,
            coalesce(min(error.error_type) FILTER (NOT cut.is_classified), '') AS said,
            median(cut.duration_ns) FILTER (NOT cut.is_classified) / 1e9 AS after_s,
            list({'trace_id': call.trace_id, 'span_id': call.span_id} ORDER BY cut.span_no)
                FILTER (NOT cut.is_classified)[:$shown] AS evidence
        FROM cut_off AS cut
        JOIN waiting_call USING (span_no)
        JOIN external_call AS call USING (span_no)
        JOIN span_error AS error USING (span_no)
        WHERE cut.waited_for = 'answer'
        GROUP BY cut.service, cut.target
        ORDER BY cut.service, cut.target
        """,
        {"shown": SHOWN},
    )
    return Judgement(
        tuple(
            Unit(f"{row['service']} → {row['target']}", row["cut_off"], _findings(row))
            for row in rows
        )
    )


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["unclassified"]:
        return ()
    said = f"say `{row['said']}`" if row["said"] else "say nothing"
    return (
        Finding(
            f"{counted(row['unclassified'], 'call')} of {row['service']} to {row['target']}"
            f" {either(row['unclassified'], 'was', 'were')} given up after {row['after_s']:.3g} s"
            f" each, and {said} instead of a timeout.",
            subject=f"{row['service']} → {row['target']}",
            evidence=references(row["evidence"]),
        ),
    )


CHECK = Check(
    id="TIM-03",
    title="A timeout is recorded as a timeout",
    severity=Severity.HIGH,
    task=3,
    serves=("TEST-RR-T01",),
    judge=judge,
    remedy="Record the client's own timeout exception, or set error.type to its class.",
)
