"""Which clause decided a test under a fault, who a fault hurt, and for how long."""

from dataclasses import replace

import pytest
from tests.report.example_audit import EMPTY, EXAMPLE, check
from tests.workflow.drawn import MS, START_NS, Record, Span, rebuilt

from tracejury.checks.check import Finding, Severity
from tracejury.scorecard.harm import harm_by_fault
from tracejury.scorecard.result import Audit, Clause, Hurt, Outcome, TestOutcome, TestResult
from tracejury.scorecard.trials import Trial, trials
from tracejury.workflow.faults import Fault

SECOND = 1_000 * MS


def judged(outcomes: dict[str, Outcome], faults: tuple[str, ...], blamed: str = "") -> Audit:
    """An audit of one test with a clause a check; the failed ones blame `blamed`."""
    checks = tuple(
        check(
            name, name, Severity.HIGH, 3, outcome,
            reason="dropped" if outcome == "not-observed" else "",
            findings=(Finding("it broke", "unit", fault=blamed),) if outcome == "fail" else (),
        )
        for name, outcome in outcomes.items()
    )  # fmt: skip
    clauses = tuple(Clause(f"asks {name}", o, (name,)) for name, o in outcomes.items())
    ran: TestOutcome = "partial" if faults else "not-run"
    test = TestResult("TEST-RR-T02", "Job-level timeout", 3, faults, ran, clauses)
    return replace(EXAMPLE, checks=checks, tests=(test,))


def said(trial: Trial) -> tuple[str, str, str]:
    return trial.fault, trial.outcome, trial.clause.text if trial.clause else ""


@pytest.mark.parametrize(
    ("outcomes", "expected", "reason"),
    [
        ({"A": "pass", "B": "pass"}, ("f", "pass", ""), ""),
        ({"A": "pass", "B": "not-observed", "C": "fail"}, ("f", "partial", "asks C"), ""),
        ({"A": "not-observed", "B": "fail"}, ("f", "fail", "asks B"), ""),
        ({"A": "pass", "B": "not-observed"}, ("f", "partial", "asks B"), "dropped"),
        ({"A": "manual", "B": "not-observed"}, ("f", "not-run", "asks A"), "manual"),
        ({"A": "not-applicable"}, ("f", "not-run", ""), ""),
    ],
)
def test_the_clause_that_decided_is_named(
    outcomes: dict[str, Outcome], expected: tuple[str, str, str], reason: str
) -> None:
    [trial] = trials(judged(outcomes, ("f",)))
    assert said(trial) == expected
    assert trial.reason == reason


def test_a_test_without_a_fault_was_not_run_and_says_what_would_run_it() -> None:
    [trial] = trials(judged({"A": "pass", "B": "fail"}, ()))
    assert said(trial) == ("", "not-run", "")
    assert trial.kinds == ("hang",)


def test_what_one_of_two_faults_broke_is_open_under_the_other_and_never_passes() -> None:
    first, second = trials(judged({"A": "pass", "B": "fail"}, ("f", "g"), blamed="f"))
    assert said(first) == ("f", "partial", "asks B")
    assert first.clause is not None
    assert first.clause.outcome == "fail"
    assert said(second) == ("g", "partial", "asks B")
    assert second.clause is not None
    assert second.clause.outcome == "not-observed"


@pytest.mark.parametrize("blamed", ["", "elsewhere"])
def test_a_failure_that_names_none_of_the_faults_counts_under_each(blamed: str) -> None:
    found = trials(judged({"A": "fail"}, ("f", "g"), blamed=blamed))
    assert [trial.outcome for trial in found] == ["fail", "fail"]


def test_nothing_judged_is_no_trial() -> None:
    assert trials(EMPTY) == ()


def job(number: int, start_s: float, end_s: float, *, fails: bool = False) -> Record:
    return Span(
        number, "POST /jobs", start_s * 1000, end_s * 1000, trace=number, kind="SERVER",
        status="ERROR" if fails else "UNSET", attributes={"http.route": "/jobs"},
    )  # fmt: skip


def hang(name: str, from_s: float, until_s: float) -> Fault:
    return Fault(name, int(START_NS + from_s * SECOND), int(START_NS + until_s * SECOND), "hang")


FAULTS = (
    hang("hurts", 100, 120),
    hang("comes too late for it", 124, 124.5),
    hang("hurts nobody", 2000, 2010),
    hang("is the last", 4000, 4020),
)
RUN = [
    *(job(number, 10 * number, 10 * number + 1) for number in range(1, 6)),
    job(10, 95, 105, fails=True),
    job(11, 110, 130, fails=True),
    job(12, 115, 116),
    job(13, 121, 123, fails=True),
    job(14, 300, 301),
    job(15, 2001, 2002),
    job(16, 4001, 4002, fails=True),
]


def test_harm_is_laid_to_the_fault_it_came_with_and_nobody_recovers_unseen() -> None:
    with rebuilt(RUN, injected=FAULTS) as reader:
        harms = harm_by_fault(reader)
    first = harms["hurts"]
    [hurt] = first.hurt
    assert replace(hurt, p95_during_ms=None) == Hurt("POST /jobs", 3, 3, 0, 1000.0, None)
    assert hurt.p95_during_ms is not None
    assert hurt.p95_during_ms > 10_000
    # The first that failed began before the fault, which cannot have hurt it yet.
    assert first.hurt_for_s == pytest.approx(30)
    assert first.recovered_after_s == pytest.approx(10)
    second = harms["comes too late for it"].hurt
    assert [(hurt.failed, hurt.instances) for hurt in second] == [(1, 1)]
    none = harms["hurts nobody"]
    assert (none.hurt[0].failed, none.hurt_for_s, none.recovered_after_s) == (0, None, None)
    last = harms["is the last"]
    assert last.hurt_for_s == pytest.approx(1)
    assert last.recovered_after_s is None


def test_a_fault_and_its_workflow_count_their_recovery_each_in_its_own_way() -> None:
    """The fault to the end of what failed, the workflow to the start of what was not as before."""
    run = [
        *(job(number, 10 * number, 10 * number + 1) for number in range(1, 9)),
        job(10, 110, 140, fails=True),
        job(11, 125, 128),
        *(job(number, 10 * number, 10 * number + 1) for number in range(15, 25)),
    ]
    with rebuilt(run, injected=FAULTS[:1]) as reader:
        harm = harm_by_fault(reader)["hurts"]
        [course] = reader.rows("SELECT fate, recovered_s FROM fault_course")
    assert harm.recovered_after_s == pytest.approx(20)
    assert course == {"fate": "recovered", "recovered_s": pytest.approx(5)}


def test_a_test_that_needs_no_fault_says_what_of_it_is_open() -> None:
    audit = judged({"A": "not-observed"}, ())
    [test] = audit.tests
    [trial] = trials(replace(audit, tests=(replace(test, id="TEST-RR-O02"),)))
    assert said(trial) == ("", "not-run", "asks A")
    assert (trial.reason, trial.kinds) == ("dropped", ())


def test_a_workflow_that_fails_on_is_not_recovered_by_another_that_runs_well() -> None:
    run = [
        *(job(number, 100 + number, 101 + number, fails=True) for number in range(1, 60)),
        *(polite(100 + number, 100 + 2 * number) for number in range(1, 60)),
    ]
    with rebuilt(run, injected=FAULTS[:1]) as reader:
        harm = harm_by_fault(reader)["hurts"]
    assert [(hurt.workflow, hurt.failed) for hurt in harm.hurt] == [
        ("POST /jobs", 59),
        ("GET /", 0),
    ]
    assert harm.recovered_after_s is None


def test_failures_beyond_the_time_for_recovery_are_no_recovery() -> None:
    """One instance goes well just past the bound, and all others fail on for minutes."""
    run = [
        *(job(number, 10 * number, 10 * number + 1) for number in range(1, 9)),
        *(job(number, 10 * number, 10 * number + 1, fails=True) for number in range(10, 90)),
        job(90, 425, 426),
    ]
    with rebuilt(run, injected=FAULTS[:1]) as reader:
        harm = harm_by_fault(reader)["hurts"]
    assert harm.recovered_after_s is None


def polite(number: int, from_s: float) -> Span:
    """A request of another workflow, which goes well."""
    return Span(
        number, "GET /", 1000 * from_s, 1000 * from_s + 900, trace=number, kind="SERVER",
        service="web", attributes={"http.route": "/"},
    )  # fmt: skip
