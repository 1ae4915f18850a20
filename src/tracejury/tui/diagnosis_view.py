"""Diagnosis: minutes to the root cause and what would save them; below, who is to blame."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.widgets import Static

from tracejury.scorecard.difficulty import BLOCKERS, CAUSES
from tracejury.scorecard.result import (
    Audit,
    Diagnosis,
    Difficulty,
    FaultCourse,
    FaultResult,
    Suspect,
)
from tracejury.telemetry.numbers import counted, percent, short
from tracejury.tui.content import Part, bar, fitted, line, stacked
from tracejury.tui.instance_list import InstanceList
from tracejury.tui.numbers import date_and_time, share, short_duration, short_ms
from tracejury.tui.row_list import RowList
from tracejury.tui.stopwatch import Search
from tracejury.tui.text_pane import TextPane
from tracejury.tui.tree import Node, nodes
from tracejury.tui.tree_list import TreeList
from tracejury.tui.view import View
from tracejury.workflow.stopwatch import Measurement
from tracejury.workflow.trace_filter import Term, TraceFilter

BAR_WIDTH, FIX_WIDTH = 20, 40
MEASURED_SHOWN, WORKFLOWS_SHOWN = 2, 3


@dataclass(frozen=True, slots=True)
class Lead:
    """A fault, a suspect of it, or what is told of either; -1 for none."""

    fault: FaultResult
    suspect_no: int = -1
    evidence_no: int = -1

    @property
    def name(self) -> tuple[str, int, int]:
        """Tell leads apart."""
        return self.fault.id, self.suspect_no, self.evidence_no

    @property
    def suspect(self) -> Suspect | None:
        """The suspect that this is, or belongs to."""
        return self.fault.suspects[self.suspect_no] if self.suspect_no >= 0 else None


class DiagnosisView(View):
    """How hard the failures are to explain, and who is suspected."""

    BINDING_GROUP_TITLE = "Diagnosis"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "copy", "Copy", show=False)]

    def __init__(self) -> None:
        super().__init__(id="diagnosis-view")
        self._search: Search | None = None

    @property
    def fault(self) -> FaultResult | None:
        """The fault under the cursor, or whose suspect is."""
        node = self.query_one("#faults", TreeList).current
        return node.record.fault if node else None

    def blind(self, search: Search | None) -> None:
        """Hide the targets while somebody searches for one."""
        self._search = search
        self.query_one("#faults", TreeList).refresh()

    def compose(self) -> ComposeResult:
        """Minutes above, faults below; instances where none is named, or of one nothing stands out.

        The latter are of the fault under the cursor.
        """
        with TextPane(id="minutes"):
            yield Static(id="minutes-text", markup=False)
        with Container():
            yield TreeList[Lead](
                self._draw_lead,
                id="faults",
                title="Faults and suspects (d)",
                key=lambda lead: lead.name,
            )
            yield InstanceList(self)

    def show_audit(self, audit: Audit) -> None:
        """Fill both parts."""
        self.query_one("#minutes-text", Static).update(stacked(minutes_lines(audit.diagnosis)))
        self.set_class(not audit.faults, "-faultless")
        self.query_one(InstanceList).outdate()
        leads = [entry for fault in audit.faults for entry in _leads(fault)]
        self.query_one("#faults", TreeList).grow(nodes(leads))
        self._look_at(self.fault)

    @on(RowList.Moved, "#faults")
    def look(self) -> None:
        """The cursor stands on another row."""
        self._look_at(self.fault)

    def _look_at(self, fault: FaultResult | None) -> None:
        """Tell what ran in a window of which nothing stands out, or in the whole run."""
        is_told = fault is not None and not fault.stands_out
        self.set_class(is_told, "-instances")
        if fault is None or is_told:
            self.query_one(InstanceList).look_at(fault.id if fault else None)

    def _draw_lead(self, node: Node[Lead], width: int) -> Content:
        sign = self.query_one("#faults", TreeList).sign(node)
        indent = f"{'  ' * node.depth}{sign} "
        return lead_line(node.record, indent, is_blind=self._search is not None)

    @on(RowList.Chosen, "#faults")
    def open(self, chosen: RowList.Chosen) -> None:
        """Find the traces that a suspect has a part in; a fault folds or unfolds."""
        suspect = chosen.row.record.suspect
        if suspect is None:
            self.query_one("#faults", TreeList).action_fold()
            return
        terms, words = [Term("service", suspect.service)], f'service:"{suspect.service}"'
        if suspect.step:
            terms.append(Term("name", suspect.step))
            words += f' name:"{suspect.step}"'
        self.jury.show_traces(TraceFilter(tuple(terms), words))

    def action_copy(self) -> None:
        node = self.query_one("#faults", TreeList).current
        if node is not None:
            self.jury.copy(
                node.record.suspect.service if node.record.suspect else node.record.fault.id
            )


def _leads(fault: FaultResult) -> list[tuple[Lead, int]]:
    found = [(Lead(fault), 0)]
    found += [(Lead(fault, -1, number), 1) for number in range(len(told_of(fault)))]
    for number, suspect in enumerate(fault.suspects):
        found.append((Lead(fault, number), 1))
        found.extend((Lead(fault, number, index), 2) for index in range(len(suspect.evidence)))
    return found


def minutes_lines(diagnosis: Diagnosis | None) -> list[Content]:
    """Say the minutes with their breakdown, and what each fix would save."""
    measured = _measured_lines(diagnosis.measured) if diagnosis else []
    if diagnosis is None or diagnosis.minutes is None:
        return [line(("No failed workflow instance to diagnose.", "$text-muted")), *measured]
    said = [(f"≥ {short(diagnosis.minutes)} min", "bold"), (" to the root cause", "")]
    if diagnosis.candidates is not None:
        candidates = counted(diagnosis.candidates, "effective candidate")
        said.append((f", {candidates} for the failure point", ""))
    said.append(
        (f", mean of {counted(diagnosis.failed_instances, 'failed instance')}", "$text-muted")
    )
    lines = [line(*said), *_workflow_lines(diagnosis), *measured]
    for cause, minutes in diagnosis.breakdown.items():
        if minutes > 0:
            lines.append(
                _bar_line(CAUSES.get(cause, cause), minutes, diagnosis.minutes, "$secondary")
            )
    if diagnosis.savings:
        lines.append(line(("What would save how much", "bold")))
    for fix, minutes in sorted(diagnosis.savings.items(), key=lambda saving: -saving[1]):
        lines.append(_bar_line(fix, minutes, diagnosis.minutes, "$success"))
    return lines


def _workflow_lines(diagnosis: Diagnosis) -> list[Content]:
    """Tell several workflows apart, the hardest first."""
    hardest = sorted(diagnosis.by_workflow.items(), key=lambda pair: -pair[1].minutes)
    if len(hardest) < 2:
        return []
    lines = [
        line((f"  {name or '(no name)'}", "$text-secondary"), *_hardness(one, "failure point"))
        for name, one in hardest[:WORKFLOWS_SHOWN]
    ]
    if more := len(hardest) - len(lines):
        lines.append(line((f"  and {counted(more, 'more workflow')}", "$text-muted")))
    return lines


def _measured_lines(measured: Sequence[Measurement]) -> list[Content]:
    """Say what the stopwatch measured, the newest first."""
    graded = {True: "right", False: "not the target", None: "no target to compare with"}
    lines = []
    for one in measured[: -MEASURED_SHOWN - 1 : -1]:
        found = f"{one.service} {one.step} {one.fault and f'for {one.fault} '}"
        lines.append(
            line(
                (f"◷ {short(one.minutes)} min", "bold"),
                f" by the stopwatch: {found}",
                (graded[one.is_right], "$text-warning" if one.is_right is False else "$text-muted"),
            )
        )
    return lines


def _bar_line(name: str, minutes: float, whole: float, style: str) -> Content:
    return line(
        f"  {fitted(name, FIX_WIDTH)} {fitted(short(minutes), 6, is_right=True)} min ",
        (bar(minutes / whole if whole else 0, BAR_WIDTH), style),
    )


def lead_line(lead: Lead, indent: str, *, is_blind: bool = False) -> Content:
    """Draw a fault, a suspect, or what speaks for it; `is_blind`: without what the target is."""
    fault, suspect = lead.fault, lead.suspect
    if suspect is None:
        if lead.evidence_no < 0:
            return line(indent, *_fault_parts(fault, is_blind=is_blind))
        return line(indent, *told_of(fault)[lead.evidence_no])
    if lead.evidence_no >= 0:
        return line("  ", indent, (suspect.evidence[lead.evidence_no], "$text-muted"))
    is_target = fault.rank_of_target == lead.suspect_no + 1 and not is_blind
    return line(
        indent,
        f"{lead.suspect_no + 1}. ",
        (suspect.service, "$text-secondary"),
        f" {suspect.step}",
        (f"  {suspect.score:.2f} ", "bold"),
        ("  ◆ the fault's target" if is_target else "", "$text-accent"),
    )


def _fault_parts(fault: FaultResult, *, is_blind: bool) -> list[Part]:
    when = f"{date_and_time(fault.start_ns)} for {short_duration(fault.end_ns - fault.start_ns)}"
    what = " ".join(part for part in (fault.kind, "" if is_blind else fault.target) if part)
    why = fault.why_none_stands_out
    none: Part = (f"  {why}" if why else "", "$text-warning")
    return [(fault.id, "bold"), f"  {what}  ", (when, "$text-muted"), none]


def told_of(fault: FaultResult) -> list[list[Part]]:
    """Say how it went, on the whole and by workflow, and how hard it is to diagnose: a row each."""
    rows = [_course(fault), *map(_course_of, fault.workflows)]
    if fault.about_window:
        rows.insert(0, [(f"  {fault.about_window}", "$text-warning")])
    if hard := fault.difficulty:
        what = "failure point" if hard.basis == "errors" else "suspect"
        blockers = "".join(f"   {BLOCKERS.get(blocker, blocker)}" for blocker in hard.blockers)
        rows.append([*_hardness(hard, what), (blockers, "$text-warning")])
    return rows


def _hardness(hard: Difficulty, what: str) -> list[Part]:
    fix = max(hard.savings, key=lambda name: hard.savings[name], default="")
    saves = f"; {fix} would save {short(hard.savings[fix])}" if fix else ""
    return [
        (f"  ≥ {short(hard.minutes)} min", "bold"),
        f", {counted(hard.candidates, f'effective {what}')}{saves}",
    ]


def _course(fault: FaultResult) -> list[Part]:
    success = " → ".join(
        "?" if part is None else percent(part)
        for part in (fault.success_before, fault.success_during, fault.success_after)
    )
    detected = fault.detected_after_s
    alert = "no alert seen" if detected is None else f"alert after {short(detected)} s"
    if fault.first_error_after_s is not None:
        alert += f", first error {short(fault.first_error_after_s)} s"
    return [f"  success {success}", (f"   {alert}", "$text-warning")]


def _course_of(course: FaultCourse) -> list[Part]:
    """Say how one workflow fared before, during and after the fault."""
    success = "→".join("-" if part is None else share(part) for part in course.success)
    p95 = "→".join(map(short_ms, course.p95_ms))
    style = "$text-warning" if course.recovery == "damaged" else "$text-muted"
    return [f"  {success}  p95 {p95}  ", (course.workflow, "bold"), (f"  {course.became}", style)]
