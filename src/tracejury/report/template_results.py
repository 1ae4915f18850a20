"""The audit template's results: tests under faults, inventory, risks, tasks, criteria, patterns."""

from collections import Counter
from collections.abc import Callable, Iterator

from tracejury.report.answered import answered, answers_of
from tracejury.report.campaign_rows import EVIDENCE, RUNS, evidence_rows, run_rows
from tracejury.report.headlines import headlines, trust_parts
from tracejury.report.mitigations import MITIGATIONS, NO_MITIGATION
from tracejury.report.numbers import duration
from tracejury.report.section import Section, Table
from tracejury.report.tally import TaskTally, tasks
from tracejury.report.trial_rows import decided_by, harm_row, under
from tracejury.report.words import Mark
from tracejury.scorecard.result import Audit
from tracejury.scorecard.trials import trials
from tracejury.telemetry.numbers import counted, either, percent, points
from tracejury.workflow.step_risk import FORMULA, StepRisk, workflow_ranks

STEPS_SHOWN = 30


def _campaign(audit: Audit) -> Section:
    evidence = tuple(
        (name, asks, Mark(outcome), when, run)
        for name, asks, outcome, when, run in evidence_rows(audit)
    )
    return Section(
        "campaign",
        "Campaign",
        says=("Each run was judged on its own; of each test and criterion the newest counts.",),
        tables=(
            Table("The runs, the newest first", RUNS, tuple(run_rows(audit))),
            Table("Which run decided what", EVIDENCE, evidence),
        ),
    )


def _trials(audit: Audit) -> Section:
    rows = tuple(
        (trial.test, Mark(trial.outcome), under(trial), decided_by(trial), trial.title)
        for trial in trials(audit)
    )
    header = ("Test", "Outcome", "Fault", "Decided by", "Asks")
    return Section(
        "tests",
        "Tests under faults",
        tables=(Table("Each test under each fault that ran it", header, rows),),
    )


def _harm(audit: Audit) -> Section:
    header = ("Fault", "What", "Success before → during → after", "Who was hurt", "How long")
    rows = tuple(tuple(harm_row(fault)) for fault in audit.faults)
    return Section(
        "harm",
        "Who was hurt, and for how long",
        tables=(Table("What each fault did to workflow instances", header, rows),),
    )


def _scores(audit: Audit) -> Section:
    rows = [*_verdict_rows(audit), *((h.name, h.value, h.remark) for h in headlines(audit))]
    return Section(
        "scores",
        "Scores",
        says=(f"Trust: {', '.join(trust_parts(audit.trust))}.",),
        tables=(Table("The score and the four headline scores", _SCORES, tuple(rows)),),
    )


_SCORES = ("Score", "Value", "Counted from")


def _verdict_rows(audit: Audit) -> Iterator[tuple[str, str, str]]:
    if audit.score is None:
        return
    remark = "passed weight of the applicable weight"
    if audit.interval:
        low, high = audit.interval
        remark += f"; between {points(low)} and {points(high)} were everything observed"
    yield "Audit", f"{points(audit.score)} of 100", remark
    if audit.coverage is not None:
        yield "Coverage", percent(audit.coverage), "decided weight of the applicable weight"


def _inventory(audit: Audit) -> Section:
    steps = Counter(step.workflow for step in audit.timing.steps) if audit.timing else Counter()
    worst = workflow_ranks(audit.step_risks)
    rows = tuple(
        (
            workflow.name,
            workflow.trigger,
            steps[workflow.name] or "unknown",
            workflow.instances,
            workflow.ok,
            workflow.failed,
            workflow.unknown,
            f"{duration(workflow.p50_ms)} / {duration(workflow.p95_ms)}",
            ", ".join(workflow.services),
            ", ".join(workflow.externals) or "none seen",
            _risk_of(workflow.name, worst),
        )
        for workflow in audit.workflows
    )
    header = ("Workflow", "Trigger", "Steps", "Instances", "Ok", "Failed", "Unknown")
    more = ("Duration p50 / p95", "Services", "External dependencies", "Risk")
    return Section(
        "inventory",
        "Workflow inventory",
        tables=(Table("The workflows that ran", (*header, *more), rows),),
    )


def _risk_of(workflow: str, worst: dict[str, StepRisk]) -> str:
    if workflow not in worst:
        return "not observed"
    step = worst[workflow]
    return f"{step.rank} ({step.risk}, {step.service} {step.name})"


def _risks(audit: Audit) -> Section:
    rows = tuple(
        (
            f"{step.service} {step.name} ({step.kind.lower()})",
            step.probability,
            step.impact,
            step.difficulty,
            step.risk,
            step.rank,
            ", ".join(step.flags) or "none seen",
        )
        for step in audit.step_risks[:STEPS_SHOWN]
    )
    header = ("Step", "Failure probability", "Impact", "Detection difficulty", "Risk score", "Risk")
    more = len(audit.step_risks) - STEPS_SHOWN
    return Section(
        "risks",
        "Risk matrix",
        says=(
            f"{FORMULA[0].upper()}{FORMULA[1:]}; 12 and more is critical, 9 and more high. Whether"
            " a step takes what users type, and whether it can be undone, a person must add."
            + (
                f" {counted(more, 'further step')} {either(more, 'has', 'have')} a lower risk."
                if more > 0
                else ""
            ),
        ),
        tables=(
            Table("Steps by risk, the highest first", (*header, "High-risk indicators"), rows),
        ),
    )


def _tasks(audit: Audit) -> Section:
    header = ("Task", "Outcome", "Tests run", "Passed", "Failed", "Partial", "Not run")
    more = ("Critical findings", "Checks passed / failed / not observed")
    rows = tuple(_task(audit, tally) for tally in tasks(audit) if audit.checks)
    return Section(
        "tasks",
        "Results by task",
        tables=(Table("The ten tasks of the audit", (*header, *more), rows),),
    )


def _task(audit: Audit, tally: TaskTally) -> tuple[str | int | Mark, ...]:
    outcomes = [test.outcome for test in audit.tests if test.task == tally.task]
    critical = sum(len(check.findings) for check in tally.checks if check.severity == "critical")
    return (
        f"{tally.task}. {tally.title}" if tally.task else tally.title,
        Mark(tally.outcome),
        len(outcomes) - outcomes.count("not-run"),
        outcomes.count("pass"),
        outcomes.count("fail"),
        outcomes.count("partial"),
        outcomes.count("not-run"),
        critical,
        f"{tally.counts['pass']} / {tally.counts['fail']} / {tally.open}",
    )


def _clauses(audit: Audit) -> Section:
    rows = tuple(
        (test.id, clause.text, Mark(clause.outcome), ", ".join(clause.checks))
        for test in audit.tests
        for clause in test.clauses
    )
    return Section(
        "clauses",
        "Tests, clause by clause",
        tables=(
            Table(
                "What each test asks, over the whole run",
                ("Test", "Asks that", "Outcome", "Decided by"),
                rows,
            ),
        ),
    )


def _criteria(audit: Audit) -> Section:
    rows = tuple(
        (c.id, Mark(c.outcome), c.title, answered(c.answer) or ", ".join(c.checks))
        for c in audit.criteria
    )
    header = ("Criterion", "Outcome", "It holds that", "Decided by")
    return Section("criteria", "Pass criteria", tables=(Table("The criteria", header, rows),))


def _answers(audit: Audit) -> Section:
    rows = tuple((a.id, Mark(a.outcome), a.who, a.when, a.why) for a in answers_of(audit))
    header = ("Criterion or check", "Outcome", "Who", "When", "Why")
    return Section(
        "answers",
        "Answers",
        says=("What persons answered, where telemetry cannot tell.",),
        tables=(Table("Answers of persons", header, rows),),
    )


def _patterns(audit: Audit) -> Section:
    rows = []
    for pattern in audit.patterns:
        leads_to, remedy = MITIGATIONS.get(pattern.id, NO_MITIGATION)
        said = {"fail": "PRESENT", "pass": "ABSENT"}.get(pattern.outcome, "")
        rows.append(
            (
                pattern.id,
                Mark(pattern.outcome, said),
                pattern.title,
                pattern.category,
                pattern.tier.upper(),
                leads_to,
                ", ".join(pattern.checks),
                remedy,
            )
        )
    header = ("Pattern", "Found", "Risk pattern", "Category", "Risk", "Leads to", "Detected by")
    return Section(
        "patterns",
        "Risk patterns",
        tables=(Table("The risk patterns", (*header, "Mitigation"), tuple(rows)),),
    )


RESULTS: tuple[Callable[[Audit], Section], ...] = (
    _campaign,
    _trials,
    _harm,
    _scores,
    _inventory,
    _risks,
    _tasks,
    _clauses,
)
CRITERIA: tuple[Callable[[Audit], Section], ...] = (_criteria, _answers, _patterns)
