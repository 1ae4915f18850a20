"""Spans that no reader can trust: without a name, without times, or with another span's id.

What: Every span has a name, a start and an end that is not before it, and an id of its own. Copies
that retries deliver again are dropped on arrival and are no fault; nor are a client and a server
half with one id (B3), or one span sent through two pipelines.

Why: Every other check builds on names, times and ids. A span that ends before it starts has no
duration, and two spans with one id have no telling whose children are whose.

Fix: Names: set them in the instrumentation, not from what may be empty. Times: end every span, with
the clock that started it. Ids: do not copy span contexts between processes by hand; send 16 and 8
bytes that are not all zero.

Source: OTLP (opentelemetry-proto, trace.proto: name, trace_id, span_id, start and end time);
Jaeger's trace quality metrics (unique span ids).
"""

from tracejury.checks.check import (
    SHOWN,
    Check,
    Finding,
    Judgement,
    Reference,
    Severity,
    Unit,
    references,
)
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted, either

_HOW = {
    "name": "without a name",
    "start": "without a start time",
    "end": "without an end time",
    "order": "with an end before the start",
}


def judge(evidence: Evidence) -> Judgement:
    """One unit a service: its spans. What was refused on arrival is a unit of its own."""
    services = evidence.rows("""
        SELECT span.service, count(*) AS spans
        FROM span
        GROUP BY span.service
        ORDER BY span.service
    """)
    broken = [*_broken(evidence), *_shared_ids(evidence)]
    units = [
        Unit(
            row["service"] or "(no service name)",
            row["spans"],
            tuple(finding for finding in broken if finding.subject == row["service"]),
        )
        for row in services
    ]
    return Judgement((*units, *_refused(evidence)))


def _broken(evidence: Evidence) -> list[Finding]:
    rows = evidence.rows(
        """
        WITH judged AS (
            SELECT
                *,
                CASE
                    WHEN name = '' THEN 'name'
                    WHEN start_ns = 0 THEN 'start'
                    WHEN end_ns = 0 THEN 'end'
                    WHEN end_ns < start_ns THEN 'order'
                END AS how
            FROM span
        )
        SELECT
            service, name, how, count(*) AS spans,
            list({'trace_id': trace_id, 'span_id': span_id} ORDER BY span_no)[:$shown] AS evidence
        FROM judged
        WHERE how IS NOT NULL
        GROUP BY service, name, how
        ORDER BY service, how, name
        """,
        {"shown": SHOWN},
    )
    return [
        Finding(
            message=f"{_spans(row)} of {row['service'] or 'a nameless service'} came"
            f" {_HOW[row['how']]}.",
            subject=row["service"],
            evidence=references(row["evidence"]),
        )
        for row in rows
    ]


def _spans(row: Row) -> str:
    name = f" `{row['name']}`" if row["name"] else ""
    return f"{counted(row['spans'], 'span')}{name}"


def _shared_ids(evidence: Evidence) -> list[Finding]:
    rows = evidence.rows("""
        WITH twin AS (
            SELECT span.*
            FROM span
            JOIN node USING (span_no)
            SEMI JOIN (
                SELECT trace_no, span_id FROM span_of_id WHERE copies > 1
            ) AS shared ON shared.trace_no = node.trace_no AND shared.span_id = node.span_id
        ),
        -- A second pipeline may change resource and scope, and add attributes; nothing else.
        half AS (
            SELECT
                trace_id, span_id, kind,
                count(DISTINCT (parent_span_id, name, start_ns, end_ns, status)) AS contents
            FROM twin
            GROUP BY trace_id, span_id, kind
        ),
        contradiction AS (
            SELECT DISTINCT span.trace_id, span.span_id
            FROM twin AS span
            JOIN span_attribute AS attribute USING (span_no)
            GROUP BY span.trace_id, span.span_id, span.kind, attribute.key
            HAVING count(DISTINCT (attribute.type, attribute.value)) > 1
        ),
        unexplained AS (
            SELECT trace_id, span_id
            FROM half
            LEFT JOIN contradiction USING (trace_id, span_id)
            GROUP BY trace_id, span_id
            HAVING list(kind ORDER BY kind) NOT IN (['CLIENT', 'SERVER'])
                AND count(*) > 1
                OR max(contents) > 1
                OR bool_or(contradiction.span_id IS NOT NULL)
        )
        SELECT
            trace_id, span_id,
            arg_min(service, (start_ns, service)) AS service,
            count(*) AS spans,
            list('`' || name || '` of ' || service ORDER BY start_ns, service, name) AS names
        FROM twin
        JOIN unexplained USING (trace_id, span_id)
        GROUP BY trace_id, span_id
        ORDER BY trace_id, span_id
    """)
    return [
        Finding(
            message=f"{row['spans']} different spans share one id:"
            f" {', '.join(row['names'][:SHOWN])}.",
            subject=row["service"],
            evidence=(Reference(row["trace_id"], row["span_id"]),),
        )
        for row in rows
    ]


def _refused(evidence: Evidence) -> list[Unit]:
    rows = evidence.rows("""
        SELECT delivery.source, sum(delivery.received)::BIGINT AS received,
            sum(delivery.rejected)::BIGINT AS refused
        FROM stored.delivery AS delivery
        WHERE delivery.signal = 'traces'
        GROUP BY delivery.source
        HAVING refused > 0
        ORDER BY delivery.source
    """)
    return [
        Unit(
            f"arrivals by {row['source']}",
            row["received"],
            (
                Finding(
                    f"{row['refused']} of {counted(row['received'], 'span')}"
                    f" {either(row['refused'], 'was', 'were')} refused on arrival:"
                    f" {either(row['refused'], 'its', 'their')} ids are of the wrong length or all"
                    " zero.",
                    subject=row["source"],
                ),
            ),
        )
        for row in rows
    ]


CHECK = Check(
    id="ING-01",
    title="Records are valid",
    severity=Severity.INFO,
    task=10,
    serves=("TEST-RR-O02",),
    judge=judge,
    is_gate=True,
    remedy="Name every span, end it with the clock that started it, and give it an id of its own.",
)
