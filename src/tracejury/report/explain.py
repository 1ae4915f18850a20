"""Write what checks look for, why it matters and how to fix it: the output of `explain`."""

from collections.abc import Iterator, Sequence
from itertools import chain, repeat

from rich.console import RenderableType

from tracejury.checks.explanation import PARTS, Explanation
from tracejury.errors import UsageError
from tracejury.report.drawing import grid, heading, joined, text
from tracejury.report.json import json_text
from tracejury.report.terminal import PLAIN, Terminal, draw
from tracejury.report.words import SEVERITY_STYLES

FORMATS = ("text", "json")


def render_explanations(
    explanations: Sequence[Explanation],
    format: str,  # noqa: A002
    *,
    terminal: Terminal = PLAIN,
) -> str:
    """Write the explanations in the order given."""
    if format == "text":
        return draw(_parts(explanations), terminal).lstrip("\n")
    if format == "json":
        return json_text({"checks": [_entry(explanation) for explanation in explanations]})
    raise UsageError(
        f"{format!r} is no format of an explanation.",
        next_step=f"Choose one of {', '.join(FORMATS)}.",
    )


def _entry(explanation: Explanation) -> dict[str, object]:
    return {
        "id": explanation.id,
        "title": explanation.title,
        "severity": explanation.severity.value,
        "task": explanation.task,
        "serves": list(explanation.serves),
        "requires": list(explanation.requires),
        **{part: getattr(explanation, part) for part in PARTS},
    }


def _parts(explanations: Sequence[Explanation]) -> Iterator[RenderableType]:
    for explanation in explanations:
        severity = text(explanation.severity.upper(), SEVERITY_STYLES[explanation.severity])
        yield joined(heading(explanation.id), severity, explanation.title, separator="  ")
        yield grid([(text(name, "bold"), content) for name, content in _rows(explanation)])


def _rows(explanation: Explanation) -> Iterator[tuple[str, str]]:
    for part in PARTS:
        paragraphs = getattr(explanation, part).split("\n\n")
        yield from zip(
            chain([part.capitalize()], repeat("")), filter(None, paragraphs), strict=False
        )
    for name, values in (("Serves", explanation.serves), ("Requires", explanation.requires)):
        if values:
            yield name, ", ".join(values)
