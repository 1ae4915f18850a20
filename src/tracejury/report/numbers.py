"""Durations and times as reports write them."""

import math
from datetime import UTC, datetime


def duration(milliseconds: float | None) -> str:
    """Write a duration in the unit that suits its size."""
    if milliseconds is None or not math.isfinite(milliseconds):
        return "-"
    if milliseconds < 999.5:
        return f"{milliseconds:.3g} ms"
    seconds = milliseconds / 1000
    if seconds < 119.5:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7170 else f"{seconds / 3600:.3g} h"


def clock(time_ns: int) -> str:
    """Write a time in UTC; one that no calendar has stands as its nanoseconds."""
    try:
        return datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return f"{time_ns} ns"
