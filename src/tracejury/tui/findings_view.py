"""The checks with their findings, and the evidence of each finding: Enter opens that very span."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from tracejury.checks.check import Finding, Reference, Severity
from tracejury.scorecard.result import Audit, CheckResult
from tracejury.scorecard.words import reason_sentence
from tracejury.telemetry.numbers import counted, either
from tracejury.tui.content import line, stacked
from tracejury.tui.row_list import RowList
from tracejury.tui.text_pane import TextPane
from tracejury.tui.tree import Node, nodes
from tracejury.tui.tree_list import TreeList
from tracejury.tui.view import View
from tracejury.tui.words import outcome_word

OUTCOME_ORDER = ("fail", "error", "not-observed", "manual", "pass", "not-applicable")
FINDINGS_SHOWN = 500  # of one check; the JSON report has all


@dataclass(frozen=True, slots=True)
class Place:
    """A check, one of its findings, or a piece of evidence for that; -1 for none."""

    check: CheckResult
    finding_no: int = -1
    evidence_no: int = -1

    @property
    def name(self) -> tuple[str, int, int]:
        """Tell places apart."""
        return self.check.id, self.finding_no, self.evidence_no

    @property
    def finding(self) -> Finding | None:
        """The finding that this is, or belongs to."""
        return self.check.findings[self.finding_no] if self.finding_no >= 0 else None

    @property
    def evidence(self) -> tuple[Reference, ...]:
        """What Enter may open, first things first."""
        finding = self.finding
        if finding is None:
            return ()
        return finding.evidence[max(self.evidence_no, 0) :]


class FindingsView(View):
    """Checks above, what the one under the cursor says below."""

    BINDING_GROUP_TITLE = "Findings"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "failing", "Failing only"),
        Binding("n", "next_failing(1)", "Next failing", show=False),
        Binding("N", "next_failing(-1)", "Previous failing", show=False),
        Binding("y", "copy", "Copy id", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(id="findings-view")
        self._checks: tuple[CheckResult, ...] = ()
        self._chosen: Collection[str] = ()
        self._is_failing_only = False
        self._is_new = True

    def compose(self) -> ComposeResult:
        """The tree, and a pane of text."""
        yield TreeList[Place](
            self._draw_place,
            id="checks",
            title="Checks (f)",
            key=lambda place: place.name,
            empty="No check to show: Esc and e bring them back.",
        )
        with TextPane(id="reason") as pane:
            pane.border_title = line("Details (Tab)")
            yield Static(id="reason-text", markup=False)

    def show_audit(self, audit: Audit) -> None:
        """List the checks again."""
        severities = list(Severity)
        self._checks = tuple(
            sorted(
                audit.checks,
                key=lambda check: (
                    OUTCOME_ORDER.index(check.outcome),
                    severities.index(check.severity),
                ),
            )
        )
        self._fill()

    def choose(self, checks: Collection[str]) -> None:
        """Show these checks alone; none for all."""
        self._chosen = checks
        self._fill()
        self.query_one("#checks", TreeList).cursor = 0

    @property
    def is_filtered(self) -> bool:
        """Whether only some checks are shown, which Esc would undo."""
        return bool(self._chosen)

    def _fill(self) -> None:
        shown = [
            check
            for check in self._checks
            if (not self._chosen or check.id in self._chosen)
            and (not self._is_failing_only or check.outcome == "fail")
        ]
        places = [entry for check in shown for entry in _places(check)]
        tree = self.query_one("#checks", TreeList)
        tree.grow(nodes(places), fold=self._is_new)
        self._is_new = self._is_new and not shown
        failing = sum(check.outcome == "fail" for check in shown)
        some = f"{len(shown)} of {len(self._checks)}" if self.is_filtered else f"{len(shown)}"
        tree.title("Checks (f) ", (f"{some}, {failing} failing", ""))
        if not shown:
            self.query_one("#reason-text", Static).update(line())

    def _draw_place(self, node: Node[Place], width: int) -> Content:
        place: Place = node.record
        sign = self.query_one("#checks", TreeList).sign(node)
        return place_line(place, f"{'  ' * node.depth}{sign} ")

    @on(RowList.Moved, "#checks")
    def follow(self, moved: RowList.Moved) -> None:
        """Tell all about the place under the cursor."""
        self.query_one("#reason-text", Static).update(stacked(explained(moved.row.record)))
        self.query_one("#reason").scroll_home(animate=False)

    @on(RowList.Chosen, "#checks")
    def open(self, chosen: RowList.Chosen) -> None:
        """Open the evidence; a check without any folds or unfolds."""
        evidence = chosen.row.record.evidence
        if evidence:
            self.jury.open_reference(evidence[0])
        else:
            self.query_one("#checks", TreeList).action_fold()

    def action_failing(self) -> None:
        self._is_failing_only = not self._is_failing_only
        self._fill()

    def action_next_failing(self, direction: int) -> None:
        if not self.query_one("#checks", TreeList).find(
            lambda node: node.depth == 0 and node.record.check.outcome == "fail", direction
        ):
            self.jury.say("None of these checks fails.")

    def action_copy(self) -> None:
        node = self.query_one("#checks", TreeList).current
        if node is not None:
            evidence = node.record.evidence
            self.jury.copy(
                (evidence[0].span_id or evidence[0].trace_id) if evidence else node.record.check.id
            )


def _places(check: CheckResult) -> Iterator[tuple[Place, int]]:
    yield Place(check), 0
    for number, finding in enumerate(check.findings[:FINDINGS_SHOWN]):
        yield Place(check, number), 1
        if len(finding.evidence) > 1:
            for index in range(len(finding.evidence)):
                yield Place(check, number, index), 2


def place_line(place: Place, indent: str) -> Content:
    """Draw a check, a finding or a piece of evidence."""
    check, finding = place.check, place.finding
    if finding is None:
        word = outcome_word(check.outcome)
        many = f" ({len(check.findings):,})" if check.findings else ""
        reason = f"  {check.reason}" if check.reason else ""
        return line(
            (f"{word.mark} ", word.style),
            indent,
            (f"{check.id:8}", "bold"),
            (f" {check.severity.upper():8} ", "$text-muted"),
            check.title,
            (many, "$text-error"),
            (reason, "$text-warning"),
        )
    if place.evidence_no < 0:
        return line("  ", indent, ("• ", "$text-error"), finding.message)
    return line(
        "  ", indent, ("↳ ", "$text-muted"), *_reference(finding.evidence[place.evidence_no])
    )


def _reference(reference: Reference) -> Iterator[str]:
    if reference.trace_id:
        yield f"trace {reference.trace_id} "
    if reference.span_id:
        yield f"span {reference.span_id} "
    if reference.log is not None:
        yield f"log record {reference.log}"
    if reference.alert is not None:
        yield f"alert {reference.alert}"
    if reference.row is not None:
        yield f"state row in line {reference.row}"


def explained(place: Place) -> Iterator[Content]:
    """Say everything about a place, a paragraph each."""
    check, finding = place.check, place.finding
    word = outcome_word(check.outcome)
    if finding is not None:
        yield line((finding.message, "bold"))
        about = (("workflow instance", finding.instance), ("fault", finding.fault))
        yield from (line((f"{name} ", "$text-muted"), value) for name, value in about if value)
        yield line(("Enter opens the evidence", "$text-muted") if finding.evidence else "")
    yield line((f"{word.mark} {word.text} ", word.style), (check.id, "bold"), f" {check.title}")
    if check.reason:
        yield line((f"{check.reason}: ", "$text-warning"), reason_sentence(check.reason))
    tested = f"{check.units_exposed:,} of {counted(check.units_total, 'unit')}"
    were = either(check.units_exposed, "was", "were")
    yield line(
        (
            f"{tested} {were} put to the test, {counted(check.exposures, 'time')} in all",
            "$text-muted",
        )
    )
    if finding is None and len(check.findings) > FINDINGS_SHOWN:
        yield line(
            f"The first {FINDINGS_SHOWN} of {len(check.findings):,} findings are listed; "
            "`tracejury audit --format json` has all."
        )
    for name, value in (
        ("untested", ", ".join(check.untested)),
        ("note", check.note),
        ("fix", check.remedy),
        ("serves", ", ".join(check.serves)),
    ):
        if value:
            yield line((f"{name} ", "bold"), value)
