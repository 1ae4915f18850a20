"""Failed and slow workflow instances with their causes: of the run, or of one fault's window."""

from dataclasses import dataclass
from typing import Final

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from tracejury.scorecard.instances import (
    Cause,
    Diagnosed,
    DiagnosedInstance,
    DiagnosedInstances,
    diagnosed_instances,
)
from tracejury.tui.content import line
from tracejury.tui.row_list import RowList
from tracejury.tui.tree import Node, nodes
from tracejury.tui.tree_list import TreeList
from tracejury.tui.view import View

_OF_ALL: Final = "Failed and slow workflow instances (d)"


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence about many instances, one of them, or a cause of it; `says` is for a sentence."""

    says: str
    instance: DiagnosedInstance | None = None
    cause_no: int = -1

    @property
    def name(self) -> tuple[str, str, int]:
        """Tell rows apart, whatever their numbers are in the next audit."""
        entry = self.instance.trace_id if self.instance else ""
        return self.says.lstrip("0123456789,"), entry, self.cause_no

    @property
    def cause(self) -> Cause | None:
        """The cause that this is."""
        return self.instance.causes[self.cause_no] if self.instance and self.cause_no >= 0 else None

    @property
    def span(self) -> tuple[str, str] | None:
        """Which span of which trace to look at."""
        if self.cause is not None and self.cause.evidence:
            return self.cause.evidence[0]
        return (self.instance.trace_id, self.instance.span_id) if self.instance else None


class InstanceList(Vertical):
    """Asks the store when it is first looked at, and whenever there is a newer one after that."""

    def __init__(self, view: View) -> None:
        super().__init__(id="instances-box")
        self._view = view
        self._is_outdated = False
        self._fault_id: str | None = None

    def compose(self) -> ComposeResult:
        """One tree."""
        yield TreeList[Told](
            self._draw,
            id="instances",
            title=_OF_ALL,
            key=lambda told: told.name,
            empty="Looking at every workflow instance…",
        )

    def look_at(self, fault_id: str | None) -> None:
        """Tell what ran while this fault lasted; None: of the whole run."""
        if fault_id == self._fault_id:
            return
        self._fault_id = fault_id
        of_one = f"What ran while {fault_id} lasted"
        self.query_one("#instances", TreeList).title(_OF_ALL if fault_id is None else of_one)
        self.outdate()

    def outdate(self) -> None:
        """There is a newer store."""
        self._is_outdated = True
        if self._view.display and self.display:
            self.on_show()

    def on_show(self) -> None:
        """Whoever looks wants to see the newest."""
        if self._is_outdated:
            self._is_outdated = False
            self._fill()

    @work(exclusive=True, group="instances")
    async def _fill(self) -> None:
        found = await self._view.ask(diagnosed_instances, self._fault_id)
        if found is not None:
            self.query_one("#instances", TreeList).grow(nodes(rows(found)))

    def _draw(self, node: Node[Told], width: int) -> Content:
        sign = self.query_one("#instances", TreeList).sign(node)
        return told_line(node.record, f"{'  ' * node.depth}{sign} ")

    @on(RowList.Chosen, "#instances")
    def open(self, chosen: RowList.Chosen) -> None:
        """Open the span that it rests on; a sentence folds or unfolds."""
        span = chosen.row.record.span
        if span is None:
            self.query_one("#instances", TreeList).action_fold()
        else:
            self._view.jury.open_trace(span[0], span_id=span[1])


def rows(found: DiagnosedInstances) -> list[tuple[Told, int]]:
    """Every row with its depth."""
    if not found.ran:
        return [(Told(found.about_failed), 0)]
    return [
        (Told(found.about_failed), 0),
        *_instances(found.failed),
        (Told(found.about_slow), 0),
        *_instances(found.slow),
        *((Told(remark), 0) for remark in found.remarks),
    ]


def _instances(found: Diagnosed) -> list[tuple[Told, int]]:
    told = []
    for one in found.shown:
        told.append((Told("", one), 1))
        told += [(Told("", one, number), 2) for number in range(len(one.causes))]
    if found.not_shown:
        told.append((Told(f"{found.not_shown:,} more, in other places"), 1))
    return told


def told_line(told: Told, indent: str) -> Content:
    """Draw a row."""
    one, cause = told.instance, told.cause
    if one is None:
        return line(indent, told.says)
    if cause is not None:
        return line(
            indent,
            f"{told.cause_no + 1}. ",
            (cause.where, "$text-secondary"),
            f"  {cause.says}",
        )
    alike = f"; {one.alike:,} more alike" if one.alike else ""
    return line(
        indent,
        (one.correlation_id, "bold"),
        f"  {one.says}{alike}  ",
        (one.workflow, "$text-muted"),
    )
