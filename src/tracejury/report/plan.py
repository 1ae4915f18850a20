"""Write the faults worth injecting, with how to inject each, and what no fault decides."""

from collections.abc import Iterator
from typing import Final

from rich.console import RenderableType

from tracejury import __version__
from tracejury.report.drawing import Command, grid, heading, indented, joined, listed, text
from tracejury.report.json import json_text
from tracejury.report.terminal import PLAIN, Terminal, draw
from tracejury.report.words import SEVERITY_STYLES
from tracejury.scorecard.foresight.plan import Injection, Plan, Remainder
from tracejury.telemetry.numbers import counted, either

SCHEMA: Final = "tracejury.plan/1"


def render_plan(plan: Plan, format: str, *, terminal: Terminal = PLAIN) -> str:  # noqa: A002
    """`json` as docs/plan.schema.json has it; `text` for people."""
    if format == "json":
        return json_text(_document(plan))
    return draw(_parts(plan), terminal)


def _document(plan: Plan) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "tracejury": __version__,
        "open_criteria": plan.open_criteria,
        "is_smallest": plan.is_smallest,
        "faults": [_entry(injection) for injection in plan.injections],
        "undecided": [
            {"id": left.criterion.id, "title": left.criterion.title, "lines": list(left.lines)}
            for left in plan.remainders
        ],
    }


def _entry(injection: Injection) -> dict[str, object]:
    return {
        "kind": injection.kind,
        "target": injection.target,
        "magnitude": injection.magnitude,
        "by_hand": injection.by_hand,
        "command": injection.command,
        "tier": injection.tier.value,
        "criteria": list(injection.criteria),
        "checks": list(injection.checks),
        "needs": {need.value: list(checks) for need, checks in injection.needs},
    }


def _parts(plan: Plan) -> Iterator[RenderableType]:
    if not plan.open_criteria:
        yield text("Every criterion is decided: nothing need be injected.", "bold")
        return
    faults = len(plan.injections)
    yield joined(
        text(
            f"{counted(plan.open_criteria, 'criterion', 'criteria')}"
            f" {either(plan.open_criteria, 'is', 'are')} open; {counted(faults, 'fault')} would"
            " test what faults can test.",
            "bold",
        ),
        "" if plan.is_smallest else "A smaller set may exist.",
    )
    for number, injection in enumerate(plan.injections, 1):
        yield from _injection(number, injection)
    if plan.remainders:
        yield heading("What no fault decides alone")
        yield grid(list(_left(plan.remainders)))
    yield text("")
    yield text(
        "Write down what you inject, and when, for `tracejury audit --faults faults.json`:"
        " docs/faults.schema.json."
    )


def _injection(number: int, injection: Injection) -> Iterator[RenderableType]:
    yield joined(
        heading(f"{number}. {injection.kind} → {injection.target}"),
        text(injection.tier.upper(), SEVERITY_STYLES[injection.tier]),
        separator="  ",
    )
    rows = [
        ("magnitude", injection.magnitude),
        ("how", injection.by_hand),
        ("tests", f"{', '.join(injection.criteria)} ({', '.join(injection.checks)})"),
    ]
    if injection.needs:
        lacking = "; ".join(f"{need} for {listed(names, 4)}" for need, names in injection.needs)
        rows.append(("first", f"{lacking} (`tracejury preflight` says how)"))
    yield grid(rows)
    if injection.command:
        yield indented(Command(injection.command, "in the example"))


def _left(remainders: tuple[Remainder, ...]) -> Iterator[tuple[str, str]]:
    for left in remainders:
        for line, name in zip(
            left.lines, (left.criterion.id, *[""] * len(left.lines)), strict=False
        ):
            yield name, line
