"""Workflows, and below each its steps: how often, how long, what failed, what is missing."""

from collections.abc import Mapping

from textual import on, work
from textual.app import ComposeResult
from textual.content import Content

from tracejury.scorecard.result import Audit, WorkflowSummary
from tracejury.tui.content import Cell, fitted, line, row
from tracejury.tui.numbers import share, short_ms
from tracejury.tui.row_list import RowList
from tracejury.tui.tree import Node, nodes
from tracejury.tui.tree_list import TreeList
from tracejury.tui.view import View
from tracejury.workflow.browse.workflow_steps import Step, steps_of
from tracejury.workflow.trace_filter import Term, TraceFilter

DEEPEST_INDENT = 12
NAMELESS = "(no name)"
_WIDE = 100


class WorkflowsView(View):
    """The workflows above, the steps of the one under the cursor below."""

    def __init__(self) -> None:
        super().__init__(id="workflows-view")
        self._steps_of: str | None = None

    def compose(self) -> ComposeResult:
        """Two lists, one above the other."""
        yield RowList[WorkflowSummary](
            _workflow_line,
            id="workflows",
            title="Workflows (w)",
            key=lambda workflow: workflow.name,
            header=_workflow_header,
        )
        yield TreeList[Step](
            self._step_line, id="steps", title="Steps", key=_step_name, header=_step_header
        )

    def show_audit(self, audit: Audit) -> None:
        """List the workflows again; the steps follow the cursor."""
        self._steps_of = None
        self.query_one("#workflows", RowList).show(audit.workflows)

    @on(RowList.Moved, "#workflows")
    def follow(self, moved: RowList.Moved) -> None:
        """Show the steps of another workflow."""
        if moved.row.name != self._steps_of:
            self._steps_of = moved.row.name
            self._fill_steps(moved.row.name)

    @work(exclusive=True, group="steps")
    async def _fill_steps(self, workflow: str) -> None:
        steps = await self.ask(steps_of, workflow) or ()
        tree = self.query_one("#steps", TreeList)
        tree.grow(nodes([(step, step.depth) for step in steps]))
        tree.title("Steps of ", (workflow or NAMELESS, "bold"))

    @on(RowList.Chosen, "#workflows")
    def go_to_steps(self) -> None:
        """Go down to the steps."""
        self.query_one("#steps").focus()

    @on(RowList.Chosen, "#steps")
    def open_traces(self, chosen: RowList.Chosen) -> None:
        """Find the traces that have the step."""
        step: Step = chosen.row.record
        terms = [Term("workflow", step.workflow)]
        if step.spans:
            terms += [Term("service", step.service), Term("name", step.name)]
        words = f'workflow:"{step.workflow}"'
        if step.spans:
            words += f' service:"{step.service}" name:"{step.name}"'
        self.jury.show_traces(TraceFilter(tuple(terms), words))

    def _step_line(self, node: Node[Step], width: int) -> Content:
        step: Step = node.record
        indent = "  " * min(node.depth, DEEPEST_INDENT)
        sign = self.query_one("#steps", TreeList).sign(node)
        mark = "◌" if not step.spans else "✗" if step.errors else " "
        name = line(
            (mark + " ", "$text-warning" if not step.spans else "$text-error"),
            f"{indent}{sign} ",
            (step.service or "(service unknown)", "$text-secondary"),
            " ",
            step.name or "(step unknown)",
            (f"  {step.cause}: {step.evidence}" if step.cause else "", "$text-warning"),
        )
        numbers = _numbers(
            width,
            {
                "count": f"{step.spans:,}",
                "err": f"{step.errors:,}" if step.errors else "·",
                "gone": f"{step.missing:,}" if step.missing else "·",
                "p50": short_ms(step.p50_ms),
                "p95": short_ms(step.p95_ms),
                "p99": short_ms(step.p99_ms),
                "clean95": short_ms(step.clean_p95_ms),
                "path": share(step.critical_share),
                "½saves": short_ms(step.halved_ms or None),
            },
        )
        room = max(width - len(numbers), 10)
        return line(name.truncate(room, ellipsis=True, pad=True), numbers)


def _step_name(step: Step) -> tuple[str, int, str, str, str, int, float | None]:
    return (
        step.workflow,
        step.depth,
        step.service,
        step.name,
        step.kind,
        step.spans,
        step.critical_share,
    )


_STEP_WIDTHS = {"count": 7, "err": 5, "gone": 5, "p50": 7, "p95": 7, "p99": 7}
_STEP_WIDTHS |= {"clean95": 8, "path": 6, "½saves": 8}
_WIDE_ONLY = ("p99", "clean95")  # a name needs its place, too


def _numbers(width: int, cells: Mapping[str, str]) -> str:
    shown = [name for name in _STEP_WIDTHS if width >= _WIDE or name not in _WIDE_ONLY]
    return "".join(fitted(cells[name], _STEP_WIDTHS[name], is_right=True) for name in shown)


def _step_header(width: int) -> Content:
    numbers = _numbers(width, {name: name for name in _STEP_WIDTHS})
    return line(fitted("  step", max(width - len(numbers), 10)), numbers)


_WIDTHS = (7, 6, 6, 5, 7, 7, 8)


def _workflow_header(width: int) -> Content:
    names = ("runs", "ok", "failed", "?", "p50", "p95", "spans")
    cells = [Cell(name, size, is_right=True) for name, size in zip(names, _WIDTHS, strict=True)]
    return row(width, [Cell("  workflow"), Cell("trigger", 7), *cells])


def _workflow_line(workflow: WorkflowSummary, width: int) -> Content:
    numbers = (
        f"{workflow.instances:,}",
        f"{workflow.ok:,}",
        f"{workflow.failed:,}",
        f"{workflow.unknown:,}",
        short_ms(workflow.p50_ms),
        short_ms(workflow.p95_ms),
        f"{workflow.spans:,}",
    )
    cells = [
        Cell(number, size, "bold $text-error" if place == 2 and workflow.failed else "", True)  # noqa: FBT003
        for place, (number, size) in enumerate(zip(numbers, _WIDTHS, strict=True))
    ]
    name = f"{'✗' if workflow.failed else ' '} {workflow.name or NAMELESS}"
    return row(width, [Cell(name), Cell(workflow.trigger, 7, "$text-muted"), *cells])
