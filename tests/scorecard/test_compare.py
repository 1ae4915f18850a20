"""What moved between two runs, and that blindness never reads as an improvement."""

from dataclasses import replace
from itertools import product
from typing import get_args

import pytest
from tests.report.example_audit import EMPTY, EXAMPLE
from tests.workflow.drawn import Span, rebuilt

from tracejury.scorecard.compare import AGAINST, FOR, Comparison, Run, compare, outcome_change
from tracejury.scorecard.result import Audit, Outcome, Share, TestOutcome
from tracejury.scorecard.step_durations import (
    Quantile,
    StepDurations,
    StepName,
    step_durations,
)

STEP: StepName = ("POST /jobs", "worker", "resize", "INTERNAL")
OUTCOMES = sorted({*get_args(Outcome), *get_args(TestOutcome)})


def compared(before: Audit, after: Audit) -> Comparison:
    return compare(Run(before, {}), Run(after, {}))


def with_check(name: str, outcome: Outcome, exposures: int) -> Audit:
    checks = tuple(
        replace(check, outcome=outcome, exposures=exposures) if check.id == name else check
        for check in EXAMPLE.checks
    )
    return replace(EXAMPLE, checks=checks)


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ("pass", "fail", "regressed"),
        ("not-observed", "fail", "found"),
        ("manual", "error", "found"),
        ("pass", "not-observed", "lost"),
        ("pass", "partial", "lost"),
        ("partial", "not-run", "lost"),
        ("fail", "not-observed", "unproven"),
        ("fail", "manual", "unproven"),
        ("fail", "not-run", "unproven"),
        ("fail", "pass", "fixed"),
        ("fail", "partial", "fixed"),
        ("partial", "pass", "fixed"),
        ("not-observed", "pass", "proven"),
        ("not-run", "partial", "proven"),
        ("not-observed", "manual", "other"),
        ("fail", "not-applicable", "other"),
        ("pass", "pass", None),
    ],
)
def test_what_becomes_of_an_outcome(before: str, after: str, change: str | None) -> None:
    assert outcome_change(before, after) == change


def test_only_a_decision_is_an_improvement() -> None:
    for before, after in product(OUTCOMES, OUTCOMES):
        change = outcome_change(before, after)
        if after not in ("pass", "partial"):
            assert change not in FOR, (before, after)
        if before == "pass" and after not in ("pass", "not-applicable"):
            assert change in AGAINST, (before, after)


def test_a_run_has_not_moved_from_itself() -> None:
    same = compared(EXAMPLE, EXAMPLE)
    assert (same.regressions, same.improvements, same.doubts) == (0, 0, ())
    assert [*same.checks, *same.tests, *same.criteria, *same.numbers, *same.shares] == []


def test_a_failure_that_is_not_observed_any_more_is_no_improvement() -> None:
    after = with_check("TIM-01", "not-observed", 0)
    found = compared(EXAMPLE, after)
    [moved] = found.checks
    assert (moved.id, moved.change) == ("TIM-01", "unproven")
    assert (found.regressions, found.improvements) == (0, 0)


def test_a_check_that_was_tested_less_is_doubtful() -> None:
    [moved] = compared(EXAMPLE, with_check("TIM-01", "pass", 2)).checks
    assert moved.change == "fixed"
    assert "2 times, before 14" in moved.doubt
    assert moved.is_tentative
    [moved] = compared(EXAMPLE, with_check("TIM-01", "pass", 14)).checks
    assert (moved.doubt, moved.is_tentative) == ("", False)


def test_a_partial_test_whose_clause_fails_got_worse() -> None:
    def audit(outcome: TestOutcome, clause: Outcome) -> Audit:
        test = EXAMPLE.tests[0]
        clauses = tuple(replace(part, outcome=clause) for part in test.clauses)
        return replace(EXAMPLE, tests=(replace(test, outcome=outcome, clauses=clauses),))

    passed = audit("pass", "pass")
    [moved] = compared(passed, audit("partial", "fail")).tests
    assert moved.change == "regressed"
    [moved] = compared(passed, audit("partial", "not-observed")).tests
    assert moved.change == "lost"
    [moved] = compared(audit("not-run", "not-observed"), audit("partial", "fail")).tests
    assert moved.change == "found"


LESS = {
    "Completeness fell": {
        "completeness": replace(EXAMPLE.completeness, total=Share(900, 300.0))  # type: ignore[type-var]
    },
    "Coverage fell": {"coverage": 0.4},
    "No log record came": {"trust": replace(EXAMPLE.trust, logs=0)},
    "Less than half as many spans": {"trust": replace(EXAMPLE.trust, spans=500)},
    "were dropped, before 0": {"trust": replace(EXAMPLE.trust, dropped=3)},
    "may still arrive": {"trust": replace(EXAMPLE.trust, unsettled=3)},
    "No workflow GET /jobs/{id}": {"workflows": EXAMPLE.workflows[:1]},
    "No fault of kind error": {"faults": EXAMPLE.faults[:1]},
}


@pytest.mark.parametrize("doubt", LESS)
def test_a_later_run_that_saw_less_is_doubted(doubt: str) -> None:
    before = replace(EXAMPLE, trust=replace(EXAMPLE.trust, unsettled=0))
    less = replace(before, **LESS[doubt])  # type: ignore[arg-type]
    doubts = compared(before, less).doubts
    assert [sentence for sentence in doubts if doubt in sentence]
    assert compared(less, before).doubts == ()


def test_sampling_that_is_not_ruled_out_any_more_is_a_doubt() -> None:
    sure = replace(EXAMPLE, trust=replace(EXAMPLE.trust, sampled="none"))
    assert "nothing was sampled" in compared(sure, EXAMPLE).doubts[0]
    assert compared(EXAMPLE, sure).doubts == ()


def test_scores_move_in_a_direction_or_cannot_be_known() -> None:
    moved = compared(
        EXAMPLE,
        replace(
            EXAMPLE,
            score=50.0,
            diagnosis=None,
            external_calls=replace(EXAMPLE.external_calls, share=0.9),  # type: ignore[type-var]
            timing=replace(EXAMPLE.timing, explained=0.7),  # type: ignore[type-var]
        ),
    )
    assert {number.name: number.direction for number in moved.numbers} == {
        "score": None,
        "timing explained": "worse",
        "external calls": "better",
        "minutes to diagnose": None,
    }
    assert (moved.regressions, moved.improvements) == (1, 1)


def test_what_succeeds_less_often_is_worse_and_tentative_where_little_ran() -> None:
    def audit(ok: int, failed: int) -> Audit:
        workflow = replace(EXAMPLE.workflows[0], instances=ok + failed, ok=ok, failed=failed)
        return replace(EXAMPLE, workflows=(workflow,))

    [moved] = compared(audit(100, 0), audit(60, 40)).shares
    assert (moved.direction, moved.is_tentative) == ("worse", False)
    [moved] = compared(audit(3, 0), audit(2, 1)).shares
    assert (moved.direction, moved.is_tentative) == ("worse", True)
    assert compared(audit(20, 0), audit(18, 2)).shares == ()  # within chance
    assert compared(audit(5, 0), audit(0, 0)).shares == ()


def steps(ms: float, low: float | None, high: float | None) -> dict[StepName, StepDurations]:
    return {STEP: StepDurations(100, 0, Quantile(ms, low, high), None)}


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [
        ((100.0, 95.0, 105.0), (120.0, 110.0, 130.0), ("worse", False)),
        ((120.0, 110.0, 130.0), (100.0, 95.0, 105.0), ("better", False)),
        ((100.0, 95.0, 115.0), (120.0, 110.0, 130.0), None),  # the intervals touch
        ((100.0, 99.9, 100.1), (104.0, 103.9, 104.1), None),  # less than 5 %
        ((1.0, 0.9, 1.1), (1.9, 1.8, 2.0), None),  # less than 1 ms
        ((100.0, None, None), (120.0, 110.0, 130.0), ("worse", True)),
    ],
)
def test_durations_move_where_their_intervals_do_not_touch(
    before: tuple[float, float | None, float | None],
    after: tuple[float, float | None, float | None],
    moved: tuple[str, bool] | None,
) -> None:
    found = compare(Run(EXAMPLE, steps(*before)), Run(EXAMPLE, steps(*after)))
    assert [(step.direction, step.is_tentative) for step in found.steps] == (
        [moved] if moved else []
    )
    assert found.regressions == (1 if moved == ("worse", False) else 0)


def test_steps_that_came_and_went_are_named() -> None:
    found = compare(Run(EXAMPLE, steps(1, None, None)), Run(EXAMPLE, {}))
    assert (found.gone_steps, found.new_steps) == ((STEP,), ())


def test_nothing_is_compared_with_no_telemetry() -> None:
    assert not compared(EXAMPLE, EMPTY).can_judge
    assert not compared(EMPTY, EXAMPLE).can_judge
    assert compared(EXAMPLE, EMPTY).doubts == ()


def test_the_interval_of_a_quantile_is_between_two_measured_durations() -> None:
    spans = [Span(n, "job", 0, n, trace=n, kind="SERVER") for n in range(1, 201)]
    few = [Span(1, "rare", 0, 7, trace=300, kind="SERVER", status="ERROR")]
    endless = [Span(1, "job", 50, 40, trace=301, kind="SERVER")]  # it ends before it starts
    with rebuilt([*spans, *few, *endless]) as reader:
        found = step_durations(reader)
    job = found[("job", "shop", "job", "SERVER")]
    assert (job.count, job.errors) == (201, 0)
    # 99 % of the binomial distribution of 200 lie within 18.2 around 100, and 7.9 around 190.
    assert job.p50 == Quantile(100.5, 81, 120)
    assert job.p95 is not None
    assert job.p95.ms == pytest.approx(190.05)
    assert (job.p95.low, job.p95.high) == (182, 199)
    rare = found[("rare", "shop", "rare", "SERVER")]
    assert (rare.count, rare.errors, rare.p50) == (1, 1, Quantile(7, None, None))


def test_a_check_of_another_version_is_left_out() -> None:
    fewer = replace(EXAMPLE, checks=EXAMPLE.checks[1:])
    assert compared(fewer, EXAMPLE).checks == ()
