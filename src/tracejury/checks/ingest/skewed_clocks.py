"""Hosts whose clocks disagree.

What: Between any two hosts, a span that was called starts and ends within the call, give or take
`skew_seconds`. It fails where spans start before the span that called them by more than that, or
that much after their caller had the answer. Browsers keep their own time and are left out, as are
hosts that a fault paused or restarted.

Why: Waits, overlaps and the order of events across hosts are read off two clocks. Where these
disagree, queue waits turn negative and causes come after their effects.

Fix: Run chrony or NTP on every host; containers share the clock of their machine. Say which machine
it is with `host.id` or `k8s.node.name`, so that its containers are known to share a clock.

Source: Jaeger's clock skew adjuster (clockskew.go), which corrects what is only reported here.
"""

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted


def judge(evidence: Evidence) -> Judgement:
    """One unit a pair of hosts; an exposure is a call whose two halves can be compared."""
    rows = evidence.rows(
        """
        WITH browser AS (
            SELECT resource_id
            FROM resource_attribute
            WHERE key LIKE 'browser.%' OR (key = 'telemetry.sdk.language' AND value = 'webjs')
        ),
        apart AS (
            SELECT
                parent.host AS parent_host,
                child.host AS child_host,
                child.span_no,
                -- How far it lies outside of its call: before it, or behind the answer it gave.
                greatest(
                    parent.start_ns - child.start_ns,
                    CASE
                        WHEN parent.kind = 'CLIENT' AND child.kind = 'SERVER'
                            AND error.span_no IS NULL
                        THEN child.start_ns - parent.end_ns
                    END
                ) AS outside_ns,
                child.start_ns > parent.end_ns AS is_late,
                child.end_ns <= parent.end_ns + $bound_ns AS inside,
                EXISTS (
                    SELECT 1
                    FROM fault
                    WHERE fault.kind IN ('hang', 'kill', 'restart')
                        AND child.start_ns BETWEEN fault.start_ns - $bound_ns
                            AND fault.end_ns + $bound_ns
                ) AS paused
            FROM node AS child
            JOIN node AS parent ON parent.span_no = child.parent_no
            LEFT JOIN span_error AS error ON error.span_no = parent.span_no
            JOIN stored.span AS child_span ON child_span.span_no = child.span_no
            JOIN stored.span AS parent_span ON parent_span.span_no = parent.span_no
            WHERE child.host <> parent.host
                AND child.start_ns IS NOT NULL
                AND parent.start_ns IS NOT NULL
                AND child_span.resource_id NOT IN (SELECT browser.resource_id FROM browser)
                AND parent_span.resource_id NOT IN (SELECT browser.resource_id FROM browser)
        )
        SELECT
            parent_host, child_host,
            count(*) FILTER (outside_ns > $bound_ns AND NOT paused) AS outside,
            bool_and(is_late) FILTER (outside_ns > $bound_ns AND NOT paused) AS is_late,
            count(*) FILTER (outside_ns > $bound_ns AND paused) AS excused,
            count(*) FILTER (outside_ns <= $bound_ns AND inside) AS comparable,
            max(outside_ns) FILTER (NOT paused) / 1e9 AS worst_seconds,
            list(span_no ORDER BY outside_ns DESC)
                FILTER (outside_ns > $bound_ns AND NOT paused)[:$shown] AS spans
        FROM apart
        GROUP BY parent_host, child_host
        ORDER BY parent_host, child_host
        """,
        {"bound_ns": int(evidence.policy.skew_seconds * 1e9), "shown": SHOWN},
    )
    excused = sum(row["excused"] for row in rows)
    return Judgement(
        tuple(
            Unit(
                f"{row['parent_host']} → {row['child_host']}",
                row["comparable"] + row["outside"],
                _finding(evidence, row) if row["outside"] else (),
            )
            for row in rows
        ),
        note=f"Beside: {counted(excused, 'early start')} while a fault paused or restarted a host."
        if excused
        else "",
    )


def _finding(evidence: Evidence, row: Row) -> tuple[Finding, ...]:
    spans = evidence.rows(
        """
        SELECT trace_id, span_id
        FROM span
        WHERE list_contains($spans, span_no)
        ORDER BY span_no
        """,
        {"spans": row["spans"]},
    )
    pair = f"{row['parent_host']} → {row['child_host']}"
    when = "after the answer to" if row["is_late"] else "before"
    return (
        Finding(
            f"{counted(row['outside'], 'span')} on {row['child_host']} started {when} the call"
            f" from {row['parent_host']}, by up to {row['worst_seconds']:.4g} s.",
            subject=pair,
            evidence=references(spans),
        ),
    )


CHECK = Check(
    id="ING-05",
    title="Clocks are sane",
    severity=Severity.INFO,
    task=10,
    serves=("pattern-18",),
    judge=judge,
    is_gate=True,
    remedy="Run chrony or NTP on every host, and name the machine with host.id.",
)
