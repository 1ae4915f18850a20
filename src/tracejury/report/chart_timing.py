"""How long the steps took that the time went to, as ranges on a scale of powers of ten."""

import math
from xml.etree.ElementTree import Element

from tracejury.report.chart import ROW, WIDTH, bar, chart, label, line
from tracejury.report.numbers import duration
from tracejury.scorecard.result import Audit, StepTiming

STEPS_SHOWN = 15
_LEFT = 250.0
_RIGHT = 610.0
_TOP = 26.0


def timing_chart(audit: Audit) -> Element | None:
    """Draw a bar from p50 to p95 a step, and a tick where a clean run's p95 is."""
    steps = audit.timing.steps if audit.timing else ()
    ranked = sorted(steps, key=lambda step: -(step.critical_share or 0.0))
    shown = [step for step in ranked if step.p50_ms and step.p95_ms][:STEPS_SHOWN]
    if not shown:
        return None
    times = [ms for step in shown for ms in _times(step)]
    low, high = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))
    scale = _Scale(low, max(high, low + 1))
    height = _TOP + len(shown) * ROW + 10
    parts = _axis(scale, height - 8)
    for number, step in enumerate(shown):
        parts.extend(_row(step, _TOP + number * ROW, scale))
    said = (
        "Bars from p50 to p95, a line to p99, the largest share of the critical path first."
        " A vertical tick is the p95 of the clean run; a bar of another colour is half as long"
        " again. The scale grows tenfold from line to line"
    )
    return chart("timing", "Where the time goes", said, height, parts)


class _Scale:
    """From milliseconds to places on the chart, tenfold from line to line."""

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high

    def at(self, ms: float) -> float:
        share = (math.log10(ms) - self.low) / (self.high - self.low)
        return _LEFT + min(max(share, 0.0), 1.0) * (_RIGHT - _LEFT)


def _times(step: StepTiming) -> list[float]:
    times = (step.p50_ms, step.p95_ms, step.p99_ms, step.baseline_p95_ms)
    return [ms for ms in times if ms is not None and ms > 0]


def _axis(scale: _Scale, bottom: float) -> list[Element]:
    parts = []
    for power in range(scale.low, scale.high + 1):
        x = scale.at(10.0**power)
        parts.append(line(x, 18, x, bottom, "grid"))
        parts.append(label(duration(10.0**power), x, 12, anchor="middle", class_="muted"))
    return parts


def _row(step: StepTiming, y: float, scale: _Scale) -> list[Element]:
    assert step.p50_ms is not None
    assert step.p95_ms is not None
    start, end = scale.at(step.p50_ms), scale.at(step.p95_ms)
    middle = y + 11
    parts = [label(f"{step.service} {step.name}", _LEFT - 10, y + 15, room=238, anchor="end")]
    if step.p99_ms:
        parts.append(line(end, middle, scale.at(step.p99_ms), middle, "axis"))
    slow = step.baseline_p95_ms is not None and step.p95_ms > 1.5 * step.baseline_p95_ms
    parts.append(bar(start, y + 4, end - start, "s-warn" if slow else "s-plain"))
    if step.baseline_p95_ms:
        x = scale.at(step.baseline_p95_ms)
        parts.append(line(x, y + 1, x, y + 21, "mark"))
    said = f"{duration(step.p50_ms)} / {duration(step.p95_ms)}"
    parts.append(label(said, _RIGHT + 14, y + 15, room=WIDTH - _RIGHT))
    return parts
