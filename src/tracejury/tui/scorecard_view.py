"""The scorecard: verdict, four headline scores, ten tasks, criteria, tests and the trust line."""

from collections import Counter
from typing import NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.widgets import Static

from tracejury.scorecard.result import Audit, CheckResult, Criterion
from tracejury.scorecard.trials import Trial, trials
from tracejury.scorecard.words import TASKS, task_title
from tracejury.tui.content import MIDDLING, Cell, row
from tracejury.tui.headlines import headlines, trust_line, verdict_lines
from tracejury.tui.row_list import RowList
from tracejury.tui.view import View
from tracejury.tui.words import OUTCOMES, outcome_word

OUTCOME_WIDTH = max(len(word.text) for word in OUTCOMES.values())
UNDECIDED = ("not-observed", "manual", "error")


class TaskRow(NamedTuple):
    """A task of the audit with its checks."""

    task: int
    checks: tuple[CheckResult, ...]

    @property
    def counts(self) -> str:
        """How many checks ended how."""
        counts = Counter[str](check.outcome for check in self.checks)
        return " ".join(f"{OUTCOMES[name].mark}{counts[name]}" for name in OUTCOMES if counts[name])

    @property
    def outcome(self) -> str:
        """What became of all checks together: nothing undecided ever passes."""
        outcomes = {check.outcome for check in self.checks}
        if "fail" in outcomes:
            return "fail"
        if not outcomes or outcomes & set(UNDECIDED):
            return "not-observed"
        return "pass" if "pass" in outcomes else "not-applicable"


class ScorecardView(View):
    """What the run is worth, at a glance."""

    _counts_width = 0

    def compose(self) -> ComposeResult:
        """Verdict above, tables in the middle, the trust line below."""
        yield Static(id="verdict", markup=False)
        with Container(id="tables"):
            yield RowList[TaskRow](
                self._task_line, id="tasks", title="Audit tasks", key=lambda task: task.task
            )
            yield RowList[Criterion](
                _criterion_line, id="criteria", title="Criteria", key=lambda found: found.id
            )
        yield RowList[Trial](
            _trial_line, id="trials", title="Tests", key=lambda trial: (trial.test, trial.fault)
        )
        yield Static(id="trust", markup=False)

    def show_audit(self, audit: Audit) -> None:
        """Fill the whole view."""
        self._draw_verdict(audit)
        self.query_one("#trust", Static).update(trust_line(audit.trust))
        found = sorted(
            trials(audit), key=lambda trial: (trial.outcome == "not-run", trial.clause is None)
        )
        tests = self.query_one("#trials", RowList)
        tests.show(found)
        waiting = sum(trial.outcome == "not-run" for trial in found)
        tests.title("Tests under faults ", (f"{waiting} not run" if waiting else "", "$text-muted"))
        tasks = [_task_row(audit, task) for task in (*TASKS, 0)]
        shown = [task for task in tasks if task.task or task.checks]
        self._counts_width = max(len(task.counts) for task in shown)
        self.query_one("#tasks", RowList).show(shown)
        criteria = self.query_one("#criteria", RowList)
        criteria.show(audit.criteria)
        criteria.title("Criteria ", (_counted(audit.criteria), "$text-muted"))

    def _task_line(self, task: TaskRow, width: int) -> Content:
        word = outcome_word(task.outcome)
        return row(
            width,
            [
                Cell(word.mark, 1, word.style),
                Cell(str(task.task or ""), 2, "$text-muted", is_right=True),
                Cell(task_title(task.task)),
                Cell(task.counts, self._counts_width, "$text-muted"),
            ],
        )

    def _draw_verdict(self, audit: Audit) -> None:
        lines = [*verdict_lines(audit, max(self.size.width - 4, 10)), *headlines(audit)]
        self.query_one("#verdict", Static).update(Content("\n").join(lines))

    def on_resize(self) -> None:
        """Draw the bar as wide as there is room."""
        if self.jury.audited is not None:
            self._draw_verdict(self.jury.audited)

    @on(RowList.Chosen, "#trials")
    def open_trial(self, chosen: RowList.Chosen) -> None:
        """Go to the checks of the clause that decided, or of all clauses."""
        trial: Trial = chosen.row
        tests = self.jury.audited.tests if self.jury.audited else ()
        every = [clause for test in tests if test.id == trial.test for clause in test.clauses]
        clauses = [trial.clause] if trial.clause else every
        self.jury.show_checks([name for clause in clauses for name in clause.checks])

    @on(RowList.Chosen, "#tasks")
    def open_task(self, chosen: RowList.Chosen) -> None:
        """Go to the checks of the task."""
        self.jury.show_checks([check.id for check in chosen.row.checks])

    @on(RowList.Chosen, "#criteria")
    def open_criterion(self, chosen: RowList.Chosen) -> None:
        """Go to the checks that decide the criterion."""
        self.jury.show_checks(chosen.row.checks)


def _task_row(audit: Audit, task: int) -> TaskRow:
    known = [check for check in audit.checks if (check.task if check.task in TASKS else 0) == task]
    return TaskRow(task, tuple(known))


def _trial_line(trial: Trial, width: int) -> Content:
    word = outcome_word(trial.outcome)
    decided = "every clause holds"
    is_waiting = trial.outcome == "not-run" and trial.clause is None
    if is_waiting:
        decided = "no fault was injected for it"
    elif trial.clause:
        decided = f"{'fails' if trial.clause.outcome == 'fail' else 'open'}: {trial.clause.text}"
    return row(
        width,
        [
            Cell(word.mark, 1, word.style),
            Cell(word.text, 7, word.style),
            Cell(trial.test.removeprefix("TEST-RR-"), 4, "$text-muted"),
            Cell(trial.fault or ("" if is_waiting else "the whole run"), min(20, width // 5)),
            Cell(decided),
        ],
    )


def _criterion_line(criterion: Criterion, width: int) -> Content:
    word = outcome_word(criterion.outcome)
    in_words = [Cell(word.text, OUTCOME_WIDTH, word.style)] if width >= MIDDLING else []
    return row(
        width,
        [
            Cell(word.mark, 1, word.style),
            *in_words,
            Cell(criterion.id, 10, "$text-muted"),
            Cell(criterion.title),
        ],
    )


def _counted(criteria: tuple[Criterion, ...]) -> str:
    counts = Counter[str](criterion.outcome for criterion in criteria)
    return ", ".join(
        f"{counts[name]} {word.text.lower()}" for name, word in OUTCOMES.items() if counts[name]
    )
