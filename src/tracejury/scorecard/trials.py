"""Each test of the audit under each fault of its kind, and the clause that decided."""

from collections.abc import Iterator
from dataclasses import dataclass

from tracejury.scorecard.audit_items import ALWAYS, ANY, TESTS
from tracejury.scorecard.result import (
    Audit,
    CheckResult,
    Clause,
    Outcome,
    Seen,
    TestOutcome,
    TestResult,
)
from tracejury.scorecard.rollup import test_outcome


@dataclass(frozen=True, slots=True)
class Trial:
    """One test under one fault. A pass speaks of the whole run: all that was exposed held."""

    test: str  # TEST-RR-T01
    title: str
    fault: str  # '': the test asks for no fault, or none of its kind was injected
    outcome: TestOutcome
    clause: Clause | None  # that decided; None: every clause holds, or no fault was injected
    reason: str  # why that clause is open: a code of the contract, or ''
    kinds: tuple[str, ...]  # of faults that would run it, where it ran under none; () for any
    seen: Seen | None = None  # of a campaign: the newest run in which the test ran


def trials(audit: Audit) -> tuple[Trial, ...]:
    """Give every test in the template's order, once for each fault that ran it."""
    checks = {check.id: check for check in audit.checks}
    return tuple(trial for test in audit.tests for trial in _of_test(test, checks))


def needed_kinds(test_id: str) -> tuple[str, ...]:
    """The kinds of fault that run a test; () where any does, or where it needs none."""
    kinds = _kinds(test_id)
    return () if kinds in (ANY, ALWAYS) else kinds


def needs_fault(test_id: str) -> bool:
    """Whether a test asks for a fault at all."""
    return _kinds(test_id) != ALWAYS


def _kinds(test_id: str) -> tuple[str, ...]:
    return {f"TEST-RR-{test.id}": test.kinds for test in TESTS}.get(test_id, ())


def _of_test(test: TestResult, checks: dict[str, CheckResult]) -> Iterator[Trial]:
    for fault in test.faults or ("",):
        clauses = tuple(_under(clause, fault, test, checks) for clause in test.clauses)
        has_fault = bool(test.faults) or not needs_fault(test.id)
        is_run = has_fault or test.outcome != "not-run"
        outcome = test_outcome([clause.outcome for clause in clauses]) if is_run else "not-run"
        clause = _decisive(clauses) if is_run and outcome != "pass" else None
        yield Trial(
            test=test.id,
            title=test.title,
            fault=fault,
            outcome=outcome,
            clause=clause,
            reason=_reason(clause, checks) if clause else "",
            kinds=() if is_run else needed_kinds(test.id),
            seen=test.seen,
        )


def _under(clause: Clause, fault: str, test: TestResult, checks: dict[str, CheckResult]) -> Clause:
    """The clause under one of several faults: what only another one broke is open here."""
    if clause.outcome != "fail" or len(test.faults) < 2:
        return clause
    failed = [checks[name] for name in clause.checks if name in checks]
    named = [
        {finding.fault for finding in check.findings} for check in failed if check.outcome == "fail"
    ]
    if any(fault in faults or not faults <= set(test.faults) for faults in named) or not named:
        return clause
    return Clause(clause.text, "not-observed", clause.checks)


def _decisive(clauses: tuple[Clause, ...]) -> Clause | None:
    """The first clause that failed, else the first that nothing decided."""
    failed = [clause for clause in clauses if clause.outcome == "fail"]
    still: tuple[Outcome, ...] = ("pass", "not-applicable")
    return next(iter([*failed, *(c for c in clauses if c.outcome not in still)]), None)


def _reason(clause: Clause, checks: dict[str, CheckResult]) -> str:
    if clause.outcome == "fail":
        return ""
    found = (checks[name] for name in clause.checks if name in checks)
    open_checks = [c for c in found if c.outcome not in ("pass", "not-applicable", "fail")]
    if not open_checks:
        return ""
    return open_checks[0].reason or open_checks[0].outcome
