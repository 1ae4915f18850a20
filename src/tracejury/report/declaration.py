"""Write what a clean run taught as a declaration in tracejury.toml, to be read over and edited."""

from collections.abc import Iterator
from typing import Final

from tracejury.report.toml import toml_list, toml_number, toml_text
from tracejury.scorecard.inventory import Inventory, Step, Workflow, is_own_machine
from tracejury.telemetry.numbers import counted

# Assumed: what is usual may take this many times the longest that was seen.
_ROOM: Final = 2

# Shorter steps need no bound of their own.
_SHORTEST_S: Final = 0.1


def render_declaration(learnt: Inventory) -> str:
    """A `[workflow."name"]` for each workflow of which an instance went well."""
    clean = [workflow for workflow in learnt.workflows if workflow.ok]
    instances = sum(workflow.ok for workflow in clean)
    lines = [
        f"# Learnt from {counted(instances, 'workflow instance')} that went well. Read it over:"
        " it says what was, not what should be.",
        f"# Durations are {_ROOM} times the longest that was seen.",
    ]
    for workflow in clean:
        lines += ["", *_workflow(workflow)]
    return "\n".join(lines) + "\n"


def _workflow(workflow: Workflow) -> Iterator[str]:
    name = f"workflow.{toml_text(workflow.name)}"
    steps = _distinct(workflow.steps)
    yield f"[{name}]"
    if workflow.trigger != "unclassified":
        yield f"trigger = {toml_text(workflow.trigger)}"
    if workflow.items:
        yield f"items = {toml_text(workflow.items)}"
    if workflow.longest_s is not None:
        expected = workflow.expected_s or _ROOM * workflow.longest_s
        yield f"expected_seconds = {toml_number(expected)}"
    required = [name for name, step in steps.items() if step.is_required]
    yield f"steps = {toml_list(required)}"
    optional = [name for name in steps if name not in required]
    if optional:
        yield f"optional = {toml_list(optional)}"
    named = [name for name in workflow.dependencies if name != "?" and not is_own_machine(name)]
    if named:
        yield f"dependencies = {toml_list(named)}"
    yield from ("", f"[{name}.step_class]")
    for full_name, step in steps.items():
        yield f"{toml_text(full_name)} = {toml_text(step.declared_class or step.step_class)}"
    yield from _seconds(name, steps)


def _seconds(name: str, steps: dict[str, Step]) -> Iterator[str]:
    bounds = {
        full_name: step.declared_s or _ROOM * (step.longest_s or 0)
        for full_name, step in steps.items()
        if (step.longest_s or 0) >= _SHORTEST_S
    }
    if bounds:
        yield from ("", f"[{name}.step_seconds]")
    for full_name, bound in bounds.items():
        yield f"{toml_text(full_name)} = {toml_number(bound)}"


def _distinct(steps: tuple[Step, ...]) -> dict[str, Step]:
    """By the name under which a declaration knows them: of two kinds, the slower.

    A colon in the name of a service would end it.
    """
    found: dict[str, Step] = {}
    for step in sorted(steps, key=lambda step: step.longest_s or 0, reverse=True):
        if ": " not in step.service:
            found.setdefault(step.full_name, step)
    required = {step.full_name for step in steps if step.is_required}
    ordered = dict.fromkeys(step.full_name for step in steps if step.full_name in found)
    return {
        name: found[name]
        for name in (
            *(n for n in ordered if n in required),
            *(n for n in ordered if n not in required),
        )
    }
