"""Say in a sentence what a change was."""

import math
from typing import Final

from tracejury.scorecard.suspicion.change import Change
from tracejury.scorecard.suspicion.items import ANSWERED, CALLS, FAILS, LOGS, Item
from tracejury.scorecard.suspicion.observed import FLOOR_NS, Step
from tracejury.telemetry.numbers import counted

_LONGEST: Final = 100


def sentence(change: Change) -> str:
    """What changed, in the window and outside, and on how many spans that rests."""
    if change.item is None:
        what, inside, outside = _time(change.step), _ms(change.inside), _ms(change.outside)
    else:
        what = _shown(change.step, change.item)
        inside, outside = f"{change.inside:.0%}", f"{change.outside:.0%}"
    return (
        f"{what}: {inside} in the window ({counted(change.spans, 'span')}), {outside} outside"
        f" ({change.spans_outside})"
    )


def _time(step: Step) -> str:
    where = f"`{shortened(step.name)}` of {step.service}"
    if not step.callee:
        return f"own time of {where}"
    when = "after" if step.kind == "PRODUCER" else "in"
    return f"waiting for {step.callee} {when} {where}"


def _shown(step: Step, item: Item) -> str:
    where = f"`{shortened(step.name)}` of {step.service}"
    text = shortened(item.text)
    if item.kind == CALLS:
        whom = f" of {item.callee}" if item.callee else ""
        return f"{where} calls `{text}`{whom}"
    if item.kind == LOGS:
        return f"{where} logs `{text}`"
    if item.kind == FAILS:
        return f"{where} fails ({text})" if text else f"{where} fails"
    if item.kind == ANSWERED:
        return f"{where} is answered by {item.callee}"
    return f"a span `{text}` of {item.callee} never arrived, in traces of {where}"


def shortened(text: str) -> str:
    """As much of a text as a sentence has room for."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _ms(logarithm: float) -> str:
    # No clock tells less than a nanosecond: what is below came of the logarithm.
    milliseconds = round(max(math.exp(logarithm) - FLOOR_NS, 0.0)) / 1e6
    return f"{milliseconds:.0f} ms" if milliseconds >= 10 else f"{milliseconds:.2g} ms"
