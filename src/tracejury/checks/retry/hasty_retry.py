"""Attempts that follow each other without a pause.

What: Of three attempts or more at one thing the pauses grow, or each is at least a second. It fails
where three pauses or more are shorter than 100 ms. Two attempts show no pattern, and neither do
those between which others may lie that tell less of what they were for.

Why: Whoever is overloaded gets the same call again at once, from everybody at the same time; the
retry then keeps the outage alive that it should outlast.

Fix: Back off exponentially with jitter, and honour `Retry-After`.

Source: the audit's mitigation of pattern 6; common practice of exponential backoff.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted

_SHORT_NS: Final = 100e6
_LONG_NS: Final = 1e9

# Jitter may make a pause a little shorter than the one before.
_JITTER: Final = 0.5


def judge(evidence: Evidence) -> Judgement:
    """One unit a service and step that made three attempts or more at one thing."""
    bounds = {"short_ns": _SHORT_NS, "long_ns": _LONG_NS, "jitter": _JITTER}
    rows = evidence.rows(_PAUSES, {**bounds, "shown": SHOWN})
    return Judgement(
        tuple(Unit(_name(row), row["patient"] + row["hasty"], _findings(row)) for row in rows),
        reason="no-item-identity" if any(row["unclear"] for row in rows) else "",
    )


def _name(row: Row) -> str:
    return f"{row['service']} {row['name']}"


def _findings(row: Row) -> tuple[Finding, ...]:
    if not row["hasty"]:
        return ()
    return (
        Finding(
            f"`{row['name']}` of {row['service']} was tried again"
            f" {counted(row['pauses'], 'time')} within {row['longest_ms']:.0f} ms each,"
            f" {counted(row['hasty'], 'time')} over.",
            subject=_name(row),
            evidence=references(row["evidence"]),
        ),
    )


_PAUSES: Final = """
    WITH pause AS (
        SELECT
            attempt.how,
            attempt.group_no,
            attempt.number,
            attempt.unclear,
            node.service,
            node.name,
            node.start_ns - lag(coalesce(node.end_ns, node.start_ns)) OVER attempts AS pause_ns
        FROM attempt_of AS attempt
        JOIN node USING (span_no)
        WHERE attempt.attempts >= 3
        WINDOW attempts AS (PARTITION BY attempt.how, attempt.group_no ORDER BY attempt.number)
    ),
    compared AS (
        SELECT
            *,
            pause_ns >= $jitter * lag(pause_ns) OVER (
                PARTITION BY how, group_no
                ORDER BY number
            ) AS has_grown
        FROM pause
    ),
    grouped AS (
        SELECT
            how,
            group_no,
            min(service) AS service,
            min(name) AS name,
            count(pause_ns) AS pauses,
            max(pause_ns) AS longest_ns,
            min(pause_ns) >= $long_ns
                OR (bool_and(coalesce(has_grown, true))
                    AND arg_max(pause_ns, number) > arg_min(pause_ns, number)) AS is_patient,
            count(*) FILTER (pause_ns < $short_ns) >= 3 AS is_hasty,
            bool_or(unclear) AS is_unclear
        FROM compared
        GROUP BY how, group_no
    )
    SELECT
        grouped.service,
        grouped.name,
        count(*) FILTER (grouped.is_patient AND NOT grouped.is_hasty AND NOT grouped.is_unclear)
            AS patient,
        count(*) FILTER (grouped.is_patient AND NOT grouped.is_hasty AND grouped.is_unclear)
            AS unclear,
        count(*) FILTER (grouped.is_hasty) AS hasty,
        max(grouped.pauses) FILTER (grouped.is_hasty) AS pauses,
        max(grouped.longest_ns) FILTER (grouped.is_hasty) / 1e6 AS longest_ms,
        list(span.reference ORDER BY span.span_no) FILTER (grouped.is_hasty)[:$shown] AS evidence
    FROM grouped
    JOIN span_reference AS span ON span.span_no = grouped.group_no
    WHERE grouped.is_patient OR grouped.is_hasty
    GROUP BY grouped.service, grouped.name
    ORDER BY grouped.service, grouped.name
"""

CHECK = Check(
    id="RET-03",
    title="Attempts back off",
    severity=Severity.MEDIUM,
    task=5,
    serves=(),
    judge=judge,
    remedy="Back off exponentially with jitter between attempts.",
)
