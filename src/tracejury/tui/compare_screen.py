"""What moved since an earlier run: the doubts above, and below every movement that counts."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Static

from tracejury.scorecard.compare import FOR, Change, Comparison, OutcomeChange, Run, compare
from tracejury.scorecard.result import Audit
from tracejury.scorecard.step_durations import step_durations
from tracejury.telemetry.numbers import counted, percent, points
from tracejury.tui.content import Cell, line, row, stacked
from tracejury.tui.numbers import short_ms
from tracejury.tui.row_list import RowList
from tracejury.tui.tab_bar import TabBar
from tracejury.tui.words import VERDICTS, outcome_word

if TYPE_CHECKING:
    from tracejury.tui.app import TracejuryApp

# What counts against the later run stands first.
_CHANGES: Final[dict[Change, tuple[str, str]]] = {
    "regressed": ("worse", "bold $text-error"),
    "found": ("new failure", "bold $text-error"),
    "lost": ("no longer seen", "$text-error"),
    "unproven": ("only not seen", "$text-warning"),
    "other": ("undecided", "$text-muted"),
    "fixed": ("better", "$text-success"),
    "proven": ("newly proven", "$text-success"),
}
# What stands before the word of a movement that may be none.
_DOUBTFUL, _TENTATIVE = "!", "≈"
_WORD: Final = 16  # cells of the longest word with its marks
_WORSE, _BETTER = ("worse", "bold $text-error"), ("better", "$text-success")


class Movement(NamedTuple):
    """One thing that moved. `check` is what its evidence is listed under; '' for a number."""

    name: str
    what: str
    was: str
    now: str
    word: str
    style: str
    checks: tuple[str, ...]


class CompareScreen(Screen[None]):
    """The run that is open against `before`. Enter opens findings of a check; Esc goes back."""

    AUTO_FOCUS = "#movements"
    BINDING_GROUP_TITLE = "Compare"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.step_back", "Back", key_display="Esc")
    ]
    DEFAULT_CSS = """
    CompareScreen {
        #compared { height: auto; max-height: 50%; padding: 0 2; }
        #movements { height: 1fr; }
    }
    """

    def __init__(self, before: Run) -> None:
        super().__init__()
        self._before = before
        self._value_width = 0

    def compose(self) -> ComposeResult:
        """Verdicts and doubts above, movements below."""
        yield TabBar()
        yield Static(id="compared", markup=False)
        yield RowList[Movement](
            self._draw_movement,
            id="movements",
            title="What moved",
            key=lambda moved: (moved.name, moved.what),
            empty="Nothing moved that counts.",
        )
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Compare, once the steps of the open run are measured."""
        cast("TracejuryApp", self.app).tell_state(self)
        self.load()

    @work(exclusive=True, group="compare")
    async def load(self) -> None:
        """Compare the run as it is now."""
        app = cast("TracejuryApp", self.app)
        steps = await app.ask(step_durations)
        if app.audited is None or steps is None:
            return
        compared = compare(self._before, Run(app.audited, steps))
        self.query_one("#compared", Static).update(stacked(_head(compared)))
        movements = tuple(_movements(compared)) if compared.can_judge else ()
        said = (text for moved in movements for text in (moved.was, moved.now))
        self._value_width = max(map(len, said), default=0)
        self.query_one("#movements", RowList).show(movements)

    def _draw_movement(self, moved: Movement, width: int) -> Content:
        return _movement_line(moved, width, self._value_width)

    @on(RowList.Chosen, "#movements")
    def open_checks(self, chosen: RowList.Chosen) -> None:
        """Go to the checks behind a movement."""
        if chosen.row.checks:
            cast("TracejuryApp", self.app).show_checks(chosen.row.checks)


def _head(compared: Comparison) -> Iterator[Content]:
    for name, audit in (("before", compared.before), ("after ", compared.after)):
        verdict = VERDICTS[audit.verdict]
        yield line(
            (f"{name} ", "$text-muted"),
            (f"{verdict.mark} {verdict.text}", verdict.style),
            f"  {_score(audit)}  ",
            (", ".join(audit.inputs), "$text-muted"),
        )
    if not compared.can_judge:
        yield line(("There is nothing to compare: a run has no telemetry.", "$text-warning"))
        return
    counts = (
        counted(compared.regressions, "regression"),
        counted(compared.improvements, "improvement"),
    )
    tentative = f"   {_TENTATIVE} tentative: a small sample"
    yield line(("; ".join(counts), "bold"), (tentative, "$text-muted"))
    if compared.doubts:
        said = f"Less is observed, so better may be blindness ({_DOUBTFUL}):"
        yield line((said, "$text-warning"))
    for doubt in compared.doubts:
        yield line((f"{_DOUBTFUL} ", "$text-warning"), doubt)
    if not compared.doubts and any(moved.doubt for moved in compared.checks):
        yield line((f"{_DOUBTFUL} doubtful: put to the test less than before", "$text-warning"))


def _score(audit: Audit) -> str:
    score = "no score" if audit.score is None else f"score {points(audit.score)}"
    return f"{score}, until {audit.ran.last[:16].replace('T', ' ')}" if audit.ran else score


def _movements(compared: Comparison) -> Iterator[Movement]:
    outcomes = (*compared.criteria, *compared.tests, *compared.checks)
    behind = {c.id: c.checks for c in compared.after.criteria}
    behind |= {
        test.id: tuple(name for clause in test.clauses for name in clause.checks)
        for test in compared.after.tests
    }
    for change in _CHANGES:
        for moved in outcomes:
            if moved.change == change:
                yield _outcome(moved, behind.get(moved.id, (moved.id,)), bool(compared.doubts))
    yield from _measured(compared)


def _outcome(moved: OutcomeChange, checks: tuple[str, ...], is_doubted: bool) -> Movement:  # noqa: FBT001
    word, style = _CHANGES[moved.change]
    if moved.change in FOR and (is_doubted or moved.doubt):
        word = f"{_DOUBTFUL} {word}"
    was, now = outcome_word(moved.before), outcome_word(moved.after)
    return Movement(
        moved.id,
        moved.title,
        was.text,
        now.text,
        _tentative(word, moved.is_tentative),
        style,
        checks,
    )


def _measured(compared: Comparison) -> Iterator[Movement]:
    for number in compared.numbers:
        values = [
            "not observed" if value is None else _value(number.unit, value)
            for value in (number.before, number.after)
        ]
        word, style = _direction(number.direction)
        word = _tentative(word, number.is_tentative)
        yield Movement(number.name, "", values[0], values[1], word, style, ())
    for part in compared.shares:
        word, style = _direction(part.direction)
        shares = [percent(count / whole) for count, whole in (part.before, part.after)]
        word = _tentative(word, part.is_tentative)
        yield Movement(part.measure, part.subject, shares[0], shares[1], word, style, ())
    for step in compared.steps:
        word, style = _direction(step.direction)
        word = _tentative(word, step.is_tentative)
        place = f"{step.step[1]} {step.step[2]} ({step.step[0]})"
        before, after = short_ms(step.before.ms), short_ms(step.after.ms)
        yield Movement(step.measure, place, before, after, word, style, ())


def _value(unit: str, value: float) -> str:
    if unit == "share":
        return percent(value)
    return points(value) if unit == "points" else counted(value, "minute")


def _direction(direction: str | None) -> tuple[str, str]:
    return {"worse": _WORSE, "better": _BETTER}.get(direction or "", ("", "$text-muted"))


def _tentative(word: str, is_tentative: bool) -> str:  # noqa: FBT001
    return f"{_TENTATIVE} {word}" if is_tentative else word


def _movement_line(moved: Movement, width: int, value_width: int) -> Content:
    return row(
        width,
        [
            Cell(moved.word, _WORD, moved.style),
            Cell(moved.name, 13, "$text-muted"),
            Cell(moved.was, value_width),
            Cell("→", 1, "$text-muted"),
            Cell(moved.now, value_width),
            Cell(moved.what),
        ],
    )
