"""A comparison as people and programs read it: what counts first, its doubts, and its schema."""

import json
from dataclasses import replace
from pathlib import Path

from jsonschema import Draft202012Validator
from tests.report.conftest import Golden
from tests.report.example_audit import EMPTY, EXAMPLE
from tests.report.hostile_audit import HOSTILE, hostile
from tests.report.test_schemas import closed

from tracejury.report.comparison import render_comparison
from tracejury.report.comparison_json import comparison_document
from tracejury.scorecard.compare import Comparison, Run, compare
from tracejury.scorecard.result import Clause, Outcome
from tracejury.scorecard.step_durations import Quantile, StepDurations, StepName
from tracejury.telemetry.safe_text import UNSAFE

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "compare.schema.json").read_text())

RESIZE: StepName = ("POST /jobs", "worker", "resize", "INTERNAL")
STORE: StepName = ("POST /jobs", "worker", "PUT storage.example", "CLIENT")
GONE: StepName = ("GET /jobs/{id}", "web", "GET /jobs/{id}", "SERVER")


def later() -> Comparison:
    """A run in which timeouts were fixed, items were lost, and less was recorded."""
    becomes: dict[str, Outcome] = {"TIM-01": "pass", "PAR-01": "fail", "INV-02": "not-observed"}
    checks = tuple(
        replace(check, outcome=becomes.get(check.id, check.outcome), exposures=check.exposures // 4)
        for check in EXAMPLE.checks
    )
    jobs = replace(EXAMPLE.workflows[0], instances=50, ok=20, failed=30)
    after = replace(
        EXAMPLE,
        inputs=("friday.duckdb",),
        verdict="PARTIAL",
        score=42.0,
        coverage=0.5,
        diagnosis=None,
        trust=replace(EXAMPLE.trust, dropped=12),
        checks=checks,
        workflows=(jobs, EXAMPLE.workflows[1]),
    )
    before = {
        RESIZE: StepDurations(200, 0, Quantile(20, 18, 22), Quantile(61, 55, 70)),
        STORE: StepDurations(4, 0, Quantile(8, None, None), None),
        GONE: StepDurations(9, 0, None, None),
    }
    now = {
        RESIZE: StepDurations(180, 90, Quantile(35, 33, 38), Quantile(63, 56, 71)),
        STORE: StepDurations(5, 0, Quantile(5, None, None), None),
    }
    return compare(Run(EXAMPLE, before), Run(after, now))


def test_a_run_that_lost_a_check_is_not_said_to_be_observed_as_well() -> None:
    [passed] = [check for check in EXAMPLE.checks if check.id == "INV-02"]
    assert passed.outcome == "pass"
    checks = tuple(
        replace(check, outcome="not-observed") if check is passed else check
        for check in EXAMPLE.checks
    )
    run = Run(EXAMPLE, {})
    same = render_comparison(compare(run, run), "text")
    assert "As much telemetry came as in the earlier run.\n" in same
    lost = render_comparison(compare(run, Run(replace(EXAMPLE, checks=checks), {})), "text")
    assert "but 1 check that passed is not" in lost


def test_people_read_what_counts_and_what_makes_it_doubtful(golden: Golden) -> None:
    golden("compare.txt", render_comparison(later(), "text"))


def test_every_key_is_described() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    for comparison in (later(), compare(Run(EXAMPLE, {}), Run(EMPTY, {}))):
        document = json.loads(render_comparison(comparison, "json"))
        Draft202012Validator(closed(SCHEMA)).validate(document)


def test_programs_read_the_same_counts() -> None:
    document = comparison_document(later())
    assert (document["regressions"], document["improvements"]) == (
        later().regressions,
        later().improvements,
    )


def test_without_telemetry_nothing_is_said_to_have_moved() -> None:
    shown = render_comparison(compare(Run(EXAMPLE, {}), Run(EMPTY, {})), "text")
    assert "nothing to compare" in shown
    assert "RESULT" not in shown


def test_a_test_that_is_partial_now_is_not_said_to_pass_or_to_be_lost() -> None:
    clauses: dict[str, tuple[Outcome, ...]] = {
        "T02": ("pass", "not-observed"),
        "P01": ("pass", "not-observed"),
        "R01": ("pass", "fail"),
    }
    tests = tuple(
        replace(
            test,
            outcome="partial",
            clauses=tuple(Clause(outcome, outcome, ()) for outcome in clauses[name]),
        )
        for test in EXAMPLE.tests
        if (name := test.id.removeprefix("TEST-RR-")) in clauses
    )
    after = Run(replace(EXAMPLE, tests=tests), {})
    shown = " ".join(render_comparison(compare(Run(EXAMPLE, {}), after), "text").split())
    assert "fails in part, and was not decided before TEST-RR-R01" in shown
    assert "passed, and is observed only in part now TEST-RR-P01" in shown
    assert "passes in part, and was not decided before TEST-RR-T02" in shown


def test_no_control_character_survives() -> None:
    step = (HOSTILE, HOSTILE, HOSTILE, "CLIENT")
    before = Run(EXAMPLE, {step: StepDurations(9, 0, Quantile(1, 1, 1), None)})
    after = Run(hostile(), {step: StepDurations(9, 9, Quantile(9, 9, 9), None)})
    for form in ("text", "json"):
        shown = render_comparison(compare(before, after), form)
        assert UNSAFE.findall(shown.replace("\n", "")) == []
        assert shown.encode()
