"""Score, coverage and verdict. Missing evidence never raises any of them."""

from dataclasses import dataclass

from tracejury.checks.check import Severity
from tracejury.scorecard.result import CheckResult, Criterion, Verdict
from tracejury.scorecard.runner import weight


@dataclass(frozen=True, slots=True)
class Score:
    """Shares of the applicable weight, which sum to one; None where nothing is applicable."""

    passed: float
    failed: float
    unobserved: float


def score(checks: tuple[CheckResult, ...]) -> Score | None:
    """The three shares over the whole catalogue."""
    applicable = [check for check in checks if check.outcome != "not-applicable"]
    whole = sum(weight(check.severity) for check in applicable)
    if not whole:
        return None
    passed = sum(weight(check.severity) for check in applicable if check.outcome == "pass")
    failed = sum(weight(check.severity) for check in applicable if check.outcome == "fail")
    return Score(passed / whole, failed / whole, (whole - passed - failed) / whole)


def verdict(criteria: tuple[Criterion, ...]) -> Verdict:
    """FAIL for any failed critical criterion; PASS when every critical and high one passes."""
    critical = [criterion for criterion in criteria if criterion.tier is Severity.CRITICAL]
    if any(criterion.outcome == "fail" for criterion in critical):
        return "FAIL"
    decisive = [c for c in criteria if c.tier in (Severity.CRITICAL, Severity.HIGH)]
    if all(criterion.outcome in ("pass", "not-applicable") for criterion in decisive):
        return "PASS"
    return "PARTIAL"
