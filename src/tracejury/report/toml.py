"""Write text and numbers as TOML, so that any reader gets back what was meant."""

import math
import re
from collections.abc import Iterable
from typing import Final

from tracejury.telemetry.safe_text import UNSAFE

_QUOTED: Final = re.compile(r'["\\]')


def toml_text(value: str) -> str:
    """A basic string. What would steer a terminal stands as an escape, too.

    Halves of a pair of surrogates, which no TOML can hold, become question marks.
    """
    whole = value.encode("utf-8", "replace").decode("utf-8")
    return f'"{UNSAFE.sub(_escape, _QUOTED.sub(_backslash, whole))}"'


def toml_list(values: Iterable[str]) -> str:
    """A list of texts, one a line."""
    lines = [f"    {toml_text(value)},\n" for value in values]
    return f"[\n{''.join(lines)}]" if lines else "[]"


def toml_number(value: float) -> str:
    """A number of at most two digits that is not smaller than `value`."""
    if value <= 0:
        return "0"
    step = 10 ** (math.floor(math.log10(value)) - 1)
    return f"{math.ceil(value / step - 1e-9) * step:.10g}"


def _backslash(match: re.Match[str]) -> str:
    return f"\\{match.group()}"


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
