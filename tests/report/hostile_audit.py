"""The example audit with hostile text wherever a run or its telemetry chooses the text."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from tests.report.example_audit import EXAMPLE

from tracejury.scorecard.result import Audit, Phases

HOSTILE = (
    '=HYPERLINK("http://evil.example")|\'@SUM(1) [red]x[/red] [@click=app.quit]q[/] '
    "\x1b]2;PWNED\x07\x1b[31m\x9b31m\x7f\x00 a\u202eb\u2066c\u200ed\ufeff \ud800 e\u2028f "
    "<script>alert(1)</script> <!-- --> [a](javascript:alert(1)) "
    "![b](https://evil.example) "
    "<https://evil.example> www.evil.example @everyone `code` **bold** __b__ ~~s~~ $x$ {{ 7*7 }}"
    "\r\n# heading\n\n- item\n| a | b |\n| --- | --- |\n---\n``` &lt; \\"
)

# What the program itself writes, in words that the contract lists.
_OWN = frozenset(
    (
        "verdict",
        "outcome",
        "recovery",
        "tier",
        "severity",
        "basis",
        "sampled",
        "reason",
        "trace_id",
        "span_id",
    )
)


def hostile(prefix: str = "") -> Audit:
    """Give the audit with every text made hostile; empty texts stay empty."""
    audit: Audit = _poisoned(EXAMPLE, prefix + HOSTILE)
    return audit


def _poisoned(value: Any, text: str) -> Any:
    if isinstance(value, str):
        return f"{text} {value}" if value else ""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if field.name not in _OWN]
        changes = {name: _poisoned(getattr(value, name), text) for name in names}
        return dataclasses.replace(value, **changes)
    if isinstance(value, Phases):
        return value
    if isinstance(value, Mapping):
        return {_poisoned(key, text): _poisoned(entry, text) for key, entry in value.items()}
    if isinstance(value, Iterable):
        return tuple(_poisoned(entry, text) for entry in value)
    return value
