"""The critical path tiles a workflow instance exactly, whatever the times are."""

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tracejury.workflow.critical_path import Layout, critical_path, lay_out
from tracejury.workflow.forest import depths


@dataclass(frozen=True)
class Timed:
    parent: int
    instance: int
    start: int
    end: int
    gave_up: bool = False


Stretch = tuple[int, int, int]  # holder, start, end


def layout_of(spans: list[Timed]) -> Layout:
    parent = np.array([span.parent for span in spans], dtype=np.int64)
    depth = depths(parent)
    return lay_out(
        parent,
        depth,
        np.array([span.instance for span in spans], dtype=np.int64),
        np.array([span.start for span in spans], dtype=np.int64),
        np.array([span.end for span in spans], dtype=np.int64),
        np.array([span.gave_up for span in spans], dtype=bool),
    )


def paths(spans: list[Timed]) -> dict[int, list[Stretch]]:
    instance = np.array([span.instance for span in spans], dtype=np.int64)
    found = critical_path(layout_of(spans), instance)
    path: dict[int, list[Stretch]] = {number: [] for number in instance}
    for number, *stretch in zip(
        found.instance, found.holder, found.start_ns, found.end_ns, strict=True
    ):
        holder, start, end = map(int, stretch)
        path[int(number)].append((holder, start, end))
    return {number: sorted(stretches, key=lambda s: s[1]) for number, stretches in path.items()}


@st.composite
def runs(draw: st.DrawFn) -> list[Timed]:
    """Instances of trees whose children may start early, end late, overlap, or last no time."""
    spans: list[Timed] = []
    for instance in range(draw(st.integers(1, 3))):
        first = len(spans)
        for _ in range(draw(st.integers(1, 8))):
            parent = draw(st.integers(first - 1, len(spans) - 1))
            start = draw(st.integers(0, 12))
            end = start + draw(st.integers(0, 8))
            spans.append(
                Timed(-1 if parent < first else parent, instance, start, end, draw(st.booleans()))
            )
    return spans


@given(runs())
@settings(max_examples=250)
def test_the_stretches_tile_every_instance(spans: list[Timed]) -> None:
    layout = layout_of(spans)
    for instance, stretches in paths(spans).items():
        members = [at for at, span in enumerate(spans) if span.instance == instance]
        reached = min(int(layout.start_ns[at]) for at in members)
        for holder, start, end in stretches:
            assert start == reached < end
            if holder >= 0:
                assert spans[holder].instance == instance
                assert layout.start_ns[holder] <= start <= end <= layout.end_ns[holder]
            else:
                assert holder == -1 - instance
            reached = end
        assert reached == max(int(layout.end_ns[at]) for at in members)


@given(runs())
@settings(max_examples=150)
def test_a_layout_is_nested_and_keeps_what_can_be_kept(spans: list[Timed]) -> None:
    layout = layout_of(spans)
    for at, span in enumerate(spans):
        start, end = layout.start_ns[at], layout.end_ns[at]
        assert start <= end
        if span.parent >= 0:
            above = span.parent
            assert layout.start_ns[above] <= start
            assert end <= layout.end_ns[above]
        if span.parent < 0:
            assert start == span.start
            assert end >= span.end


def test_waiting_is_followed_from_the_end_back() -> None:
    spans = [
        Timed(-1, 0, 0, 100),
        Timed(0, 0, 10, 40),
        Timed(0, 0, 30, 50),  # overlaps the first, ends later
        Timed(0, 0, 50, 90),
    ]
    assert paths(spans)[0] == [(0, 0, 30), (2, 30, 50), (3, 50, 90), (0, 90, 100)]


def test_work_after_the_answer_stretches_what_it_belongs_to() -> None:
    spans = [Timed(-1, 0, 0, 10), Timed(0, 0, 5, 30)]
    assert paths(spans)[0] == [(0, 0, 5), (1, 5, 30)]


def test_a_producer_waits_for_its_consumer_past_its_own_end() -> None:
    spans = [Timed(-1, 0, 0, 20), Timed(0, 0, 10, 15), Timed(1, 0, 60, 100)]
    assert paths(spans)[0] == [(0, 0, 10), (1, 10, 60), (2, 60, 100)]


def test_nobody_waits_for_a_callee_after_giving_up() -> None:
    spans = [Timed(-1, 0, 0, 20), Timed(0, 0, 0, 10, gave_up=True), Timed(1, 0, 1, 90)]
    assert paths(spans)[0] == [(1, 0, 1), (2, 1, 10), (0, 10, 20)]


def test_the_time_between_two_trees_is_the_instances_own() -> None:
    spans = [Timed(-1, 7, 0, 10), Timed(-1, 7, 25, 30)]
    assert paths(spans)[7] == [(0, 0, 10), (-8, 10, 25), (1, 25, 30)]


def test_spans_of_no_length_hold_nothing() -> None:
    spans = [Timed(-1, 0, 0, 10), Timed(0, 0, 10, 10), Timed(0, 0, 4, 4), Timed(0, 0, 4, 4)]
    assert {holder for holder, _, _ in paths(spans)[0]} == {0}


def test_no_spans_have_no_path() -> None:
    assert paths([]) == {}
