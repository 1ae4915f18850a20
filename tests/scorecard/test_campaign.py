"""Several runs as one campaign: of each check and test the newest evidence counts, dated."""

import json
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.report.example_audit import EMPTY, EXAMPLE
from tests.report.test_schemas import AUDIT, closed

from tracejury.report.render import FORMATS, render
from tracejury.report.trial_rows import under
from tracejury.scorecard.campaign import campaign
from tracejury.scorecard.result import Answer, Audit, Outcome, Period, Share, TestOutcome
from tracejury.scorecard.trials import trials


def run(
    name: str,
    day: int,
    checks: dict[str, Outcome],
    tests: dict[str, TestOutcome] | None = None,
    **more: Any,
) -> Audit:
    """A run that ended on a day of March, with these outcomes; everything else is left open."""
    ran: dict[str, TestOutcome] = {f"TEST-RR-{key}": value for key, value in (tests or {}).items()}
    return replace(
        EXAMPLE,
        inputs=(f"{name}.duckdb",),
        ran=Period(f"2026-03-{day:02}T11:00:00+00:00", f"2026-03-{day:02}T12:00:00+00:00"),
        checks=tuple(
            replace(check, outcome=checks.get(check.id, "not-observed"), note=name)
            for check in EXAMPLE.checks
        ),
        tests=tuple(
            replace(test, outcome=ran.get(test.id, "not-run"), faults=(f"{name}-fault",))
            for test in EXAMPLE.tests
        ),
        **more,
    )


MONDAY = run("monday", 2, {"TIM-01": "fail", "PAR-01": "pass", "INV-02": "pass"}, {"T01": "fail"})
FRIDAY = run("friday", 6, {"TIM-01": "pass", "TIM-06": "fail"}, {"P01": "pass"})


def outcomes(audit: Audit) -> dict[str, tuple[str, str]]:
    """Of what was decided its outcome, and in which run."""
    return {check.id: (check.outcome, check.seen.run) for check in audit.checks if check.seen}


@pytest.mark.parametrize("runs", [(MONDAY, FRIDAY), (FRIDAY, MONDAY)])
def test_the_newest_evidence_of_each_check_and_test_counts(runs: tuple[Audit, ...]) -> None:
    judged = campaign(runs, stale_days=30)
    assert outcomes(judged) == {
        "TIM-01": ("pass", "friday.duckdb"),  # it failed on Monday
        "PAR-01": ("pass", "monday.duckdb"),  # nothing tested it since
        "INV-02": ("pass", "monday.duckdb"),
        "TIM-06": ("fail", "friday.duckdb"),
    }
    tests = {t.id: (t.outcome, t.faults, t.seen.when) for t in judged.tests if t.seen}
    assert tests == {
        "TEST-RR-T01": ("fail", ("monday-fault",), "2026-03-02T12:00:00+00:00"),
        "TEST-RR-P01": ("pass", ("friday-fault",), "2026-03-06T12:00:00+00:00"),
    }
    assert judged.verdict == "FAIL"  # CRITICAL-2 rests on TIM-06
    assert [listed.inputs for listed in judged.runs] == [("friday.duckdb",), ("monday.duckdb",)]
    assert judged.ran == Period("2026-03-02T11:00:00+00:00", "2026-03-06T12:00:00+00:00")
    criteria = {c.id: (c.outcome, c.seen.run) for c in judged.criteria if c.seen}
    assert criteria["CRITICAL-1"] == ("pass", "friday.duckdb")
    assert criteria["CRITICAL-2"] == ("fail", "friday.duckdb")


def test_evidence_much_older_than_the_newest_run_is_stale() -> None:
    for days, is_stale in ((3.9, True), (4, False)):
        judged = campaign([MONDAY, FRIDAY], stale_days=days)
        seen = {check.id: check.seen.is_stale for check in judged.checks if check.seen}
        assert (seen["PAR-01"], seen["TIM-01"]) == (is_stale, False)


def test_a_run_without_telemetry_decides_nothing() -> None:
    judged = campaign([EMPTY, MONDAY], stale_days=30)
    assert outcomes(judged).keys() == outcomes(campaign([MONDAY], stale_days=30)).keys()
    assert {listed.verdict for listed in judged.runs} == {MONDAY.verdict, "CANNOT_JUDGE"}
    assert judged.lowest_completeness is None
    assert campaign([EMPTY, EMPTY], stale_days=30).verdict == "CANNOT_JUDGE"


def test_the_score_is_of_all_runs_and_completeness_is_held_to_the_lowest() -> None:
    judged = campaign([MONDAY, FRIDAY], stale_days=30)
    alone = campaign([FRIDAY], stale_days=30)
    assert judged.coverage is not None
    assert alone.coverage is not None
    assert judged.coverage > alone.coverage
    assert EXAMPLE.completeness is not None
    poor = replace(MONDAY, completeness=replace(EXAMPLE.completeness, total=Share(1, 9.0)))
    assert campaign([poor, FRIDAY], stale_days=30).lowest_completeness == 0.1


def test_answers_decide_what_no_run_did() -> None:
    told = [
        Answer(name, "pass", "tried it", "Ada", "2026-03-07") for name in ("CRITICAL-2", "HIGH-2")
    ]
    judged = campaign([MONDAY, FRIDAY], stale_days=30, answers=told)
    criteria = {criterion.id: criterion for criterion in judged.criteria}
    assert (criteria["CRITICAL-2"].outcome, criteria["CRITICAL-2"].answer) == ("fail", None)
    assert criteria["HIGH-2"].answer == told[1]


def test_of_a_fault_that_was_injected_again_the_newest_time_is_shown() -> None:
    again = replace(EXAMPLE.faults[0], detected_after_s=3.0)
    judged = campaign([MONDAY, replace(FRIDAY, faults=(again,))], stale_days=30)
    assert [fault.detected_after_s for fault in judged.faults] == [3.0, 12.0]


@pytest.mark.parametrize("name", FORMATS)
def test_every_report_for_people_dates_its_evidence(name: str) -> None:
    report = render(campaign([MONDAY, FRIDAY], stale_days=3), name)
    if name == "json":
        Draft202012Validator(closed(AUDIT)).validate(json.loads(report))
    if name not in ("junit", "sarif"):
        for said in ("2026-03-02", "2026-03-06", "monday.duckdb", "stale"):
            assert said in report.replace("STALE", "stale")


def test_the_first_table_says_how_old_the_evidence_of_each_test_is() -> None:
    judged = campaign([MONDAY, FRIDAY], stale_days=3)
    tables = {trial.test: under(trial) for trial in trials(judged)}
    assert tables["TEST-RR-T01"] == "monday-fault, 2026-03-02 12:00 STALE"
    assert tables["TEST-RR-P01"] == "friday-fault, 2026-03-06 12:00"


def test_a_cut_off_that_only_an_older_run_saw_stays_on_record() -> None:
    blind = tuple(
        replace(limits, cut_off=0, shortest_s=None, longest_s=None) for limits in EXAMPLE.cut_offs
    )
    judged = campaign([MONDAY, replace(FRIDAY, cut_offs=blind)], stale_days=30)
    assert judged.cut_offs == EXAMPLE.cut_offs
