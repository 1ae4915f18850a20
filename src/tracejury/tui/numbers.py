"""Numbers in few cells, never rounded to a better or a cleaner one than was measured."""

import math
from datetime import UTC, datetime
from typing import Final

_UNITS: Final = (
    ("h", 3600e9, 7200e9),
    ("m", 60e9, 120e9),
    ("s", 1e9, 999.5e6),
    ("ms", 1e6, 999.5e3),
    ("µs", 1e3, 999.5),
)


def short_duration(nanoseconds: float | None) -> str:
    """Write a duration in at most six cells; `?` where none was recorded."""
    if nanoseconds is None or not math.isfinite(nanoseconds):
        return "?"
    for unit, size, least in _UNITS:
        if nanoseconds >= least:
            amount = nanoseconds / size
            return f"{amount:.3g}{unit}" if amount < 999.5 else f"{amount:.0f}{unit}"
    return f"{nanoseconds:.0f}ns"


def short_ms(milliseconds: float | None) -> str:
    """Write a duration that is known in milliseconds; `-` where there is none."""
    return "-" if milliseconds is None else short_duration(milliseconds * 1e6)


def share(value: float | None) -> str:
    """Write a share of 0 to 1; only all of it is 100%, and only nothing is 0%."""
    if value is None or not math.isfinite(value):
        return "-"
    if 0 < value < 0.005:
        return "<1%"
    if 0.995 < value < 1:
        return ">99%"
    return f"{100 * value:.0f}%"


def wall_clock(time_ns: int | None, *, decimals: int = 3) -> str:
    """Write a time of day in UTC; `?` where there is none that a calendar has."""
    if not time_ns:
        return "?"
    try:
        moment = datetime.fromtimestamp(time_ns // 10**9, UTC)
    except (OverflowError, ValueError, OSError):
        return "?"
    fraction = f".{time_ns % 10**9:09d}"[: decimals + 1] if decimals else ""
    return f"{moment:%H:%M:%S}{fraction}"


def date_and_time(time_ns: int | None) -> str:
    """Write a date and time of day in UTC; `?` where there is none that a calendar has."""
    if not time_ns:
        return "?"
    try:
        return f"{datetime.fromtimestamp(time_ns // 10**9, UTC):%Y-%m-%d %H:%M:%S}"
    except (OverflowError, ValueError, OSError):
        return "?"
