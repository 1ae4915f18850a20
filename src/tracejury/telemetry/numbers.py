"""Numbers as people read them, never rounded to a better or a cleaner one than was measured."""

import math


def percent(share: float | None) -> str:
    """Write a share of 0 to 1; only all of it is 100%, and only nothing is 0%."""
    if share is None or not math.isfinite(share):
        return "not observed"
    if 0 < share < 0.001:
        return "<0.1%"
    if 0.999 < share < 1:
        return ">99.9%"
    return f"{short(100 * share)}%"


def points(score: float) -> str:
    """Write a score of 0 to 100."""
    return ">99.9" if 99.9 < score < 100 else short(score)


def short(number: float) -> str:
    """Write a number with at most one decimal."""
    if not math.isfinite(number):
        return "unknown"
    return f"{number:,.1f}".removesuffix(".0")


def counted(number: float, one: str, many: str = "") -> str:
    """Write a count with its noun: `1 span`, `1,204 spans`."""
    return f"{short(number)} {either(number, one, many or one + 's')}"


def either(number: float, one: str, many: str) -> str:
    """Choose the word that agrees with a count as it is written: 1.04 is read as 1."""
    return one if short(number) == "1" else many
