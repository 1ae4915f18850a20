"""What is drawn of a run: who calls whom in each workflow, and a trace that shows the worst."""

from typing import Final

from tracejury.checks.check import Severity
from tracejury.scorecard.result import CallEdge, CheckResult, Waterfall, WaterfallSpan
from tracejury.store.reader import Reader, Row

SPANS_DRAWN: Final = 60

_SEVERITIES: Final = tuple(Severity)


def call_edges(reader: Reader) -> tuple[CallEdge, ...]:
    """Every pair of caller and callee of a workflow, messages among them."""
    rows = reader.rows("""
        SELECT
            instance.workflow,
            call.service,
            call.target,
            bool_and(call.is_external) AS is_external,
            bool_or(call.kind = 'PRODUCER') AS is_message,
            count(*) AS calls,
            count(*) FILTER (call.failed) AS failed
        FROM external_call AS call
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE NOT instance.background
        GROUP BY instance.workflow, call.service, call.target
        ORDER BY instance.workflow, call.service, call.target
    """)
    return tuple(CallEdge(**row) for row in rows)


def worst_evidence(reader: Reader, checks: tuple[CheckResult, ...]) -> Waterfall | None:
    """The first trace that the most severe finding names; None where none names any."""
    failed = sorted(
        (check for check in checks if check.outcome == "fail"),
        key=lambda check: _SEVERITIES.index(check.severity),
    )
    for check in failed:
        for finding in check.findings:
            cited = [r for r in finding.evidence if r.trace_id and r.span_id]
            if not cited:
                continue
            trace_id = cited[0].trace_id
            ids = [r.span_id for r in cited if r.trace_id == trace_id]
            if rows := reader.rows(_SPANS, {"trace_id": trace_id, "cited": ids, "n": SPANS_DRAWN}):
                return Waterfall(
                    check=check.id,
                    message=finding.message,
                    trace_id=trace_id,
                    total=rows[0]["total"],
                    spans=tuple(map(_span, _in_order(rows))),
                )
    return None


def _span(row: Row) -> WaterfallSpan:
    return WaterfallSpan(
        service=row["service"],
        name=row["name"],
        kind=row["kind"],
        depth=row["depth"],
        start_ms=row["start_ms"],
        duration_ms=row["duration_ms"],
        is_error=row["is_error"],
        is_cited=row["is_cited"],
    )


def _in_order(rows: list[Row]) -> list[Row]:
    """From the top down, what began earlier first; what lost its parent stands at the top."""
    shown = {row["span_no"] for row in rows}
    below: dict[int | None, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row["start_ms"], row["span_no"])):
        parent = row["parent_no"] if row["parent_no"] in shown else None
        below.setdefault(parent, []).append(row)
    ordered, waiting = [], list(reversed(below.get(None, [])))
    while waiting:
        row = waiting.pop()
        ordered.append(row)
        waiting.extend(reversed(below.get(row["span_no"], [])))
    return ordered


_SPANS: Final = """
    WITH one AS (
        SELECT
            node.span_no,
            forest.parent_no,
            forest.depth,
            node.service,
            node.name,
            node.kind,
            node.start_ns,
            node.duration_ns,
            error.span_no IS NOT NULL AS is_error,
            list_contains($cited, format('{:016x}', node.span_id)) AS is_cited
        FROM node
        JOIN trace USING (trace_no)
        JOIN forest USING (span_no)
        LEFT JOIN span_error AS error ON error.span_no = node.span_no AND NOT error.by_log
        WHERE trace.trace_id = unhex($trace_id) AND node.start_ns IS NOT NULL
    )
    SELECT
        span_no,
        parent_no,
        depth,
        service,
        name,
        kind,
        (start_ns - min(start_ns) OVER ()) / 1e6 AS start_ms,
        duration_ns / 1e6 AS duration_ms,
        is_error,
        is_cited,
        count(*) OVER () AS total
    FROM one
    ORDER BY is_cited DESC, duration_ns DESC NULLS LAST, start_ns, span_no
    LIMIT $n
"""
