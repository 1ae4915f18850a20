"""Minutes to a cause: whatever there is less to go by makes them more."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.workflow.drawn import Span, rebuilt

from tracejury.workflow.diagnosis_effort import (
    PUBLISHED,
    Search,
    around,
    effort,
    savings,
    search_of,
)
from tracejury.workflow.failure_points import failure_points

GOOD = Search(
    candidates=1.0,
    is_specific=True,
    has_entity=True,
    has_logs=True,
    lines=0,
    alike=4,
    kept=1.0,
    dark=0.0,
)
VAGUE = replace(GOOD, is_specific=False)


def minutes(search: Search) -> float:
    return sum(effort(search).values())


def test_the_least_that_it_takes() -> None:
    """A query and a look, one candidate to rule out, a message and a stack to read."""
    assert effort(GOOD) == pytest.approx(
        {
            "find": (14.1 + 4.65) / 60,
            "localise": (4.65 + 25 * 0.25 + 27) / 60,
            "explain": 145 * 0.25 / 60,
            "dark": 0,
            "entity": 0,
        }
    )


@pytest.mark.parametrize("search", [GOOD, VAGUE], ids=["specific", "vague"])
@pytest.mark.parametrize(
    "less",
    [
        lambda search: replace(search, candidates=2.5),
        lambda search: replace(search, has_logs=False),
        lambda search: replace(search, kept=0.25),
        lambda search: replace(search, dark=1.0),
    ],
    ids=["candidates", "logs", "sampled", "dark"],
)
def test_with_less_to_go_by_it_takes_longer(
    search: Search, less: Callable[[Search], Search]
) -> None:
    assert minutes(less(search)) > minutes(search)


def test_logs_that_name_a_trace_are_better_than_others_and_those_than_none() -> None:
    named, few = VAGUE, replace(VAGUE, has_logs=False, lines=40)
    many, none = replace(few, lines=2_000), replace(few, lines=0)
    explained = [effort(search)["explain"] for search in (named, few, many, none)]
    assert explained == sorted(explained)
    assert explained[0] < explained[1] < explained[2]
    assert explained[-1] == 5  # of asking whoever knows


def test_a_fix_saves_what_it_changes_alone() -> None:
    saved = savings(replace(VAGUE, candidates=3.0))
    assert set(saved) == {
        "one failure point instead of several",
        "specific error types and messages",
    }
    assert saved["one failure point instead of several"] == pytest.approx(37.9 / 60)
    assert not savings(GOOD)


def test_without_what_is_assumed_it_is_less() -> None:
    searches = (GOOD, VAGUE, replace(VAGUE, has_logs=False, dark=2.0, candidates=9.0))
    for search in searches:
        assert sum(effort(search, PUBLISHED).values()) < minutes(search)


def test_a_call_that_was_lost_may_be_where_it_began() -> None:
    """Trace 2 lacks the span that failed first, and keeps what that called."""
    said = "the shelf is empty"
    whole = [
        Span(1, "GET /", 0, 90, trace=1, kind="SERVER", status="ERROR", message=said),
        Span(2, "GET", 10, 80, trace=1, parent=1, kind="CLIENT"),
        Span(3, "GET /left", 20, 70, trace=1, parent=2, kind="SERVER", service="stock"),
    ]
    cut = [replace(span, trace=2) for span in whole if span.id != 2]
    with rebuilt(whole, cut) as reader:
        failed = failure_points(reader)
        run = around(reader, failed)
    assert [one.lost_below for one in failed] == [False, True]
    intact, lost = (minutes(search_of(one, run)) for one in failed)
    assert lost == pytest.approx(intact + 5)
    assert run.half_hops == 0.5
    assert run.alike["GET /"] == 2
