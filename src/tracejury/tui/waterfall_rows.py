"""One trace as rows: every stored span exactly once, orphans below their ghost, logs in order.

Of several traces, one that links to another lies below the span that it came of.
"""

import math
from dataclasses import dataclass, field

from tracejury.tui.tree import Node, nodes
from tracejury.workflow.browse.log_records import LogLine
from tracejury.workflow.browse.opened_trace import GhostSpan, OpenTrace, TraceSpan

Record = TraceSpan | GhostSpan | LogLine
Name = tuple[str, str, int]
Place = tuple[str, str]


def name_of(record: Record) -> Name:
    """Tell records of a trace apart."""
    if isinstance(record, TraceSpan):
        return ("span", "", record.span_no)
    if isinstance(record, LogLine):
        return ("log", "", record.log_no)
    return (record.trace_id, record.span_id, 0)


@dataclass(frozen=True, slots=True)
class _Below:
    """What lies directly below each stored span, below each ghost, and below nothing."""

    spans: dict[int, list[Record]]
    ghosts: dict[Place, list[Record]]
    top: list[Record] = field(default_factory=list)

    def of(self, record: Record) -> list[Record]:
        if isinstance(record, TraceSpan):
            return self.spans[record.span_no]
        if isinstance(record, GhostSpan):
            return self.ghosts[record.trace_id, record.span_id]
        return []


def waterfall(trace: OpenTrace) -> tuple[Node[Record], ...]:
    """Order the rows of `trace` from the top down, each place by time."""
    ghosts = {(ghost.trace_id, ghost.span_id): ghost for ghost in trace.ghosts}
    for span in trace.spans:
        place = (span.trace_id, span.missing_parent)
        if span.missing_parent and place not in ghosts:
            ghosts[place] = GhostSpan(*place, "", "", "", "", span.start_ns)
    below = _Below({span.span_no: [] for span in trace.spans}, {place: [] for place in ghosts})
    below.top.extend(ghosts.values())
    for span in trace.spans:
        above = span.followed_no if span.parent_no is None else span.parent_no
        _above(below, above, (span.trace_id, span.missing_parent)).append(span)
    for log in trace.logs:
        _above(below, log.span_no, (log.trace_id, log.span_id)).append(log)
    return _from_the_top(below)


def _above(below: _Below, span_no: int | None, place: Place) -> list[Record]:
    if span_no is not None and span_no in below.spans:
        return below.spans[span_no]
    return below.ghosts.get(place, below.top)


def _from_the_top(below: _Below) -> tuple[Node[Record], ...]:
    ordered: list[tuple[Record, int]] = []
    stack: list[tuple[Record, int]] = []
    children, depth = below.top, 0
    while True:
        if len(children) > 1:
            children.sort(key=_when, reverse=True)
        stack.extend([(child, depth) for child in children])
        if not stack:
            return nodes(ordered)
        record, depth = stack.pop()
        ordered.append((record, depth))
        children, depth = below.of(record), depth + 1


def _when(record: Record) -> float:
    if isinstance(record, TraceSpan):
        time_ns = record.start_ns
    else:
        time_ns = record.first_ns if isinstance(record, GhostSpan) else record.time_ns
    return time_ns or math.inf
