"""Spans whose parent never arrived.

What: Every span that names a parent finds it in its own trace. Spans that came in from outside
(nobody in the run could have made the call) are roots, and spans that a recognised crash took away
are explained; both are shown beside.

Why: An orphan is a broken chain. What called it, and what was going on around it, is not recorded,
so a failure below it cannot be followed to its cause.

Fix: Local orphans (the same process lost the parent): end every span, also when the work raises,
and flush the exporter before the process ends. Remote orphans: instrument the caller, and pass
`traceparent` on through every proxy and queue.

Source: OTLP span flags, bits 8 and 9 (opentelemetry-proto, trace.proto); Instrumentation Score
SPA-002.
"""

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Severity, Unit, references
from tracejury.checks.evidence import Evidence
from tracejury.telemetry.numbers import counted, either

_NAMELESS = "(no service name)"


def judge(evidence: Evidence) -> Judgement:
    """One unit a service: its spans that name a parent, and those that do not find it."""
    units = tuple(
        Unit(row["service"] or _NAMELESS, row["named"], _findings(evidence, row["service"]))
        for row in evidence.rows("""
            SELECT node.service, count(*) AS named
            FROM node
            JOIN trace_instance USING (trace_no)
            JOIN workflow_instance AS instance USING (instance_no)
            WHERE NOT instance.background
                AND (node.parent_no IS NOT NULL OR node.missing_parent IS NOT NULL)
            GROUP BY node.service
            ORDER BY node.service
        """)
    )
    beside = evidence.rows("""
        SELECT
            count(*) FILTER (orphan.external_entry) AS external,
            count(*) FILTER (ghost.cause = 'killed') AS killed
        FROM orphan
        LEFT JOIN ghost
            ON ghost.trace_no = orphan.trace_no AND ghost.span_id = orphan.missing_parent
    """)[0]
    return Judgement(
        units,
        note=f"Beside: {counted(beside['external'], 'external entry', 'external entries')},"
        f" {counted(beside['killed'], 'orphan')} of a crash.",
    )


def _findings(evidence: Evidence, service: str) -> tuple[Finding, ...]:
    rows = evidence.rows(
        """
        SELECT
            node.name,
            orphan.side,
            instance.correlation_id,
            count(*) AS spans,
            list(
                {
                    'trace_id': lower(hex(trace.trace_id)),
                    'span_id': format('{:016x}', node.span_id)
                }
                ORDER BY node.span_no
            )[:$shown] AS evidence
        FROM orphan
        JOIN node USING (span_no)
        JOIN trace ON trace.trace_no = node.trace_no
        JOIN trace_instance ON trace_instance.trace_no = node.trace_no
        JOIN workflow_instance AS instance USING (instance_no)
        LEFT JOIN ghost
            ON ghost.trace_no = orphan.trace_no AND ghost.span_id = orphan.missing_parent
        WHERE node.service = $service
            AND NOT instance.background
            AND NOT orphan.external_entry
            AND coalesce(ghost.cause, '') <> 'killed'
        GROUP BY ALL
        ORDER BY spans DESC, node.name, instance.correlation_id, orphan.side
        """,
        {"service": service, "shown": SHOWN},
    )
    where = {"local": "in its own process", "remote": "in another process", "unknown": "somewhere"}
    return tuple(
        Finding(
            message=f"{counted(row['spans'], 'span')} `{row['name']}` of"
            f" {service or 'a nameless service'} {either(row['spans'], 'names', 'name')} a parent"
            f" {where[row['side']]} that never arrived.",
            subject=service,
            instance=row["correlation_id"],
            evidence=references(row["evidence"]),
        )
        for row in rows
    )


CHECK = Check(
    id="OBS-03",
    title="Every span finds its parent",
    severity=Severity.HIGH,
    task=10,
    serves=("TEST-RR-O02",),
    judge=judge,
    judges_absence=True,
    remedy="End every span, flush before exit, and pass traceparent through every hop.",
)
