"""The first two screens of the text report: verdict, scores, tasks, tests, criteria and faults."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from tracejury import __version__
from tracejury.report.answered import answered, answers_of
from tracejury.report.campaign_rows import RUNS, evidence_rows, run_rows
from tracejury.report.course_rows import noticed
from tracejury.report.drawing import (
    Cell,
    bullet,
    grid,
    heading,
    indented,
    joined,
    listed,
    text,
    word,
)
from tracejury.report.headlines import headlines, trust_parts, verdict_sentence
from tracejury.report.numbers import clock, duration
from tracejury.report.tally import outcomes_counted, tasks
from tracejury.report.terminal import Terminal
from tracejury.report.trial_rows import decided_by, harm_row, under
from tracejury.report.words import OUTCOMES, SEVERITY_STYLES, VERDICTS
from tracejury.scorecard.result import Answer, Audit, Criterion, FaultResult, Suspect
from tracejury.scorecard.trials import Trial, trials
from tracejury.telemetry.numbers import percent, points

INPUTS_SHOWN = 3
SUSPECTS_SHOWN = 3
WIDEST_OUTCOME = max(len(f"{word.mark} {word.text}") for word in OUTCOMES.values())


def scorecard(audit: Audit, terminal: Terminal) -> Iterator[RenderableType]:
    """Give the parts of the scorecard from top to bottom."""
    inputs = listed(audit.inputs, INPUTS_SHOWN)
    yield joined(text(f"tracejury {__version__}", "bold"), audit.judged_at, inputs, separator="  ")
    yield from _verdict(audit, terminal.width)
    if audit.runs:
        yield from _campaign(audit)
    if audit.tests:
        yield from _trials(trials(audit))
    if audit.faults:
        yield from _faults(audit.faults)
    yield from _scores(audit)
    if audit.checks:
        yield from _tasks(audit)
    if audit.criteria:
        yield from _criteria(audit.criteria)
    if answers := answers_of(audit):
        yield from _answers(answers)
    if evidence := list(evidence_rows(audit)):
        yield heading("EVIDENCE", "of each test and criterion the newest run that decided it")
        rows = [(word(row[2]), row[0], row[3], row[4]) for row in evidence]
        yield grid(rows, widths=(WIDEST_OUTCOME,))


def _verdict(audit: Audit, width: int) -> Iterator[RenderableType]:
    verdict = VERDICTS[audit.verdict]
    said: list[Cell] = [text(f"{verdict.mark} {verdict.text}", verdict.style)]
    if audit.score is not None:
        said.append(text(f"score {points(audit.score)} of 100", "bold"))
    if audit.interval:
        said.append(f"interval {points(audit.interval[0])} to {points(audit.interval[1])}")
    if audit.coverage is not None:
        said.append(f"coverage {percent(audit.coverage)}")
    yield Text("\n").append_text(indented_text(joined(*said, separator="   ")))
    if audit.interval and audit.failed_share is not None and audit.unobserved_share is not None:
        passed = audit.interval[0] / 100
        yield from _bar((passed, audit.failed_share, audit.unobserved_share), width - 4)
    yield indented(text(verdict_sentence(audit)))


def _campaign(audit: Audit) -> Iterator[RenderableType]:
    yield heading("CAMPAIGN", "of several runs, each judged on its own; the newest evidence counts")
    for until, run, verdict, *numbers, faults in run_rows(audit):
        yield bullet(until, joined(text(verdict, "bold"), text(run), separator="  "))
        said = (f"{name.lower()} {value}" for name, value in zip(RUNS[3:-1], numbers, strict=True))
        yield indented(text(f"{', '.join(said)}; faults: {faults}", "dim"), 4)


def indented_text(content: Text) -> Text:
    """Move one line to the right."""
    return Text("  ").append_text(content)


def _bar(shares: tuple[float, float, float], width: int) -> Iterator[RenderableType]:
    """Draw how the weight divides; each part has its own pattern, so no colour is needed."""
    looks = (("█", "green", "passed"), ("▓", "red", "failed"), ("░", "yellow", "not observed"))
    cells = [round(share * width) for share in shares[:2]]
    cells.append(max(0, width - sum(cells)))
    bar, legend = Text(), []
    for (pattern, style, name), count, share in zip(looks, cells, shares, strict=True):
        bar.append(pattern * count, style)
        legend.append(joined(text(pattern, style), f"{name} {percent(share)}"))
    yield indented(bar)
    yield indented(joined(*legend, separator="   "))


def _scores(audit: Audit) -> Iterator[RenderableType]:
    yield heading("SCORES")
    yield grid([[name, text(value, "bold"), remark] for name, value, remark in headlines(audit)])
    if audit.completeness and audit.completeness.criteria:
        shares = audit.completeness.criteria.items()
        said = ", ".join(f"{name.replace('_', ' ')} {percent(share)}" for name, share in shares)
        yield bullet("End to end:", text(said))
    yield heading("TRUST")
    yield indented(text(", ".join(trust_parts(audit.trust))))


def _tasks(audit: Audit) -> Iterator[RenderableType]:
    yield heading("TASKS", "open: not observed, or for a person to answer")
    names = ("", "task", "together", "pass", "fail", "open", "n/a")
    rows: list[list[Cell]] = [
        [
            str(tally.task or ""),
            tally.title,
            word(tally.outcome),
            _count(tally.counts["pass"], "pass"),
            _count(tally.counts["fail"], "fail"),
            _count(tally.open, "not-observed"),
            _count(tally.counts["not-applicable"], "not-applicable"),
        ]
        for tally in tasks(audit)
    ]
    yield grid([[text(name, "dim") for name in names], *rows], right=(0, 3, 4, 5, 6), widths=(2,))


def _count(number: int, outcome: str) -> Text:
    return text(str(number), OUTCOMES[outcome].style) if number else text("·", "dim")


def _criteria(criteria: tuple[Criterion, ...]) -> Iterator[RenderableType]:
    yield heading("CRITERIA", outcomes_counted(criteria))
    yield grid(
        [
            [
                word(criterion.outcome),
                text(criterion.id, SEVERITY_STYLES[criterion.tier]),
                joined(
                    criterion.title,
                    text(" ".join(criterion.checks), "dim"),
                    answered(criterion.answer),
                    separator="  ",
                ),
            ]
            for criterion in criteria
        ],
        widths=(WIDEST_OUTCOME,),
    )


def _answers(answers: tuple[Answer, ...]) -> Iterator[RenderableType]:
    yield heading("ANSWERS", "of persons, where telemetry cannot tell")
    yield grid(
        [
            [word(answer.outcome), answer.id, joined(f"{answer.who}, {answer.when}:", answer.why)]
            for answer in answers
        ],
        widths=(WIDEST_OUTCOME,),
    )


def _trials(shown: tuple[Trial, ...]) -> Iterator[RenderableType]:
    yield heading("TESTS UNDER FAULTS", "and the clause that decided")
    ran = [trial for trial in shown if trial.outcome != "not-run"]
    if ran:
        rows = [
            (
                word(trial.outcome),
                _short_id(trial),
                text(under(trial), "dim"),
                joined(f"{trial.title};", text(decided_by(trial), "dim")),
            )
            for trial in ran
        ]
        yield grid(rows, widths=(WIDEST_OUTCOME,))
    not_run = [trial for trial in shown if trial.outcome == "not-run"]
    # A test that several faults could run is one test.
    undecided = dict.fromkeys(_short_id(trial) for trial in not_run if trial.clause)
    without = dict.fromkeys(_short_id(trial) for trial in not_run if not trial.clause)
    for names, why in (
        (undecided, "no clause of them could be decided"),
        (without, "no fault was injected for them"),
    ):
        if names:
            yield grid([(word("not-run"), f"{' '.join(names)}: {why}")], widths=(WIDEST_OUTCOME,))


def _short_id(trial: Trial) -> str:
    return trial.test.removeprefix("TEST-RR-")


def _faults(faults: tuple[FaultResult, ...]) -> Iterator[RenderableType]:
    yield heading("FAULTS", "success of workflow instances before → during → after")
    for fault in faults:
        harm = harm_row(fault)
        ran = duration((fault.end_ns - fault.start_ns) / 1e6)
        yield indented(
            joined(
                text(fault.id, "bold"),
                joined(fault.kind, fault.target),
                f"{clock(fault.start_ns)} for {ran}",
                separator="  ",
            )
        )
        yield indented(text(f"success {harm.success}; {noticed(fault)}"), 4)
        yield bullet("hurt", joined(harm.who, text(harm.how_long, "dim"), separator="; "), 4)
        yield bullet("suspects", _suspects(fault), 4)


def _suspects(fault: FaultResult) -> Text:
    if not fault.suspects:
        return text("none: nothing stands out")
    names = [
        f"{rank}. {_place(suspect)}"
        for rank, suspect in enumerate(fault.suspects[:SUSPECTS_SHOWN], 1)
    ]
    if not fault.stands_out:
        names.append("but none stands out")
    if fault.about_window:
        names.append(fault.about_window)
    if fault.rank_of_target is not None:
        names.append(f"the fault's target ranks {fault.rank_of_target} of {len(fault.suspects)}")
    elif fault.target:
        names.append("the fault's target is not among them")
    return text("; ".join(names))


def _place(suspect: Suspect) -> str:
    return f"{suspect.service} {suspect.step}".strip() + f" ({suspect.score:.2f})"
