"""Score, roll-up and verdict: a failure fails, a gap leaves open, and nothing lost ever helps."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracejury.checks.catalogue import CATALOGUE
from tracejury.checks.check import Severity
from tracejury.scorecard import rollup
from tracejury.scorecard.audit_items import CRITERIA, PATTERNS, TESTS
from tracejury.scorecard.result import CheckResult, Criterion, Outcome, TestResult, Verdict
from tracejury.scorecard.verdict import score, verdict
from tracejury.workflow.faults import Fault

OUTCOMES: tuple[Outcome, ...] = (
    "pass",
    "fail",
    "not-observed",
    "not-applicable",
    "manual",
    "error",
)
ORDER: tuple[Verdict, ...] = ("FAIL", "PARTIAL", "PASS")


def results(outcomes: Iterable[Outcome]) -> tuple[CheckResult, ...]:
    return tuple(
        CheckResult(
            id=entry.id,
            title=entry.title,
            severity=entry.severity,
            task=entry.task,
            outcome=outcome,
            reason="",
            exposures=1,
            units_total=1,
            units_exposed=1,
            untested=(),
            serves=entry.serves,
            remedy="",
            note="",
            findings=(),
        )
        for entry, outcome in zip(CATALOGUE, outcomes, strict=True)
    )


def all_but(outcome: Outcome, *names: str, rest: Outcome = "pass") -> tuple[CheckResult, ...]:
    """Every check has the outcome `rest`; those named, or serving what is named, have another."""
    return results(
        outcome if entry.id in names or set(names) & set(entry.serves) else rest
        for entry in CATALOGUE
    )


def item(items: tuple[Criterion, ...], name: str) -> Criterion:
    return next(item for item in items if item.id == name)


def outcome_of(checks: tuple[CheckResult, ...], test: str, *kinds: str) -> TestResult:
    faults = tuple(Fault(kind, 1, 2, kind=kind) for kind in kinds)
    return next(r for r in rollup.tests(checks, faults) if r.id == f"TEST-RR-{test}")


whole_runs = st.lists(
    st.sampled_from(OUTCOMES), min_size=len(CATALOGUE), max_size=len(CATALOGUE)
).map(results)


@given(whole_runs)
@settings(max_examples=100)
def test_the_three_shares_sum_to_one(checks: tuple[CheckResult, ...]) -> None:
    shares = score(checks)
    if shares is None:
        weighty = [check for check in checks if check.severity is not Severity.INFO]
        assert {check.outcome for check in weighty} == {"not-applicable"}
        return
    assert shares.passed + shares.failed + shares.unobserved == pytest.approx(1)
    assert min(shares.passed, shares.failed, shares.unobserved) >= 0


@given(whole_runs, st.sets(st.integers(0, len(CATALOGUE) - 1)))
@settings(max_examples=100)
def test_losing_evidence_never_raises_score_or_verdict(
    checks: tuple[CheckResult, ...], lost: set[int]
) -> None:
    """What was decided and no longer is; a failure that is lost makes nothing pass."""
    poorer = tuple(
        replace(check, outcome="not-observed")
        if at in lost and check.outcome in ("pass", "fail")
        else check
        for at, check in enumerate(checks)
    )
    before, after = score(checks), score(poorer)
    if before and after:
        assert after.passed <= before.passed
        assert after.unobserved >= before.unobserved
    passed = {c.id for c in rollup.criteria(checks) if c.outcome == "pass"}
    assert {c.id for c in rollup.criteria(poorer) if c.outcome == "pass"} <= passed
    if verdict(rollup.criteria(poorer)) == "PASS":
        assert verdict(rollup.criteria(checks)) == "PASS"


def test_weights_are_the_tiers() -> None:
    failed = {
        severity: score(
            tuple(
                c for c in all_but("fail", rest="fail") if c.severity in (severity, Severity.HIGH)
            )
        )
        for severity in (Severity.CRITICAL, Severity.MEDIUM, Severity.INFO)
    }
    assert all(shares is not None and shares.failed == 1 for shares in failed.values())
    one = {
        severity: next(c for c in all_but("pass") if c.severity is severity)
        for severity in Severity
    }
    high = replace(one[Severity.HIGH], outcome="fail")
    for severity, weight in (
        (Severity.CRITICAL, 10.0),
        (Severity.MEDIUM, 5.0),
        (Severity.INFO, 0.0),
    ):
        shares = score((one[severity], high))
        assert shares is not None
        assert shares.passed == pytest.approx(weight / (weight + 7.5))


def test_everything_passes() -> None:
    assert verdict(rollup.criteria(all_but("fail"))) == "PASS"


@pytest.mark.parametrize("name", [name for name, _ in CRITERIA])
def test_a_failed_criterion(name: str) -> None:
    failing = next(entry.id for entry in CATALOGUE if name in entry.serves)
    judged = rollup.criteria(all_but("fail", failing))
    assert item(judged, name).outcome == "fail"
    tiers = {criterion.tier for criterion in judged if criterion.outcome == "fail"}
    expected = (
        "FAIL" if Severity.CRITICAL in tiers else "PARTIAL" if Severity.HIGH in tiers else "PASS"
    )
    assert verdict(judged) == expected


@pytest.mark.parametrize("gap", ["not-observed", "manual", "error"])
@pytest.mark.parametrize("name", [name for name, _ in CRITERIA])
def test_a_criterion_that_is_not_decided_is_no_pass(name: str, gap: Outcome) -> None:
    undecided = next(entry.id for entry in CATALOGUE if name in entry.serves)
    judged = rollup.criteria(all_but(gap, undecided))
    assert item(judged, name).outcome == "not-observed"
    expected = "PASS" if name.startswith("MEDIUM") else "PARTIAL"
    assert verdict(judged) == expected


@pytest.mark.parametrize("name", [name for name, _ in CRITERIA])
def test_a_criterion_that_does_not_apply_is_left_out(name: str) -> None:
    judged = rollup.criteria(all_but("not-applicable", name))
    assert item(judged, name).outcome == "not-applicable"
    assert verdict(judged) == "PASS"


def test_one_failed_critical_criterion_fails_whatever_else_passes() -> None:
    judged = rollup.criteria(all_but("fail", "TIM-01", rest="not-observed"))
    assert verdict(judged) == "FAIL"


def test_every_criterion_and_pattern_has_a_check_that_serves_it() -> None:
    """Without one it would be not applicable, which reads as good."""
    served = {name for entry in CATALOGUE for name in entry.serves}
    names = {name for name, _ in CRITERIA} | {f"pattern-{number}" for number, *_ in PATTERNS}
    tests = {f"TEST-RR-{test.id}" for test in TESTS}
    assert served == names | tests
    known = {entry.id for entry in CATALOGUE}
    assert {name for test in TESTS for _, ids in test.clauses for name in ids} <= known


def test_a_pattern_is_the_and_of_its_checks() -> None:
    # pattern-16 is served by two checks.
    cases: tuple[tuple[Outcome, Outcome, Outcome], ...] = (
        ("pass", "pass", "pass"),
        ("pass", "fail", "fail"),
        ("not-observed", "fail", "fail"),
        ("pass", "not-observed", "not-observed"),
        ("pass", "error", "not-observed"),
        ("pass", "not-applicable", "pass"),
        ("not-applicable", "not-applicable", "not-applicable"),
    )
    for first, second, expected in cases:
        outcomes: dict[str, Outcome] = {"OBS-01": first, "OBS-02": second}
        checks = tuple(
            replace(check, outcome=outcomes.get(check.id, "pass")) for check in all_but("fail")
        )
        assert item(rollup.patterns(checks), "pattern-16").outcome == expected


def test_a_test_takes_a_fault_of_its_kind() -> None:
    checks = all_but("fail")
    assert outcome_of(checks, "T01").outcome == "not-run"
    assert outcome_of(checks, "T01", "kill").outcome == "not-run"
    ran = outcome_of(checks, "T01", "hang", "kill", "delay")
    assert (ran.outcome, ran.faults) == ("pass", ("hang", "delay"))
    # These two need none.
    assert outcome_of(checks, "O02").outcome == "pass"
    assert outcome_of(checks, "S02").outcome == "pass"
    assert outcome_of(checks, "S01").outcome == "not-run"
    assert outcome_of(checks, "S01", "flood").outcome == "pass"


def test_a_fault_may_name_its_test() -> None:
    faults = (Fault("f", 1, 2, kind="hang", test_id="TEST-RR-T02"),)
    ran = {r.id: r.outcome for r in rollup.tests(all_but("fail"), faults) if r.faults}
    assert ran == {"TEST-RR-T02": "pass"}


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (("pass", "pass", "pass", "pass", "pass"), "pass"),
        (("fail", "fail", "fail", "fail", "fail"), "fail"),
        (("fail", "not-observed", "not-observed", "not-observed", "manual"), "fail"),
        (("fail", "pass", "not-observed", "not-observed", "not-observed"), "partial"),
        (("pass", "pass", "pass", "pass", "not-observed"), "partial"),
        (("pass", "pass", "pass", "pass", "not-applicable"), "pass"),
        (("not-observed",) * 5, "not-run"),
    ],
)
def test_a_test_is_judged_by_its_clauses(outcomes: tuple[Outcome, ...], expected: str) -> None:
    by_id = dict(zip(("TIM-01", "TIM-02", "TIM-03", "TIM-04", "TIM-05"), outcomes, strict=True))
    checks = tuple(replace(c, outcome=by_id.get(c.id, "pass")) for c in all_but("fail"))
    assert outcome_of(checks, "T01", "hang").outcome == expected
