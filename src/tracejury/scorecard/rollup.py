"""Roll checks up to criteria, patterns and tests: one failure fails, one gap leaves open."""

from collections.abc import Iterable

from tracejury.checks.check import Severity
from tracejury.scorecard.audit_items import ALWAYS, ANY, CRITERIA, PATTERNS, TESTS, AuditTest
from tracejury.scorecard.result import (
    CheckResult,
    Clause,
    Criterion,
    Outcome,
    TestOutcome,
    TestResult,
)
from tracejury.workflow.faults import Fault


def criteria(checks: tuple[CheckResult, ...]) -> tuple[Criterion, ...]:
    """The 19 pass criteria, the critical ones first."""
    return tuple(
        _item(name, title, Severity(name.partition("-")[0].lower()), checks)
        for name, title in CRITERIA
    )


def patterns(checks: tuple[CheckResult, ...]) -> tuple[Criterion, ...]:
    """The 20 risk patterns in the template's order."""
    return tuple(
        _item(f"pattern-{number}", title, risk, checks, category)
        for number, category, title, risk in PATTERNS
    )


def tests(checks: tuple[CheckResult, ...], injected: tuple[Fault, ...]) -> tuple[TestResult, ...]:
    """The 18 tests, each for the faults of its kind."""
    by_id = {check.id: check for check in checks}
    return tuple(_test(test, by_id, injected) for test in TESTS)


def _item(
    name: str, title: str, tier: Severity, checks: tuple[CheckResult, ...], category: str = ""
) -> Criterion:
    serving = tuple(check for check in checks if name in check.serves)
    return Criterion(
        id=name,
        title=title,
        tier=tier,
        outcome=_all(check.outcome for check in serving),
        checks=tuple(check.id for check in serving),
        category=category,
    )


def _all(outcomes: Iterable[Outcome]) -> Outcome:
    """AND: a failure fails; what is not decided leaves it open; what does not apply is left out."""
    relevant = [outcome for outcome in outcomes if outcome != "not-applicable"]
    if "fail" in relevant:
        return "fail"
    if any(outcome != "pass" for outcome in relevant):
        return "not-observed"
    return "pass" if relevant else "not-applicable"


def _test(
    test: AuditTest, checks: dict[str, CheckResult], injected: tuple[Fault, ...]
) -> TestResult:
    faults = tuple(fault.id for fault in injected if _is_for(fault, test))
    clauses = tuple(
        Clause(text, _all(checks[name].outcome for name in ids), ids) for text, ids in test.clauses
    )
    ran = test.kinds == ALWAYS or bool(faults)
    return TestResult(
        id=f"TEST-RR-{test.id}",
        title=test.title,
        task=test.task,
        faults=faults,
        outcome=test_outcome([clause.outcome for clause in clauses]) if ran else "not-run",
        clauses=clauses,
    )


def _is_for(fault: Fault, test: AuditTest) -> bool:
    if fault.test_id:
        return fault.test_id.removeprefix("TEST-RR-") == test.id
    return test.kinds == ANY or fault.kind in test.kinds


def test_outcome(outcomes: list[Outcome]) -> TestOutcome:
    """What its clauses make of a test that ran."""
    decided = [outcome for outcome in outcomes if outcome in ("pass", "fail")]
    relevant = [outcome for outcome in outcomes if outcome != "not-applicable"]
    if not decided:
        # Nothing of it could be decided: "partial" would read as if something had passed.
        return "not-run"
    if "fail" in decided and "pass" not in decided:
        return "fail"
    return "pass" if len(decided) == len(relevant) and "fail" not in decided else "partial"
