"""Log records that do not say how bad it is.

What: Every log record has a severity number between 1 and 24. A severity text alone is not enough,
nor is the INFO that viewers show where none was sent.

Why: Whether a failure left a signal is read off the severity: without it an error counts as none.

Fix: Send logs through the language's OpenTelemetry bridge, which sets the number, or map the text
in the collector (`severity_parser`).

Source: Instrumentation Score LOG-002; OpenTelemetry specification, logs/data-model.md.
"""

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Reference, Severity, Unit
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted


def judge(evidence: Evidence) -> Judgement:
    """One unit a service: its log records."""
    rows = evidence.rows(
        """
        WITH judged AS (
            SELECT *, severity_number NOT BETWEEN 1 AND 24 AS is_missing
            FROM log_record
        )
        SELECT
            service,
            count(*) AS logs,
            count(*) FILTER (is_missing) AS missing,
            list(DISTINCT severity_text ORDER BY severity_text)
                FILTER (is_missing AND severity_text <> '')[:$shown] AS texts,
            list(log_no ORDER BY log_no) FILTER (is_missing)[:$shown] AS shown
        FROM judged
        GROUP BY service
        ORDER BY service
        """,
        {"shown": SHOWN},
    )
    return Judgement(
        tuple(
            Unit(
                row["service"] or "(no service name)",
                row["logs"],
                (_finding(row),) if row["missing"] else (),
            )
            for row in rows
        )
    )


def _finding(row: Row) -> Finding:
    texts = f", only the text {', '.join(row['texts'])}" if row["texts"] else ""
    return Finding(
        f"{row['missing']} of {counted(row['logs'], 'log record')} of"
        f" {row['service'] or 'a nameless service'} came without a severity number{texts}.",
        subject=row["service"],
        evidence=tuple(Reference(log=log_no) for log_no in row["shown"]),
    )


CHECK = Check(
    id="OBS-15",
    title="Every log record has a severity",
    severity=Severity.INFO,
    task=10,
    serves=(),
    judge=judge,
    remedy="Send a severity number from 1 to 24 with every log record.",
)
