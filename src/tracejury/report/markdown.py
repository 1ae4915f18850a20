"""Write an audit as the audit template has it, in Markdown."""

from collections import Counter
from collections.abc import Iterator

from tracejury import __version__
from tracejury.report.headlines import headlines, trust_parts, verdict_sentence
from tracejury.report.markdown_details import details
from tracejury.report.markdown_text import bullets, escaped, table
from tracejury.report.mitigations import MITIGATIONS, NO_MITIGATION
from tracejury.report.numbers import duration, percent, points
from tracejury.report.tally import tasks
from tracejury.report.trial_rows import decided_by, harm_row, under
from tracejury.report.words import OUTCOMES, VERDICTS
from tracejury.scorecard.result import Audit, TestResult
from tracejury.scorecard.trials import trials


def render_markdown(audit: Audit) -> str:
    """Write the report with every section that has something to say."""
    return "\n".join([*_head(audit), *_results(audit), *details(audit)])


def outcome_word(outcome: str) -> str:
    """Write an outcome as mark and word."""
    return f"{OUTCOMES[outcome].mark} {OUTCOMES[outcome].text}"


def _head(audit: Audit) -> Iterator[str]:
    services = sorted(audit.completeness.by_service) if audit.completeness else []
    yield "# Reliability and resilience audit\n"
    yield bullets(
        [
            f"System: {', '.join(services) or 'unknown'}",
            f"Date: {audit.judged_at}",
            f"Auditor: tracejury {__version__}",
            f"Judged: {', '.join(audit.inputs) or 'nothing'}",
        ]
    )
    verdict = VERDICTS[audit.verdict]
    yield f"## Verdict: {verdict.mark} {verdict.text}\n"
    yield f"{escaped(verdict_sentence(audit))}\n"
    yield from _trials(audit)
    yield table(("Score", "Value", "Counted from"), [*_verdict_rows(audit), *headlines(audit)])
    yield f"Trust: {escaped(', '.join(trust_parts(audit.trust)))}.\n"


def _trials(audit: Audit) -> Iterator[str]:
    if audit.tests:
        yield "## Tests under faults\n"
        yield table(
            ("Test", "Asks", "Fault", "Outcome", "Decided by"),
            [
                (t.test, t.title, under(t), outcome_word(t.outcome), decided_by(t))
                for t in trials(audit)
            ],
        )
    if audit.faults:
        yield "## Who was hurt, and for how long\n"
        header = ("Fault", "What", "Success before → during → after", "Who was hurt", "How long")
        yield table(header, map(harm_row, audit.faults))


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


def _results(audit: Audit) -> Iterator[str]:
    if audit.workflows:
        yield "## Workflow inventory\n"
        yield _inventory(audit)
    if audit.checks or audit.tests:
        yield "## Results by task\n"
        yield _tasks(audit)
    if audit.tests:
        yield "## Tests\n"
        yield from (_test(test) for test in audit.tests)
    if audit.criteria:
        yield "## Pass criteria\n"
        yield table(
            ("Criterion", "Outcome", "It holds that", "Decided by"),
            [(c.id, outcome_word(c.outcome), c.title, ", ".join(c.checks)) for c in audit.criteria],
        )
    if audit.patterns:
        yield "## Risk patterns\n"
        yield _patterns(audit)


def _inventory(audit: Audit) -> str:
    steps = Counter(step.workflow for step in audit.timing.steps) if audit.timing else Counter()
    header = ("Workflow", "Trigger", "Steps", "Instances", "Ok", "Failed", "Unknown")
    return table(
        (*header, "Duration p50 / p95", "Services", "External dependencies"),
        [
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
            )
            for workflow in audit.workflows
        ],
    )


def _tasks(audit: Audit) -> str:
    rows = []
    for tally in tasks(audit):
        run = [
            test for test in audit.tests if test.task == tally.task and test.outcome != "not-run"
        ]
        critical = sum(
            len(check.findings)
            for check in audit.checks
            if check.task == tally.task and check.severity == "critical"
        )
        outcomes = [test.outcome for test in run]
        passed, failed = outcomes.count("pass"), outcomes.count("fail")
        name = f"{tally.task}. {tally.title}" if tally.task else tally.title
        counts = (len(run), passed, failed, len(run) - passed - failed, critical)
        checks = f"{tally.counts['pass']} / {tally.counts['fail']} / {tally.open}"
        rows.append((name, outcome_word(tally.outcome), *counts, checks))
    header = ("Task", "Outcome", "Tests run", "Passed", "Failed", "Partial", "Critical findings")
    return table((*header, "Checks passed / failed / open"), rows)


def _test(test: TestResult) -> str:
    faults = f", faults {', '.join(test.faults)}" if test.faults else ""
    title = escaped(f"{test.id}: {test.title}{faults}")
    clauses = bullets(
        f"{outcome_word(clause.outcome)}: {clause.text} ({', '.join(clause.checks)})"
        for clause in test.clauses
    )
    return f"### {outcome_word(test.outcome)} {title}\n\n{clauses}"


def _patterns(audit: Audit) -> str:
    rows = []
    for pattern in audit.patterns:
        leads_to, remedy = MITIGATIONS.get(pattern.id, NO_MITIGATION)
        about = (pattern.title, pattern.category, pattern.tier.upper())
        decided_by = ", ".join(pattern.checks)
        outcome = {"fail": "PRESENT", "pass": "ABSENT"}.get(pattern.outcome)
        said = f"{OUTCOMES[pattern.outcome].mark} {outcome}" if outcome else ""
        rows.append(
            (
                pattern.id,
                said or outcome_word(pattern.outcome),
                *about,
                leads_to,
                remedy,
                decided_by,
            )
        )
    header = ("Pattern", "Found", "Risk pattern", "Category", "Risk", "Leads to", "Prevented by")
    return table((*header, "Decided by"), rows)
