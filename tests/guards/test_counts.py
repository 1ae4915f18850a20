"""No sentence may say "1 spans": a count takes its noun from `telemetry.numbers.counted`."""

import ast
import re
from pathlib import Path

SOURCES = sorted((Path(__file__).parents[2] / "src" / "tracejury").rglob("*.py"))
NOUNS = (
    "alerts|attempts|batches|calls|criteria|errors|exposures|faults|items|instances|jobs|logs|"
    "loops|messages|minutes|points|processes|records|requests|rows|services|spans|steps|times|"
    "traces|units|workflows"
)
PLURAL = re.compile(rf" ({NOUNS})\b(?! `)")


def plurals(tree: ast.AST) -> list[str]:
    """What stands behind a number in an f-string and cannot be its singular."""
    return [
        said.value
        for text in ast.walk(tree)
        if isinstance(text, ast.JoinedStr)
        for number, said in zip(text.values, text.values[1:], strict=False)
        if isinstance(number, ast.FormattedValue)
        and isinstance(said, ast.Constant)
        and isinstance(said.value, str)
        and PLURAL.match(said.value)
        and not may_be_plural(number)
    ]


def may_be_plural(number: ast.FormattedValue) -> bool:
    """A constant of the source is known to be more than one, and `1.0 minutes` is right."""
    is_constant = isinstance(number.value, ast.Name) and number.value.id.isupper()
    return is_constant or "f" in ast.unparse(number).rpartition(":")[2]


def test_no_noun_is_plural_whatever_its_number() -> None:
    found = {path: plurals(ast.parse(path.read_text(encoding="utf-8"))) for path in SOURCES}
    assert {path.name: said for path, said in found.items() if said} == {}
