"""The trace that the worst finding names, span by span."""

from xml.etree.ElementTree import Element

from tracejury.report.chart import ROW, WIDTH, bar, chart, label, line
from tracejury.report.numbers import duration
from tracejury.scorecard.result import Audit, Waterfall, WaterfallSpan
from tracejury.telemetry.numbers import counted

_LEFT = 270.0
_RIGHT = 660.0
_TOP = 26.0
_LINES = 4
_DEEPEST = 12  # levels that are still indented further
_STEP = 20.0


def waterfall_chart(audit: Audit) -> Element | None:
    """Draw the spans on one scale of time; None where no finding names a span."""
    found = audit.worst_evidence
    if found is None or not found.spans:
        return None
    whole = max((span.start_ms + (span.duration_ms or 0.0) for span in found.spans), default=0.0)
    whole = whole or 1.0
    height = _TOP + len(found.spans) * _STEP + 8
    parts = _axis(whole, height - 6)
    for number, span in enumerate(found.spans):
        parts.extend(_row(span, _TOP + number * _STEP, whole))
    return chart("waterfall", f"The trace behind {found.check}", _said(found), height, parts)


def _said(found: Waterfall) -> str:
    some = len(found.spans)
    of = "all" if some == found.total else f"{some:,} of"
    shown = f"{of} {counted(found.total, 'span')}"
    message = found.message.rstrip(".")
    return (
        f"{message}. Trace {found.trace_id}, {shown}; ▶ marks what the finding names, ✗ what failed"
    )


def _axis(whole: float, bottom: float) -> list[Element]:
    parts = []
    for number in range(_LINES + 1):
        x = _LEFT + number * (_RIGHT - _LEFT) / _LINES
        parts.append(line(x, 18, x, bottom, "grid"))
        ms = number * whole / _LINES
        parts.append(label(duration(ms) if ms else "0", x, 12, anchor="middle", class_="muted"))
    return parts


def _row(span: WaterfallSpan, y: float, whole: float) -> list[Element]:
    indent = 9.0 * min(span.depth, _DEEPEST)
    marks = ("▶ " if span.is_cited else "") + ("✗ " if span.is_error else "")
    said = f"{marks}{span.service} {span.name}"
    scale = (_RIGHT - _LEFT) / whole
    start = _LEFT + span.start_ms * scale
    looks = "s-fail" if span.is_error else "s-plain"
    took = "no end" if span.duration_ms is None else duration(span.duration_ms)
    return [
        label(
            said, indent, y + 13, room=_LEFT - 10 - indent, class_="strong" if span.is_cited else ""
        ),
        bar(
            start,
            y + 3,
            (span.duration_ms or 0.0) * scale,
            f"{looks} cited" if span.is_cited else looks,
            height=ROW - 12,
        ),
        label(took, _RIGHT + 12, y + 13, room=WIDTH - _RIGHT),
    ]
