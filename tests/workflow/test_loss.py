"""How many spans are missing, from the signs that they leave."""

import pytest

from tracejury.workflow.loss import estimate_missing
from tracejury.workflow.loss_signs import (
    Branch,
    Family,
    StepCount,
    StepKey,
    Structure,
    Unanswered,
)

ROOT: StepKey = ("web", "GET /", "SERVER")
CALL: StepKey = ("web", "GET", "CLIENT")
ANSWER: StepKey = ("api", "GET /price", "SERVER")
WORK: StepKey = ("api", "compute", "INTERNAL")
QUERY: StepKey = ("api", "SELECT", "CLIENT")

STRUCTURE = Structure(
    branches=(
        Branch(ROOT, CALL, 2.0),
        Branch(CALL, ANSWER, 1.0),
        Branch(ANSWER, WORK, 3.0),
        Branch(WORK, QUERY, 1.0),
    ),
    families=(
        Family(ROOT, frozenset({("web", "CLIENT")}), 50),
        Family(CALL, frozenset({("api", "SERVER")}), 100),
        Family(ANSWER, frozenset({("api", "INTERNAL")}), 100),
        Family(WORK, frozenset({("api", "CLIENT")}), 300),
        Family(QUERY, frozenset(), 300),
    ),
)


def count(
    key: StepKey,
    observed: int = 0,
    *,
    parents: int = 0,
    answers: int = 0,
    ghosts: float = 0,
    killed: float = 0,
    halves: float = 0,
    deficit: int = 0,
    settled: int = 0,
    exact: int = 0,
) -> StepCount:
    return StepCount(
        key, observed, parents, answers, ghosts, killed, halves, deficit, settled, exact
    )


def estimate(*steps: StepCount, structure: Structure = STRUCTURE) -> dict[StepKey, float]:
    return {key: round(lost, 1) for key, lost in estimate_missing(steps, structure).items()}


def test_the_rate_of_those_that_are_told_of_is_carried_over_to_the_others() -> None:
    lost = estimate(
        count(ANSWER, 100, parents=30, answers=50, ghosts=8, halves=12),
        structure=Structure(),
    )
    # A fifth of those told of is absent: of 125, 25.
    assert lost == {ANSWER: pytest.approx(25, abs=0.5)}


def test_a_leaf_gets_the_rate_of_its_service() -> None:
    lost = estimate(
        count(CALL, 100, parents=100),
        count(ROOT, 50, parents=50),
        count(ANSWER, 600, parents=600, ghosts=400),
        count(("db", "SELECT", "SERVER"), 5000, parents=5000),
        count(("api", "log", "INTERNAL"), 60),
        structure=Structure(),
    )
    assert lost["api", "log", "INTERNAL"] == pytest.approx(40, abs=3)
    assert ("db", "SELECT", "SERVER") not in lost


def test_what_a_crash_took_is_no_rate() -> None:
    assert estimate(count(WORK, 1000, parents=100, ghosts=5, killed=5), structure=Structure()) == {
        WORK: 5
    }


def test_a_step_that_the_baseline_counts_gets_no_rate_on_top() -> None:
    lost = estimate(
        count(WORK, 60, parents=10, ghosts=10, deficit=12, settled=60, exact=12),
        structure=Structure(),
    )
    assert lost == {WORK: 12}


def test_a_silent_service_is_counted_by_the_calls_to_it_and_its_usual_insides() -> None:
    structure = Structure(
        STRUCTURE.branches, STRUCTURE.families, (Unanswered(CALL, ANSWER, 100.0),)
    )
    lost = estimate(
        count(ROOT, 50, parents=50),
        count(CALL, 100),
        count(ANSWER, halves=100),
        count(WORK),
        count(QUERY),
        structure=structure,
    )
    assert lost == {ANSWER: 100, WORK: 300, QUERY: 300}


def test_lost_calls_are_as_many_as_the_answers_that_name_them() -> None:
    # Half of the pages failed before they called anything: the baseline demands twice as many.
    lost = estimate(
        count(ROOT, 50, parents=0),
        count(CALL, ghosts=50),
        count(ANSWER, 50, parents=50),
        count(WORK, 150),
        count(("api", "SELECT", "INTERNAL"), 100),
    )
    assert lost == {CALL: 50}


def test_a_log_record_that_names_a_span_adds_none_to_those_that_are_known() -> None:
    unnamed: StepKey = ("api", "", "")
    steps = [count(ROOT, 50, parents=50), count(ANSWER, 100, parents=100, deficit=10)]
    assert estimate(*steps, count(unnamed, ghosts=6), structure=Structure()) == {ANSWER: 10}
    assert estimate(*steps, count(unnamed, ghosts=16), structure=Structure()) == {
        ANSWER: 10,
        unnamed: 6,
    }
