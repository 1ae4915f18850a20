"""Write the inventory of workflows as the audit's first task asks for it."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from tracejury.report.drawing import bullet, grid, heading, joined, listed, text
from tracejury.report.terminal import PLAIN, Terminal, draw
from tracejury.scorecard.inventory import Inventory, Item, Step, Workflow
from tracejury.telemetry.numbers import counted

_LISTED = 8


def render_inventory(learnt: Inventory, *, terminal: Terminal = PLAIN) -> str:
    """Write it for people."""
    return draw(_parts(learnt), terminal).lstrip("\n")


def _parts(learnt: Inventory) -> Iterator[RenderableType]:
    for workflow in learnt.workflows:
        yield from _workflow(workflow)
    yield heading("Is the list complete?", "a person answers what no run can show")
    for item in learnt.checklist:
        yield bullet("☐" if item.against else "✓", _item(item))


def _item(item: Item) -> Text:
    return joined(item.text, f"not: {item.against}" if item.against else "", separator="; ")


def _workflow(workflow: Workflow) -> Iterator[RenderableType]:
    yield heading(workflow.name, "declared" if workflow.is_declared else "learnt")
    yield grid([(name, value) for name, value in _facts(workflow) if value])
    if workflow.steps:
        yield grid(
            [
                tuple(text(name, "dim") for name in ("step", "class", "spans", "p50", "p95")),
                *(_step(step) for step in workflow.steps),
            ],
            right=(2, 3, 4),
            indent=4,
        )


def _facts(workflow: Workflow) -> Iterator[tuple[str, str]]:
    yield "trigger", workflow.trigger
    yield (
        "instances",
        f"{workflow.instances:,}: {workflow.ok:,} went well, {workflow.failed:,} failed",
    )
    expected = "" if workflow.expected_s is None else f", declared {workflow.expected_s:g} s"
    if workflow.p50_s is not None:
        yield "duration", f"p50 {_time(workflow.p50_s)}, p95 {_time(workflow.p95_s)}{expected}"
    per_item = sum(step.is_per_item for step in workflow.steps)
    yield "steps", f"{len(workflow.steps) - per_item} and {per_item} per item"
    yield "items", workflow.items
    yield "calls", listed(workflow.dependencies, _LISTED)
    yield "not declared", listed(workflow.undeclared, _LISTED)
    yield (
        "failed at",
        ", ".join(
            f"{failure.step} ({failure.error or 'no type'}, {counted(failure.times, 'time')})"
            for failure in workflow.failures
        ),
    )
    yield "never seen", listed(workflow.unseen, _LISTED)
    if step := workflow.riskiest:
        why = f" ({', '.join(step.flags)})" if step.flags else ""
        yield "risk", f"{step.rank} {step.risk}, for {step.service}: {step.name}{why}"


def _step(step: Step) -> tuple[str, str, str, str, str]:
    declared = step.declared_class
    is_other = declared and declared != step.step_class
    marks = [
        f"declared {declared}" if is_other else "",
        "per item" if step.is_per_item else "",
        "" if step.is_required else "not always",
    ]
    said = ", ".join([step.step_class, *filter(None, marks)])
    return (step.full_name, said, f"{step.spans:,}", _time(step.p50_s), _bounded(step))


def _bounded(step: Step) -> str:
    bound = "" if step.declared_s is None else f" of {step.declared_s:g} s"
    return _time(step.p95_s) + bound


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"
