"""Two clocks that disagree make no workflow longer than it was."""

from collections.abc import Callable

import pytest
from tests.workflow.drawn import Record, Span, rebuilt

from tracejury.scorecard.timing import timing

HOUR_MS = 3_600_000


def asked(apart_ms: float) -> list[Record]:
    """A call to a service whose clock is ahead, and what that does."""
    return [
        Span(1, "GET /", 0, 1_000, kind="SERVER", service="web"),
        Span(2, "GET", 100, 900, parent=1, kind="CLIENT", service="web"),
        Span(3, "GET /price", 200 + apart_ms, 800 + apart_ms, parent=2, kind="SERVER"),
        Span(4, "look up", 300 + apart_ms, 700 + apart_ms, parent=3),
    ]


def sent(apart_ms: float) -> list[Record]:
    """A message to a consumer whose clock is ahead."""
    return [
        Span(1, "POST /", 0, 1_000, kind="SERVER", service="web"),
        Span(2, "send", 100, 200, parent=1, kind="PRODUCER", service="web"),
        Span(3, "process", 300 + apart_ms, 900 + apart_ms, parent=2, kind="CONSUMER"),
    ]


def sent_by_link(apart_ms: float) -> list[Record]:
    *before, process = sent(apart_ms)
    assert isinstance(process, Span)
    return [
        *before,
        Span(
            3, "process", process.start_ms, process.end_ms, trace=2, kind="CONSUMER", links=[(1, 2)]
        ),
    ]


def set_back(apart_ms: float) -> list[Record]:
    """A job whose clock is set while it runs."""
    return [
        Span(1, "run", 0, 1_000, kind="CONSUMER"),
        Span(2, "load", 0, 300, parent=1),
        Span(3, "store", 300 + apart_ms, 1_000 + apart_ms, parent=1),
    ]


@pytest.mark.parametrize(
    ("drawn", "apart_ms"),
    [
        (asked, 0),
        (asked, HOUR_MS),
        (asked, -HOUR_MS),
        (asked, -1_500),
        (sent, -HOUR_MS),
        (sent_by_link, -HOUR_MS),
        (set_back, -HOUR_MS),
    ],
)
def test_a_workflow_lasts_as_long_as_the_clock_of_its_entry_says(
    drawn: Callable[[float], list[Record]], apart_ms: float
) -> None:
    with rebuilt(drawn(apart_ms)) as reader:
        assert reader.value("SELECT took_ns / 1e6 FROM workflow_instance") == 1_000
        assert reader.value("SELECT p95_ms FROM workflow") == 1_000
        assert reader.value("SELECT took_ns / 1e6 FROM shaped_instance") == 1_000
        assert reader.value("SELECT sum(end_ns - start_ns)::BIGINT / 1e6 FROM critical") == 1_000
        found = timing(reader)
    assert found.explained == 1
    assert max(step.removed_saves_ms or 0 for step in found.steps) <= 1_000


def test_what_may_be_so_is_no_wrong_clock() -> None:
    """Work after an answer, a long poll, a wait told later, and a callee of who had given up."""
    after = [Span(1, "POST /", 0, 10, kind="SERVER"), Span(2, "work", 5_000, 9_000, parent=1)]
    polled = [
        Span(1, "send", 5_000, 5_010, kind="PRODUCER", service="web"),
        Span(2, "receive", 0, 9_000, parent=1, kind="CONSUMER"),
    ]
    told_later = [
        Span(1, "GET /", 5_000, 9_000, kind="SERVER"),
        Span(2, "in the web server's queue", 0, 5_000, parent=1),
    ]
    given_up = [
        Span(1, "GET", 0, 10, kind="CLIENT", service="web", status="ERROR"),
        Span(2, "GET /", 5_000, 9_000, parent=1, kind="SERVER"),
    ]
    for drawn in (after, polled, told_later, given_up):
        with rebuilt(drawn) as reader:
            assert reader.value("SELECT count(*) FROM impossible_start") == 0
            assert reader.value("SELECT took_ns / 1e6 FROM workflow_instance") == 9_000
