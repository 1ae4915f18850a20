"""Draw one row of a waterfall: marks, place in the tree, duration, and a bar over time.

Marks: ✗ failed, ◆ on the critical path, ◌ ghost, ↻ in a cycle, ⧉ shares its span id, ↯ its parent
is in another process that sent nothing, ⇢ it began after what it came from had ended.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from textual.content import Content

from tracejury.tui.content import Part, fitted, line
from tracejury.tui.numbers import short_duration
from tracejury.tui.tree import Node
from tracejury.tui.waterfall_rows import Record
from tracejury.workflow.browse.log_records import LogLine
from tracejury.workflow.browse.opened_trace import GhostSpan, OpenTrace, TraceSpan

DEEPEST_INDENT = 24
UNEXPLAINED = "░"
DURATION_WIDTH = 7
ERROR_SEVERITY, WARN_SEVERITY = 17, 13


@dataclass(frozen=True, slots=True)
class Scale:
    """The time that the bars stand for.

    `inner` are the spans whose service is that of their parent: it need not be said again. `waits`
    are those that began when what they came from had ended, with that end.
    """

    start_ns: int
    end_ns: int
    inner: frozenset[int] = frozenset()
    waits: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, trace: OpenTrace) -> "Scale":
        """Span all usable times of a trace; log records and ghosts may lie outside."""
        starts = [span.start_ns for span in trace.spans if span.start_ns is not None]
        if not starts:
            return cls(0, 1)
        ends = [
            span.start_ns + (span.duration_ns or 0)
            for span in trace.spans
            if span.start_ns is not None
        ]
        service = {span.span_no: span.service for span in trace.spans}
        inner = frozenset(
            span.span_no
            for span in trace.spans
            if span.parent_no is not None and service.get(span.parent_no) == span.service
        )
        return cls(min(starts), max(*ends, min(starts) + 1), inner, _waits(trace))

    def cell(self, time_ns: int, width: int) -> int:
        """Give the column, from 0 to `width` - 1, that a time falls into."""
        share = (time_ns - self.start_ns) / (self.end_ns - self.start_ns)
        return max(0, min(int(share * width), width - 1))


def _waits(trace: OpenTrace) -> dict[int, int]:
    end = {
        span.span_no: span.start_ns + span.duration_ns
        for span in trace.spans
        if span.start_ns is not None and span.duration_ns is not None
    }
    came_from = {
        span: span.followed_no if span.parent_no is None else span.parent_no
        for span in trace.spans
        if span.start_ns is not None
    }
    return {
        span.span_no: end[above]
        for span, above in came_from.items()
        if above in end and end[above] <= (span.start_ns or 0)
    }


def waterfall_header(scale: Scale, width: int) -> Content:
    """Name the columns, and the time from end to end."""
    bar_width = _bar_width(width)
    whole = short_duration(scale.end_ns - scale.start_ns)
    name_width = width - bar_width - DURATION_WIDTH - 6
    ruler = "0" + fitted(whole, bar_width - 1, is_right=True)
    return line(
        f"{fitted('', 3)} {fitted('span', name_width)} "
        f"{fitted('time', DURATION_WIDTH, is_right=True)} {ruler}"
    )


def waterfall_line(node: Node[Record], sign: str, scale: Scale, width: int) -> Content:
    """Draw one row, whatever it is."""
    record, bar_width = node.record, _bar_width(width)
    name_width = width - bar_width - DURATION_WIDTH - 6
    indent = _indent(node.depth) + sign + " "
    if isinstance(record, LogLine):
        return _log_line(record, indent, scale, name_width, bar_width)
    if isinstance(record, GhostSpan):
        return _ghost_line(record, indent, scale, name_width, bar_width)
    return _span_line(record, indent, scale, name_width, bar_width)


def _bar_width(width: int) -> int:
    return max(12, min(width * 3 // 10, 60))


def _indent(depth: int) -> str:
    return " " * depth if depth <= DEEPEST_INDENT else f"{' ' * DEEPEST_INDENT}({depth}) "


def _span_line(
    span: TraceSpan, indent: str, scale: Scale, name_width: int, bar_width: int
) -> Content:
    failed = "bold $text-error" if span.is_error else ""
    service = "" if span.span_no in scale.inner else f"{span.service or '(no service)'} "
    name = line(indent, (service, "$text-secondary"), (span.name, failed))
    style = "$error" if span.is_error else "$secondary"
    return line(
        ("✗" if span.is_error else " ", "bold $text-error"),
        (_oddity(span, scale), "$text-warning"),
        ("◆" if span.critical else " ", "$accent"),
        " ",
        name.truncate(name_width, ellipsis=True, pad=True),
        (f" {fitted(short_duration(span.duration_ns), DURATION_WIDTH, is_right=True)} ", ""),
        *_span_bar(span, scale, bar_width, style),
    )


def _oddity(span: TraceSpan, scale: Scale) -> str:
    if span.is_in_cycle:
        return "↻"
    if span.has_twin:
        return "⧉"
    if span.missing_parent and span.has_remote_parent:
        return "↯"
    return "⇢" if span.span_no in scale.waits else " "


def _span_bar(span: TraceSpan, scale: Scale, width: int, style: str) -> list[Part]:
    if span.start_ns is None:
        return [("?".ljust(width), "$text-warning")]
    first = scale.cell(span.start_ns, width)
    if span.duration_ns is None:
        return [" " * first, ("?", "$text-warning"), " " * (width - first - 1)]
    last = scale.cell(span.start_ns + span.duration_ns, width)
    cells = ["━"] * (last - first + 1)
    for start_ns, end_ns in span.critical:
        begin, end = scale.cell(start_ns, width), scale.cell(end_ns, width)
        for cell in range(max(begin, first), min(max(end, begin + 1), last + 1)):
            cells[cell - first] = "█"
    if span.gap is not None:
        begin, end = (scale.cell(time_ns, width) for time_ns in span.gap)
        cells[begin - first : end - first + 1] = UNEXPLAINED * (end - begin + 1)
    waited = first - scale.cell(scale.waits.get(span.span_no, span.start_ns), width)
    drawn: list[Part] = [" " * (first - waited), ("┄" * waited, "$text-muted")]
    drawn.extend((cell, _bar_style(cell, style)) for cell in cells)
    drawn.append(" " * (width - last - 1))
    return drawn


def _bar_style(cell: str, style: str) -> str:
    if cell == UNEXPLAINED:
        return "$text-warning"
    return "$accent" if cell == "█" and style != "$error" else style


def _ghost_line(
    ghost: GhostSpan, indent: str, scale: Scale, name_width: int, bar_width: int
) -> Content:
    outside = ghost.cause == "external"
    known = f"{ghost.service} {ghost.name}".strip() or f"span {ghost.span_id}"
    what = "caller outside the run" if outside else f"missing: {known}"
    cause = "" if outside else f" ({ghost.cause or 'not stored'})"
    name = line(indent, (what, "italic $text-warning"), (cause, "$text-muted"))
    first = 0 if ghost.first_ns is None else scale.cell(ghost.first_ns, bar_width)
    trail = "┄" * (bar_width - first) if not outside else ""
    return line(
        (" ◌  ", "$text-warning"),
        name.truncate(name_width, ellipsis=True, pad=True),
        f" {fitted('?', DURATION_WIDTH, is_right=True)} ",
        (fitted(" " * first + trail, bar_width), "$text-muted"),
    )


def _log_line(log: LogLine, indent: str, scale: Scale, name_width: int, bar_width: int) -> Content:
    style = severity_style(log.severity_number)
    name = line(indent, (f"{severity_word(log)} ", style), (log.body, style or "$text-muted"))
    at = scale.cell(log.time_ns, bar_width) if log.time_ns else 0
    since = short_duration(max(log.time_ns - scale.start_ns, 0)) if log.time_ns else "?"
    return line(
        (" ·  ", "$text-muted"),
        name.truncate(name_width, ellipsis=True, pad=True),
        (f" {fitted('@' + since, DURATION_WIDTH, is_right=True)} ", "$text-muted"),
        (fitted(" " * at + "▪", bar_width), style or "$text-muted"),
    )


def severity_word(log: LogLine) -> str:
    """Name the severity of a log record in a word."""
    if log.severity_text:
        return log.severity_text[:5].upper()
    words = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
    number = log.severity_number
    return words[(number - 1) // 4] if 1 <= number <= 24 else "LOG"


def severity_style(number: int) -> str:
    """Give the style of a severity; most have none."""
    if number >= ERROR_SEVERITY:
        return "$text-error"
    return "$text-warning" if number >= WARN_SEVERITY else ""
