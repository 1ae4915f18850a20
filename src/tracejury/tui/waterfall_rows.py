"""One trace as rows: every stored span exactly once, orphans below their ghost, logs in order."""

import math
from typing import Final

from tracejury.tui.tree import Node, nodes
from tracejury.workflow.browse import GhostSpan, LogLine, OpenTrace, TraceSpan

Record = TraceSpan | GhostSpan | LogLine
Name = tuple[str, str, int]

_TOP: Final = ("", "", 0)


def name_of(record: Record) -> Name:
    """Tell records of a trace apart."""
    if isinstance(record, TraceSpan):
        return ("span", "", record.span_no)
    if isinstance(record, LogLine):
        return ("log", "", record.log_no)
    return (record.trace_id, record.span_id, 0)


def waterfall(trace: OpenTrace, *, has_logs: bool = True) -> tuple[Node[Record], ...]:
    """Order the rows of `trace` from the top down, each place by time."""
    ghosts = {(ghost.trace_id, ghost.span_id): ghost for ghost in trace.ghosts}
    known = {span.span_no for span in trace.spans}
    below: dict[Name, list[Record]] = {}
    for span in trace.spans:
        below.setdefault(_above_span(span, known, ghosts), []).append(span)
    if has_logs:
        for log in trace.logs:
            below.setdefault(_above_log(log, known, ghosts), []).append(log)
    below.setdefault(_TOP, []).extend(ghosts.values())
    return _from_the_top(below)


def _above_span(span: TraceSpan, known: set[int], ghosts: dict[tuple[str, str], GhostSpan]) -> Name:
    if span.parent_no is not None and span.parent_no in known:
        return ("span", "", span.parent_no)
    if not span.missing_parent:
        return _TOP
    place = (span.trace_id, span.missing_parent)
    if place not in ghosts:
        ghosts[place] = GhostSpan(*place, "", "", "", "", span.start_ns)
    return (*place, 0)


def _above_log(log: LogLine, known: set[int], ghosts: dict[tuple[str, str], GhostSpan]) -> Name:
    if log.span_no is not None and log.span_no in known:
        return ("span", "", log.span_no)
    place = (log.trace_id, log.span_id)
    return (*place, 0) if place in ghosts else _TOP


def _from_the_top(below: dict[Name, list[Record]]) -> tuple[Node[Record], ...]:
    for records in below.values():
        records.sort(key=_when)
    ordered: list[tuple[Record, int]] = []
    stack: list[tuple[Record, int]] = [(record, 0) for record in reversed(below[_TOP])]
    while stack:
        record, depth = stack.pop()
        ordered.append((record, depth))
        stack.extend((child, depth + 1) for child in reversed(below.get(name_of(record), [])))
    return nodes(ordered)


def _when(record: Record) -> float:
    if isinstance(record, TraceSpan):
        time_ns = record.start_ns
    else:
        time_ns = record.first_ns if isinstance(record, GhostSpan) else record.time_ns
    return time_ns if time_ns else math.inf
