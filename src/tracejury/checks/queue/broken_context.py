"""Messages whose processing does not know who sent them.

What: Of the spans that process messages of a destination (and type), at least 95 % name the span
that sent theirs, as a parent or by a link. Judged are destinations whose senders are traced, too;
a message that came from elsewhere is a root of its own.

Why: The queue is where most traces break in two: what the customer asked for, and what was done.

Fix: Put the trace context into the message's headers where it is sent, and read it where it is
processed; give shovels and dead letter queues a configuration that keeps headers.

Source: semantic conventions for messaging spans (trace structure); the audit's end-to-end test.
"""

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either


def judge(evidence: Evidence) -> Judgement:
    """One unit a destination and message type that is both sent to and processed from."""
    share = evidence.policy.correlated_records_share
    rows = evidence.rows(
        """
        WITH sent AS (
            SELECT DISTINCT field.destination, coalesce(field.message_type, '') AS message_type
            FROM node
            JOIN span_field AS field USING (span_no)
            WHERE node.kind IN ('PRODUCER', 'CLIENT') AND field.destination IS NOT NULL
        )
        SELECT
            delivery.destination,
            delivery.message_type,
            count(*) AS processed,
            count(*) FILTER (NOT delivery.has_context) AS lost,
            list(span.reference ORDER BY span.span_no)
                FILTER (NOT delivery.has_context)[:$shown] AS evidence
        FROM delivery
        JOIN sent USING (destination, message_type)
        JOIN span_reference AS span USING (span_no)
        GROUP BY delivery.destination, delivery.message_type
        ORDER BY delivery.destination, delivery.message_type
        """,
        {"shown": SHOWN},
    )
    return Judgement(
        tuple(Unit(_name(row), row["processed"], _findings(row, share)) for row in rows)
    )


def _name(row: Row) -> str:
    return f"{row['destination']} {row['message_type']}".strip()


def _findings(row: Row, share: float) -> tuple[Finding, ...]:
    if row["lost"] <= (1 - share) * row["processed"]:
        return ()
    return (
        Finding(
            f"{row['lost']} of {counted(row['processed'], 'message')} from `{_name(row)}`"
            f" {either(row['lost'], 'was', 'were')} processed without knowing who sent"
            f" {either(row['lost'], 'it', 'them')}.",
            subject=_name(row),
            evidence=references(row["evidence"]),
        ),
    )


CHECK = Check(
    id="Q-09",
    title="Trace context survives the queue",
    severity=Severity.CRITICAL,
    task=8,
    serves=("TEST-RR-O02", "CRITICAL-7"),
    judge=judge,
    remedy="Carry the trace context in the message's headers, and read it where it is processed.",
)
