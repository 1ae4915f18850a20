"""Success of workflow instances before, during and after each fault, as bars."""

from xml.etree.ElementTree import Element

from tracejury.report.chart import ROW, WIDTH, bar, chart, label, line
from tracejury.report.element import element
from tracejury.scorecard.result import Audit, FaultResult
from tracejury.telemetry.numbers import percent

FAULTS_SHOWN = 20
_LEFT = 150.0
_FULL = 470.0


def success_chart(audit: Audit) -> Element | None:
    """Draw three bars a fault; None without a fault."""
    faults = audit.faults[:FAULTS_SHOWN]
    if not faults:
        return None
    parts: list[Element] = []
    y = 10.0
    for fault in faults:
        parts.extend(_group(fault, y))
        y += 4 * ROW + 10
    said = "Share of the workflow instances of a known end that went well"
    return chart("success", "Success before, during and after each fault", said, y, parts)


def _group(fault: FaultResult, y: float) -> list[Element]:
    what = " ".join(filter(None, (fault.id, fault.kind, fault.target)))
    parts = [label(what, 0, y + 12, room=WIDTH, class_="strong")]
    shares = (
        ("before", fault.success_before),
        ("during", fault.success_during),
        ("after", fault.success_after),
    )
    for number, (phase, share) in enumerate(shares, 1):
        top = y + number * ROW - 4
        parts.append(label(phase, _LEFT - 12, top + 11, anchor="end"))
        parts.append(element("rect", x=_LEFT, y=top, width=_FULL, height=14, rx=2, class_="track"))
        if share is not None:
            colour = "s-pass" if share == 1 else "s-fail" if share < 0.95 else "s-warn"
            parts.append(bar(_LEFT, top, share * _FULL, colour))
        parts.append(label(percent(share), _LEFT + _FULL + 12, top + 11, room=120))
    parts.append(line(_LEFT, y + ROW - 8, _LEFT, y + 4 * ROW - 10, "axis"))
    return parts
