"""What stands behind the scorecard: findings and evidence, what was not seen, what to do next."""

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from tracejury.checks.check import Finding
from tracejury.report.course_rows import HEADER as COURSE_HEADER
from tracejury.report.course_rows import course_rows
from tracejury.report.difficulty_rows import DifficultyRow, difficulty_rows
from tracejury.report.drawing import (
    Cell,
    Command,
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
from tracejury.report.next_steps import next_steps
from tracejury.report.numbers import duration
from tracejury.report.places import place
from tracejury.report.service_rows import not_missing, service_rows
from tracejury.report.state_queries import are_asked_for, state_queries
from tracejury.report.step_rows import (
    BUDGET_HEADER,
    GAP_HEADER,
    WHAT_IF_HEADER,
    budget_rows,
    gap_rows,
    what_if_rows,
)
from tracejury.report.stopwatch_rows import HEADER, stopwatch_rows
from tracejury.report.tally import failing, undecided
from tracejury.report.words import OUTCOMES, SEVERITY_STYLES, VERDICTS
from tracejury.scorecard.result import (
    Audit,
    CheckResult,
    Completeness,
    MissingStep,
    StepTiming,
    WorkflowSummary,
)
from tracejury.scorecard.words import reason_sentence
from tracejury.telemetry.numbers import counted, either, percent, points, short

FINDINGS_SHOWN = 3
UNITS_SHOWN = 4
ROWS_SHOWN = 8


def details(audit: Audit) -> Iterator[RenderableType]:
    """Give the parts behind the scorecard; the last lines are what a terminal shows first."""
    yield from _failing(failing(audit))
    if audit.verdict != "CANNOT_JUDGE":  # there, it is every check, for one reason
        yield from _undecided(undecided(audit))
    if audit.completeness and audit.completeness.missing:
        yield from _services(audit.completeness)
        yield from _missing(audit.completeness.missing)
    if audit.workflows:
        yield from _workflows(audit.workflows)
    if audit.timing and audit.timing.steps:
        yield from _slowest(audit.timing.steps)
    yield from _tables(audit)
    yield from _difficulty(difficulty_rows(audit))
    if audit.bounds:
        yield heading("BOUNDS", "the policy that these verdicts used")
        bounds = (f"{name} {bound:g}" for name, bound in sorted(audit.bounds.items()))
        yield indented(joined(*bounds, separator=", "))
    yield from _state_rows(audit)
    yield from _next(audit)


def _failing(checks: list[CheckResult]) -> Iterator[RenderableType]:
    if not checks:
        return
    yield heading("FAILING CHECKS", "the most severe first")
    for check in checks:
        severity = text(check.severity.upper(), SEVERITY_STYLES[check.severity])
        said = joined(text(check.id, "bold"), severity, check.title, separator="  ")
        yield bullet(OUTCOMES["fail"].mark, said)
        yield indented(text(_exposure(check), "dim"), 4)
        for finding in check.findings[:FINDINGS_SHOWN]:
            yield bullet("•", text(finding.message), 4)
            yield from (indented(text(line, "dim"), 6) for line in _places(finding))
        if more := and_more(FINDINGS_SHOWN, len(check.findings)):
            yield indented(text(f"{more}: --format json has all"), 4)
        if check.note:
            yield indented(joined("note:", check.note), 4)
        if check.remedy:
            yield indented(joined(text("fix:", "bold"), check.remedy), 4)


def _exposure(check: CheckResult) -> str:
    units = f"{check.units_exposed:,} of {counted(check.units_total, 'unit')}"
    were = either(check.units_exposed, "was", "were")
    times = "once" if check.exposures == 1 else counted(check.exposures, "time")
    served = f"; serves {listed(check.serves, UNITS_SHOWN)}" if check.serves else ""
    return f"{units} {were} put to the test, {times} in all{served}"


def _places(finding: Finding) -> Iterator[str]:
    about = (("workflow instance", finding.instance), ("fault", finding.fault))
    if said := ", ".join(f"{name} {value}" for name, value in about if value):
        yield said
    if finding.evidence:
        more = and_more(1, len(finding.evidence))
        yield place(finding.evidence[0]) + (f" ({more})" if more else "")


def _undecided(groups: dict[str, list[CheckResult]]) -> Iterator[RenderableType]:
    if not groups:
        return
    yield heading("NOT OBSERVED", "neither passed nor failed, and never counted as passed")
    for reason, checks in groups.items():
        yield indented(_reason(reason))
        yield grid([(check.id, _what_is_open(check)) for check in checks], indent=4)


def _reason(reason: str) -> Text:
    if reason in ("manual", "error"):
        return joined(word(reason), reason_sentence(reason), separator="  ")
    return joined(text(reason, "yellow"), reason_sentence(reason), separator="  ")


def _what_is_open(check: CheckResult) -> Text:
    said: list[Cell] = [text(check.title, SEVERITY_STYLES[check.severity])]
    if check.reason == "units":
        said.append(text(f"{check.units_exposed} of {check.units_total} tested", "dim"))
    if check.untested:
        said.append(text(f"untested: {listed(check.untested, UNITS_SHOWN)}", "dim"))
    if check.note:
        said.append(text(check.note, "dim"))
    return joined(*said, separator="; ")


def _services(completeness: Completeness) -> Iterator[RenderableType]:
    services = service_rows(completeness)
    yield heading("SPANS BY SERVICE", "how many came, why others did not, and who says so")
    rows: list[list[Cell]] = [
        [
            row.ratio,
            row.service,
            joined(row.basis, row.gap, separator=": "),
        ]
        for row in services[:ROWS_SHOWN]
    ]
    yield grid(rows, right=(0,))
    yield from _rest(len(services))
    if said := not_missing(completeness):
        yield indented(text(said, "dim"))


def _missing(missing: tuple[MissingStep, ...]) -> Iterator[RenderableType]:
    yield heading("MISSING SPANS", "known to have existed, and why")
    rows: list[list[Cell]] = [
        [
            short(step.missing),
            joined(step.service, step.step),
            joined(step.cause, step.evidence, separator=": "),
        ]
        for step in missing[:ROWS_SHOWN]
    ]
    yield grid(rows, right=(0,))
    yield from _rest(len(missing))


def _workflows(workflows: tuple[WorkflowSummary, ...]) -> Iterator[RenderableType]:
    yield heading("WORKFLOWS")
    header = [text(name, "dim") for name in ("runs", "ok", "failed", "?", "p50", "p95", "workflow")]
    rows: list[list[Cell]] = [
        [
            f"{workflow.instances:,}",
            f"{workflow.ok:,}",
            f"{workflow.failed:,}",
            f"{workflow.unknown:,}",
            duration(workflow.p50_ms),
            duration(workflow.p95_ms),
            workflow.name,
        ]
        for workflow in workflows[:ROWS_SHOWN]
    ]
    yield grid([header, *rows], right=range(6))
    yield from _rest(len(workflows))


def _slowest(steps: tuple[StepTiming, ...]) -> Iterator[RenderableType]:
    yield heading("WHERE THE TIME GOES", "steps by their share of the critical path")
    slowest = sorted(steps, key=lambda step: -(step.critical_share or 0))[:ROWS_SHOWN]
    has_baseline = any(step.baseline_p95_ms is not None for step in slowest)
    names = ("share", "p50", "p95", *(("clean p95",) if has_baseline else ()), "self", "step")
    rows: list[list[Cell]] = [
        [
            percent(step.critical_share) if step.critical_share is not None else "-",
            duration(step.p50_ms),
            duration(step.p95_ms),
            *((duration(step.baseline_p95_ms),) if has_baseline else ()),
            duration(step.self_ms),
            joined(step.service, step.name, text(step.kind.lower(), "dim")),
        ]
        for step in slowest
    ]
    yield grid([[text(name, "dim") for name in names], *rows], right=range(len(names) - 1))
    yield from _rest(len(steps))


def _difficulty(rows: list[DifficultyRow]) -> Iterator[RenderableType]:
    if not rows:
        return
    yield heading("DIFFICULTY", "how long it takes at least to find each cause")
    cells: list[list[Cell]] = [
        [
            row.minutes,
            joined(
                text(row.name, "bold"),
                f"candidates {row.candidates}",
                f"most of it {row.dearest}",
                *([f"in the way: {row.blockers}"] if row.blockers else []),
                *([f"would save most: {row.fix}"] if row.fix else []),
                *([f"rank of the target: {row.rank}"] if row.rank else []),
                separator="; ",
            ),
        ]
        for row in rows[:ROWS_SHOWN]
    ]
    yield grid(cells, right=(0,))
    yield from _rest(len(rows))


def _tables(audit: Audit) -> Iterator[RenderableType]:
    steps = audit.timing.steps if audit.timing else ()
    measured = audit.diagnosis.measured if audit.diagnosis else ()
    saving = "how much sooner a workflow would end, on average and at most"
    gaps = gap_rows(audit.timing.unexplained if audit.timing else ())
    courses = list(map(_narrow, course_rows(audit.faults)))
    unseen = "time that no child and no log line accounts for"
    yield from _table("UNEXPLAINED GAPS", unseen, GAP_HEADER, gaps, right=3)
    yield from _table("WHAT IF", saving, WHAT_IF_HEADER, what_if_rows(steps), right=3)
    yield from _table(
        "BUDGETS", "declared in step_seconds", BUDGET_HEADER, budget_rows(steps), right=4
    )
    yield from _table(
        "AROUND EACH FAULT", "before → during → after", _narrow(COURSE_HEADER), courses, right=0
    )
    yield from _table("STOPWATCH", "minutes to the root", HEADER, stopwatch_rows(measured), right=1)


def _narrow(row: Sequence[str]) -> tuple[str, ...]:
    """Leave the counts of instances to wider reports."""
    fault, workflow, _, *rest = row
    return (fault, workflow, *rest)


def _table(
    title: str, about: str, header: Sequence[str], rows: Sequence[Sequence[str]], *, right: int
) -> Iterator[RenderableType]:
    """Give a table, the first columns of which are numbers; nothing where it has no rows."""
    if rows:
        yield heading(title, about)
        shown = [[text(cell) for cell in row] for row in rows[:ROWS_SHOWN]]
        yield grid([[text(name.lower(), "dim") for name in header], *shown], right=range(right))
        yield from _rest(len(rows))


def _rest(total: int) -> Iterator[RenderableType]:
    if more := and_more(ROWS_SHOWN, total):
        yield indented(text(f"{more}: --format json has all"))


def _state_rows(audit: Audit) -> Iterator[RenderableType]:
    if are_asked_for(audit):
        yield heading("STATE ROWS", "your own database may decide which jobs are in a wrong state")
        for query in state_queries(audit):
            yield bullet("-", joined(text(f"{query.finds}:"), text(query.sql, "dim")))


def _next(audit: Audit) -> Iterator[RenderableType]:
    yield heading("NEXT")
    for step in next_steps(audit):
        yield indented(Command(step.command, step.gives))
    verdict = VERDICTS[audit.verdict]
    score = "" if audit.score is None else f"score {points(audit.score)} of 100"
    said = joined(text(f"{verdict.mark} {verdict.text}", verdict.style), score, separator="  ")
    yield Text("\n").append_text(said)
