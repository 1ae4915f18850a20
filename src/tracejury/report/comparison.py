"""Write what moved between two runs: for people, what counts first, and the doubts before it."""

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from tracejury import __version__
from tracejury.report.comparison_json import render_comparison_json
from tracejury.report.drawing import (
    Cell,
    and_more,
    bullet,
    grid,
    heading,
    indented,
    joined,
    listed,
    text,
    word,
)
from tracejury.report.headlines import trust_parts
from tracejury.report.numbers import duration
from tracejury.report.terminal import PLAIN, Terminal, draw
from tracejury.report.words import VERDICTS
from tracejury.scorecard.compare import (
    AGAINST,
    Change,
    Comparison,
    NumberChange,
    OutcomeChange,
    ShareChange,
    StepChange,
)
from tracejury.scorecard.result import Audit
from tracejury.scorecard.step_durations import Quantile, StepName
from tracejury.telemetry.numbers import counted, either, percent, points, short

# In this order: what counts against the later run, what counts for nothing, what counts for it.
_CHANGES: dict[Change, tuple[str, str]] = {
    "regressed": ("got worse", "bold red"),
    "found": ("fails, and was not decided before", "bold red"),
    "lost": ("passed, and is not observed any more", "red"),
    "unproven": ("failed, and is only not observed any more: no improvement", "yellow"),
    "other": ("changed without a decision", "dim"),
    "fixed": ("got better", "green"),
    "proven": ("passes, and was not decided before", "green"),
}
# The same of a test that is partial now.
_IN_PART: dict[Change, str] = {
    "found": "fails in part, and was not decided before",
    "lost": "passed, and is observed only in part now",
    "proven": "passes in part, and was not decided before",
}
_TENTATIVE = "(tentative)"
_TENTATIVE_SHOWN = 10
_STEPS_SHOWN = 20


def render_comparison(
    comparison: Comparison,
    format: str,  # noqa: A002
    terminal: Terminal = PLAIN,
) -> str:
    """`json` as docs/compare.schema.json has it; `text` for people."""
    if format == "json":
        return render_comparison_json(comparison)
    return draw(_parts(comparison), terminal)


def _parts(comparison: Comparison) -> Iterator[RenderableType]:
    yield text(f"tracejury {__version__}", "bold")
    yield heading("RUNS")
    yield from _runs(comparison)
    if not comparison.can_judge:
        yield Text("\n").append_text(text("There is nothing to compare: a run has no telemetry."))
        return
    yield from _conclusion(comparison)
    for title, changes in (
        ("CRITERIA", comparison.criteria),
        ("TESTS", comparison.tests),
        ("CHECKS", comparison.checks),
    ):
        if changes:
            yield from _outcomes(title, changes, is_doubted=bool(comparison.doubts))
    yield from _numbers(comparison.numbers)
    yield from _shares(comparison.shares)
    yield from _steps(comparison)


def _runs(comparison: Comparison) -> Iterator[RenderableType]:
    for name, audit in (("before", comparison.before), ("after", comparison.after)):
        verdict = VERDICTS[audit.verdict]
        said: list[Cell] = [text(f"{verdict.mark} {verdict.text}", verdict.style)]
        if audit.score is not None:
            said.append(f"score {points(audit.score)} of 100")
        if audit.coverage is not None:
            said.append(f"coverage {percent(audit.coverage)}")
        said_of_it = [joined(listed(audit.inputs, 3)), joined(*said, separator="   ")]
        if audit.ran:
            said_of_it.append(text(f"{audit.ran.first} to {audit.ran.last}"))
        said_of_it.append(text(", ".join(_trust(audit)), "dim"))
        names: list[Cell] = [text(name, "bold"), *[""] * (len(said_of_it) - 1)]
        yield grid(zip(names, said_of_it, strict=True), widths=(len("before"),))


def _trust(audit: Audit) -> tuple[str, ...]:
    faults = [fault.id for fault in audit.faults]
    return (*trust_parts(audit.trust), f"faults: {listed(faults, 5)}" if faults else "no fault")


def _conclusion(comparison: Comparison) -> Iterator[RenderableType]:
    against, improvements = comparison.regressions, comparison.improvements
    said = (
        text(
            f"{counted(against, 'regression')}, {counted(improvements, 'improvement')}.",
            "bold red" if against else "bold",
        )
        if against or improvements
        else text("Nothing moved that counts.", "bold")
    )
    yield heading("RESULT")
    yield indented(said)
    yield heading("TRUST")
    if comparison.doubts:
        better = " So what is better may only be less observed." if improvements else ""
        yield indented(text(f"The later run is less observed than the earlier one.{better}"))
        yield from (bullet("!", text(doubt)) for doubt in comparison.doubts)
        return
    lost = sum(moved.change == "lost" for moved in comparison.checks)
    but = f", but {counted(lost, 'check')} that passed {either(lost, 'is', 'are')} not observed now"
    yield indented(text(f"As much telemetry came as in the earlier run{but if lost else ''}."))


def _outcomes(
    title: str, changes: Sequence[OutcomeChange], *, is_doubted: bool
) -> Iterator[RenderableType]:
    against = sum(moved.change in AGAINST for moved in changes)
    yield heading(title, f"{len(changes)} changed, {against} for the worse")
    for change, (meaning, style) in _CHANGES.items():
        for said in filter(None, (meaning, _IN_PART.get(change))):
            those = [m for m in changes if m.change == change and _meaning(m) == said]
            if those:
                yield indented(text(said, style))
                rows = [_outcome(moved, is_doubted=is_doubted) for moved in those]
                yield grid(rows, indent=4)


def _meaning(moved: OutcomeChange) -> str:
    meaning, _ = _CHANGES[moved.change]
    return _IN_PART.get(moved.change, meaning) if moved.after == "partial" else meaning


def _outcome(moved: OutcomeChange, *, is_doubted: bool) -> list[Cell]:
    remarks = [moved.doubt and f"doubtful: {moved.doubt}", _TENTATIVE * moved.is_tentative]
    if moved.change in ("fixed", "proven") and is_doubted and not moved.doubt:
        remarks.insert(0, "doubtful: less is observed")
    return [
        text(moved.id),
        joined(word(moved.before), "→", word(moved.after)),
        joined(moved.title, text("; ".join(filter(None, remarks)), "dim"), separator="  "),
    ]


def _numbers(numbers: Sequence[NumberChange]) -> Iterator[RenderableType]:
    if numbers:
        yield heading("SCORES")
        yield grid(
            [
                [
                    moved.name,
                    f"{_number(moved, moved.before)} → {_number(moved, moved.after)}",
                    joined(moved.direction or "", _TENTATIVE * moved.is_tentative),
                ]
                for moved in numbers
            ]
        )


def _number(moved: NumberChange, value: float | None) -> str:
    if value is None:
        return "not observed"
    if moved.unit == "share":
        return percent(value)
    return points(value) if moved.unit == "points" else f"≥ {short(value)} min"


def _shares(shares: Sequence[ShareChange]) -> Iterator[RenderableType]:
    if shares:
        yield heading("SUCCESS AND FAILURE", "of workflow instances, and of the spans of steps")
        yield grid(
            [
                [
                    moved.subject,
                    f"{moved.measure} {_counted(moved.before)} → {_counted(moved.after)}",
                    joined(moved.direction, _TENTATIVE * moved.is_tentative),
                ]
                for moved in shares
            ]
        )


def _counted(counts: tuple[int, int]) -> str:
    return f"{percent(counts[0] / counts[1])} ({counts[0]:,} of {counts[1]:,})"


def _steps(comparison: Comparison) -> Iterator[RenderableType]:
    sure = [moved for moved in comparison.steps if not moved.is_tentative]
    tentative = [moved for moved in comparison.steps if moved.is_tentative]
    for remark, moves, most in (
        ("durations of which the 99% intervals do not touch", sure, _STEPS_SHOWN),
        ("tentative: too few spans for an interval", tentative, _TENTATIVE_SHOWN),
    ):
        if moves:
            yield heading("TIMING PER STEP", remark)
            yield grid([_step(moved) for moved in moves[:most]], right=(2,))
            if more := and_more(most, len(moves)):
                yield indented(text(f"{more}: --format json has all", "dim"))
    for title, names in (
        ("ONLY IN THE LATER RUN", comparison.new_steps),
        ("ONLY IN THE EARLIER RUN", comparison.gone_steps),
    ):
        if names:
            yield heading(title, counted(len(names), "step"))
            yield indented(text(listed([_name(name) for name in names], 8)))


def _step(moved: StepChange) -> list[Cell]:
    style = {"worse": "red", "better": "green"}[moved.direction]
    return [
        moved.measure,
        text("slower" if moved.direction == "worse" else "faster", style),
        f"{duration(moved.before.ms)} → {duration(moved.after.ms)}",
        *(() if moved.is_tentative else (f"{_interval(moved.before)} → {_interval(moved.after)}",)),
        f"{_name(moved.step)}, {moved.counts[0]:,} and {counted(moved.counts[1], 'span')}",
    ]


def _interval(quantile: Quantile) -> str:
    return f"[{duration(quantile.low)}, {duration(quantile.high)}]"


def _name(step: StepName) -> str:
    workflow, service, name, _ = step
    return f"{service} {name}" if workflow == name else f"{service} {name} ({workflow})"
