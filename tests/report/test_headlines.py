"""A number has its limits beside it."""

from dataclasses import replace

from tests.report.example_audit import EXAMPLE

from tracejury.report.headlines import headlines
from tracejury.scorecard.result import Audit, Basis


def said(audit: Audit) -> dict[str, str]:
    return {headline.name: headline.remark for headline in headlines(audit)}


def of(basis: Basis, sampled: str, *, own: bool = False) -> str:
    assert EXAMPLE.completeness
    completeness = replace(EXAMPLE.completeness, basis=basis, is_own_baseline=own)
    trust = replace(EXAMPLE.trust, sampled=sampled)
    return said(replace(EXAMPLE, completeness=completeness, trust=trust))["Completeness"]


def test_an_estimate_is_of_the_traces_that_a_sampler_kept() -> None:
    kept = "of the traces that a sampler kept)"
    assert of("estimated", "sampled").endswith(kept)
    assert of("upper-bound", "sampled").endswith(kept)
    # Counts include what was not sampled.
    assert kept not in of("counted", "sampled")
    assert kept not in of("estimated", "none") + of("estimated", "unknown")


def test_a_run_that_is_its_own_baseline_is_told_so() -> None:
    assert "the baseline is this very run" in of("upper-bound", "none", own=True)
    assert "no baseline says what else there was" in of("upper-bound", "none")


def test_time_in_queues_stands_beside_what_is_explained() -> None:
    assert EXAMPLE.timing
    waited = replace(EXAMPLE, timing=replace(EXAMPLE.timing, queued=0.25))
    assert "; 25% waited in a queue; " in said(waited)["Timing"]
    assert "queue" not in said(EXAMPLE)["Timing"]


def test_a_service_with_another_name_than_in_the_baseline_is_told() -> None:
    assert EXAMPLE.completeness
    for renamed, words in (
        ({"api": "api-v2"}, "; api of the baseline is api-v2 here)"),
        ({"api": "p-api", "web": "p-web"}, "; 2 services have other names in the baseline)"),
    ):
        found = replace(EXAMPLE.completeness, renamed=renamed)
        assert said(replace(EXAMPLE, completeness=found))["Completeness"].endswith(words)


def test_spans_of_no_length_have_usable_times() -> None:
    assert EXAMPLE.timing
    still = replace(EXAMPLE.timing, explained=None)
    assert said(replace(EXAMPLE, timing=still))["Timing"] == "no span took any time"
    unusable = replace(still, steps=tuple(replace(step, p50_ms=None) for step in still.steps))
    assert said(replace(EXAMPLE, timing=unusable))["Timing"] == "no span with usable times"
