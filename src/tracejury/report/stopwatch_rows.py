"""How long persons took to find roots, in a sentence and as rows, to stand beside the estimate."""

from collections.abc import Sequence

from tracejury.telemetry.numbers import short
from tracejury.workflow.stopwatch import Measurement

HEADER = ("Minutes", "Right", "Fault", "Marked as the root", "Started")


def measured_sentence(measured: Sequence[Measurement]) -> str:
    """Say how long it took, and how often the root was right; '' where nobody measured."""
    if not measured:
        return ""
    minutes = sorted(one.minutes for one in measured)
    took = short(minutes[0])
    if len(minutes) > 1:
        took += f" to {short(minutes[-1])}"
    graded = [one.is_right for one in measured if one.is_right is not None]
    if not graded:
        right = "right or not is unknown: no target was named"
    else:
        right = f"{sum(graded)} of {len(measured)} right"
    return f"measured {took} min, {right}"


def stopwatch_rows(measured: Sequence[Measurement]) -> list[tuple[str, str, str, str, str]]:
    """Give a row for each time, the newest first."""
    said = {True: "right", False: "wrong", None: "unknown"}
    return [
        (
            short(one.minutes),
            said[one.is_right],
            one.fault or "none named",
            f"{one.service} {one.step}".strip(),
            one.started_at,
        )
        for one in reversed(measured)
    ]
