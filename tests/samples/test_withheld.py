"""Completeness follows the truth when spans of the clean run are withheld."""

from functools import cache

import pytest
from benchmarks.completeness import (
    Measured,
    Plan,
    Recorded,
    all_of_kind,
    all_of_service,
    at_random,
    learn,
    measure,
    open_recorded,
)
from tests.samples.recorded import SAMPLES, config, files

from tracejury.workflow.baseline import Baseline

# What may lie between the score and the truth.
POINTS = 0.05

LEAVES = ("provider", "asset-store")


@cache
def run() -> Recorded:
    return open_recorded(files("clean"), config("clean"))


@cache
def baseline() -> Baseline:
    return learn([SAMPLES / "clean" / "traces.jsonl.gz"], config("clean"))


def judged(plan: Plan) -> Measured:
    return measure(run(), plan, config("clean"), baseline())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_tenth_lost_at_random_is_seen(seed: int) -> None:
    measured = judged(at_random(0.1, seed))
    assert measured.truth.ratio < 0.92
    assert abs(measured.error) <= POINTS


def test_lost_calls_are_seen_and_their_service_is_named() -> None:
    measured = judged(all_of_kind("CLIENT"))
    assert measured.truth.ratio < 0.75
    assert abs(measured.error) <= POINTS
    # It makes all but a few of them.
    assert measured.lowest == "worker"


@pytest.mark.parametrize("service", LEAVES)
def test_a_service_that_sent_nothing_is_named(service: str) -> None:
    measured = judged(all_of_service(service))
    assert measured.truth.ratio < 0.97
    assert abs(measured.error) <= POINTS
    assert measured.lowest == service
    assert measured.by_service[service] == 0


def test_a_run_that_lost_nothing_is_complete() -> None:
    assert judged(at_random(0, 1)).estimate >= 0.99
