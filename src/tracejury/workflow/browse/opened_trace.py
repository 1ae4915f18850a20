"""One trace, or all traces of a workflow instance: spans, what is missing, and log records."""

from dataclasses import dataclass
from typing import NamedTuple

from tracejury.store.reader import Reader
from tracejury.workflow.browse.log_records import LogLine, log_lines


class TraceSpan(NamedTuple):
    """One stored span of an opened trace. Times are None where they are unusable.

    `parent_no` is the row number of its parent, None for a top; of every cycle one edge is cut.
    `critical` are the stretches of the critical path that are its own time.
    """

    span_no: int
    trace_id: str
    span_id: str
    parent_no: int | None
    missing_parent: str
    service: str
    name: str
    kind: str
    is_error: bool
    is_in_cycle: bool
    has_twin: bool  # another span of the trace has the same id
    has_remote_parent: bool
    start_ns: int | None
    duration_ns: int | None
    critical: tuple[tuple[int, int], ...]
    gap: tuple[int, int] | None = None  # from when to when nothing accounts for its time
    followed_no: int | None = None  # of a top: the span that it came of, by its link


@dataclass(frozen=True, slots=True)
class GhostSpan:
    """A span that is known to have existed and is not stored; '' where nothing tells.

    `cause` is 'external' for a caller outside of the run, of whom nothing is missing.
    """

    trace_id: str
    span_id: str
    service: str
    name: str
    cause: str
    evidence: str
    first_ns: int | None


@dataclass(frozen=True, slots=True)
class OpenTrace:
    """Everything about one trace, or about all traces of a workflow instance, but the details."""

    trace_id: str
    workflow: str
    correlation_key: str
    correlation_id: str
    traces: int
    traces_in_instance: int
    spans: tuple[TraceSpan, ...]
    ghosts: tuple[GhostSpan, ...]
    logs: tuple[LogLine, ...]


def open_trace(reader: Reader, trace_id: str, *, whole_instance: bool = False) -> OpenTrace | None:
    """One trace, or every trace of its workflow instance; None where it is not stored."""
    found = reader.rows(
        """
        SELECT summary.trace_no, summary.instance_no, summary.workflow, summary.correlation_key,
            summary.correlation_id, instance.traces AS traces_in_instance
        FROM trace_summary AS summary
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE summary.trace_id = $trace_id
        """,
        {"trace_id": trace_id},
    )
    if not found:
        return None
    place = found[0]
    numbers = _traces_of(reader, place["instance_no"]) if whole_instance else [place["trace_no"]]
    return OpenTrace(
        trace_id=trace_id,
        workflow=place["workflow"],
        correlation_key=place["correlation_key"],
        correlation_id=place["correlation_id"],
        traces=len(numbers),
        traces_in_instance=place["traces_in_instance"],
        spans=_spans(reader, numbers),
        ghosts=_ghosts(reader, numbers),
        logs=log_lines(reader, numbers),
    )


def _traces_of(reader: Reader, instance_no: int) -> list[int]:
    rows = reader.rows(
        """
        SELECT trace_no
        FROM trace_instance
        WHERE instance_no = $instance_no
        ORDER BY trace_no
        """,
        {"instance_no": instance_no},
    )
    return [row["trace_no"] for row in rows]


def _spans(reader: Reader, trace_numbers: list[int]) -> tuple[TraceSpan, ...]:
    table = reader.arrow(
        """
        WITH path AS (
            SELECT critical.span_no, list((critical.start_ns, critical.end_ns)) AS stretches
            FROM critical
            JOIN node USING (span_no)
            WHERE node.trace_no IN (SELECT unnest($numbers))
            GROUP BY critical.span_no
        )
        SELECT
            node.span_no,
            lower(hex(trace.trace_id)) AS trace_id,
            format('{:016x}', node.span_id) AS span_id,
            forest.parent_no,
            coalesce(format('{:016x}', node.missing_parent), '') AS missing_parent,
            node.service,
            node.name,
            node.kind,
            error.span_no IS NOT NULL AS is_error,
            forest.is_in_cycle,
            count(*) OVER (PARTITION BY node.trace_no, node.span_id) > 1 AS has_twin,
            -- Bit 8 says that bit 9 means something.
            (node.flags & 768) = 768 AS has_remote_parent,
            node.start_ns,
            node.duration_ns,
            path.stretches,
            CASE WHEN gap.span_no IS NOT NULL
                THEN [gap.start_ns::BIGINT, gap.start_ns::BIGINT + gap.gap_ns] END AS gap,
            followed.followed_no
        FROM node
        JOIN trace USING (trace_no)
        JOIN forest USING (span_no)
        LEFT JOIN span_error AS error USING (span_no)
        LEFT JOIN path USING (span_no)
        LEFT JOIN gap ON gap.span_no = node.span_no
        LEFT JOIN followed ON followed.span_no = node.span_no
        WHERE node.trace_no IN (SELECT unnest($numbers))
        ORDER BY node.start_ns NULLS LAST, node.span_no
        """,
        {"numbers": trace_numbers},
    )
    columns = [column.to_pylist() for column in table.columns]
    path, gap = (TraceSpan._fields.index(name) for name in ("critical", "gap"))
    columns[path] = [
        tuple(sorted(tuple(stretch.values()) for stretch in stretches or ()))
        for stretches in columns[path]
    ]
    columns[gap] = [between and tuple(between) for between in columns[gap]]
    return tuple(TraceSpan(*values) for values in zip(*columns, strict=True))


def _ghosts(reader: Reader, trace_numbers: list[int]) -> tuple[GhostSpan, ...]:
    rows = reader.rows(
        """
        SELECT lower(hex(trace.trace_id)) AS trace_id,
            format('{:016x}', ghost.span_id) AS span_id,
            ghost.service, ghost.name, ghost.cause, ghost.evidence, ghost.first_ns
        FROM ghost
        JOIN trace USING (trace_no)
        WHERE ghost.trace_no IN (SELECT unnest($numbers))
        UNION ALL
        SELECT lower(hex(trace.trace_id)), format('{:016x}', orphan.missing_parent),
            '', '', 'external', 'the call came from outside of this run', min(node.start_ns)
        FROM orphan
        JOIN node USING (span_no)
        JOIN trace ON trace.trace_no = orphan.trace_no
        WHERE orphan.external_entry AND orphan.trace_no IN (SELECT unnest($numbers))
            AND NOT EXISTS (
                SELECT 1
                FROM ghost
                WHERE ghost.trace_no = orphan.trace_no AND ghost.span_id = orphan.missing_parent
            )
        GROUP BY trace.trace_id, orphan.missing_parent
        ORDER BY first_ns, span_id
        """,
        {"numbers": trace_numbers},
    )
    return tuple(GhostSpan(**row) for row in rows)
