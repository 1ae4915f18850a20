"""Completeness follows the truth when spans of the clean run are withheld."""

from functools import cache

import pytest
from benchmarks.withhold import (
    Measured,
    Plan,
    Recorded,
    all_of_kind,
    all_of_service,
    at_random,
    learn,
)
from tests.samples.recorded import SAMPLES, config, files

from tracejury.workflow.baseline import Baseline

# What may lie between the score and the truth.
POINTS = 0.05

LEAVES = ("provider", "asset-store")


@cache
def run() -> Recorded:
    return Recorded(files("clean"), config("clean"))


@cache
def baseline() -> Baseline:
    return learn([SAMPLES / "clean" / "traces.jsonl.gz"], config("clean"))


def judged(plan: Plan) -> Measured:
    return run().measure(plan, baseline())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_tenth_lost_at_random_is_seen(seed: int) -> None:
    measured = judged(at_random(0.1, seed))
    assert measured.truth.ratio < 0.92
    assert abs(measured.error) <= POINTS


@pytest.mark.parametrize("rate", [0.3, 0.5])
def test_a_third_or_half_lost_at_random_is_seen(rate: float) -> None:
    measured = judged(at_random(rate))
    assert measured.truth.ratio < 0.75
    assert abs(measured.error) <= POINTS


def test_lost_calls_are_seen_and_their_service_is_named() -> None:
    measured = judged(all_of_kind("CLIENT"))
    assert measured.truth.ratio < 0.75
    assert abs(measured.error) <= POINTS
    # It makes all but a few of them.
    assert measured.lowest == "worker"


@pytest.mark.parametrize("service", [*LEAVES, "worker"])
def test_a_service_that_sent_nothing_is_named(service: str) -> None:
    measured = judged(all_of_service(service))
    assert measured.truth.ratio < 0.97
    assert abs(measured.error) <= POINTS
    assert measured.lowest == service
    assert measured.by_service[service] == 0


def test_what_more_is_lost_never_raises_the_score() -> None:
    ratios = [judged(at_random(rate)).estimate for rate in (0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6)]
    assert ratios == sorted(ratios, reverse=True)


def test_without_a_clean_run_the_score_is_an_upper_bound() -> None:
    for plan in (at_random(0.1), all_of_kind("CLIENT"), all_of_service("worker")):
        assert run().measure(plan, Baseline.empty()).error >= -0.02


def test_a_run_that_lost_nothing_is_complete() -> None:
    assert judged(at_random(0)).estimate >= 0.99
