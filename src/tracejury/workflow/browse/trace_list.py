"""The list of traces: a filter, an order, and the first few of many."""

from dataclasses import dataclass
from typing import Final

from tracejury.store.reader import Reader
from tracejury.workflow.trace_filter import TraceFilter

_TRACES_SHOWN: Final = 2000

_ORDERS: Final = {
    "newest": "start_ns DESC NULLS LAST, trace_no DESC",
    "slowest": "duration_ns DESC NULLS LAST, trace_no",
    "errors": "errors DESC, ghosts DESC, start_ns DESC NULLS LAST, trace_no DESC",
}

ORDERS: Final = tuple(_ORDERS)


@dataclass(frozen=True, slots=True)
class TraceLine:
    """One trace of the list. `service` and `name` are of its root, else of its earliest orphan."""

    trace_no: int
    trace_id: str
    workflow: str
    correlation_key: str
    correlation_id: str
    service: str
    name: str
    has_root: bool
    spans: int
    errors: int
    ghosts: int
    start_ns: int | None
    duration_ns: int | None
    outcome: str
    is_background: bool


@dataclass(frozen=True, slots=True)
class TraceList:
    """The first traces that a filter lets through, and how many there are."""

    lines: tuple[TraceLine, ...]
    total: int
    background: int  # of the total, those that were left out because they are background


def summarise_traces(reader: Reader) -> None:
    """Summarise every trace of a rebuilt store, once, for `list_traces`."""
    summary = reader.arrow("""
        WITH spans AS (
            SELECT
                node.trace_no,
                count(*) AS spans,
                count(error.span_no) AS errors,
                min(node.start_ns) AS start_ns,
                max(coalesce(node.end_ns, node.start_ns)) - min(node.start_ns) AS duration_ns,
                bool_or(node.parent_no IS NULL AND node.missing_parent IS NULL) AS has_root,
                arg_min(
                    node.span_no,
                    (
                        node.parent_no IS NOT NULL, node.missing_parent IS NOT NULL,
                        coalesce(node.start_ns, 9223372036854775807), node.span_no
                    )
                ) AS top_no
            FROM node
            LEFT JOIN span_error AS error USING (span_no)
            GROUP BY node.trace_no
        ),
        ghosts AS (
            SELECT ghost.trace_no, count(*) AS ghosts
            FROM ghost
            GROUP BY ghost.trace_no
        )
        SELECT
            spans.trace_no,
            lower(hex(trace.trace_id)) AS trace_id,
            instance.workflow,
            instance.instance_no,
            instance.correlation_key,
            coalesce(instance.correlation_id, '') AS correlation_id,
            top.service,
            top.name,
            spans.has_root,
            spans.spans,
            spans.errors,
            coalesce(ghosts.ghosts, 0) AS ghosts,
            spans.start_ns,
            spans.duration_ns,
            instance.outcome,
            instance.background AS is_background
        FROM spans
        JOIN trace USING (trace_no)
        JOIN node AS top ON top.span_no = spans.top_no
        JOIN trace_instance USING (trace_no)
        JOIN workflow_instance AS instance ON instance.instance_no = trace_instance.instance_no
        LEFT JOIN ghosts USING (trace_no)
    """)
    reader.register("trace_summary", summary)


def list_traces(
    reader: Reader, wanted: TraceFilter, *, order: str = "newest", background: bool = False
) -> TraceList:
    """The traces that `wanted` lets through, in one of `ORDERS`; background only on demand."""
    condition, values = wanted.condition()
    counts = reader.rows(
        f"""
        SELECT count(*) AS total, count(*) FILTER (summary.is_background) AS background
        FROM trace_summary AS summary
        WHERE {condition}
        """,  # noqa: S608 - the condition is made of fixed fragments, its values are bound
        values,
    )[0]
    rows = reader.rows(
        f"""
        SELECT * EXCLUDE (instance_no)
        FROM trace_summary AS summary
        WHERE {condition} {"" if background else "AND NOT summary.is_background"}
        ORDER BY {_ORDERS[order]}
        LIMIT {_TRACES_SHOWN}
        """,  # noqa: S608
        values,
    )
    hidden = 0 if background else counts["background"]
    lines = tuple(TraceLine(**row) for row in rows)
    return TraceList(lines, counts["total"] - hidden, hidden)
