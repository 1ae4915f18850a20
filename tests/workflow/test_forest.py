"""The forest has every span once, whatever its parent references do."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracejury.workflow.forest import MAX_PLACE_DEPTH, Forest, below_links, build_forest, depths

LONG = 100_000


def forest_of(
    parents: list[int], steps: list[int] | None = None, starts: list[int] | None = None
) -> Forest:
    numbers = np.arange(len(parents))
    return build_forest(
        np.array(parents, dtype=np.int64),
        numbers.astype(np.uint64) if steps is None else np.array(steps, dtype=np.uint64),
        numbers if starts is None else np.array(starts, dtype=np.int64),
        numbers.astype(np.uint64),
    )


def hashed(number: int) -> int:
    return int.from_bytes(hashlib.sha256(bytes([number])).digest()[:8], "big")


def cycles(parents: list[int]) -> list[set[int]]:
    """The cycles among the references, found by walking from every span."""
    found: list[set[int]] = []
    for start in range(len(parents)):
        walked = [start]
        while (above := parents[walked[-1]]) >= 0 and above not in walked:
            walked.append(above)
        if above >= 0:
            cycle = set(walked[walked.index(above) :])
            if cycle not in found:
                found.append(cycle)
    return found


@st.composite
def references(draw: st.DrawFn) -> list[int]:
    count = draw(st.integers(1, 30))
    return draw(st.lists(st.integers(-1, count - 1), min_size=count, max_size=count))


@given(references())
@settings(max_examples=300)
def test_every_span_is_in_one_tree_and_every_cycle_loses_one_edge(parents: list[int]) -> None:
    forest = forest_of(parents)
    for span in range(len(parents)):
        position, climbed = span, 0
        while forest.parent[position] >= 0:
            position, climbed = int(forest.parent[position]), climbed + 1
            assert climbed <= len(parents)
        assert forest.top[span] == position
        assert forest.depth[span] == climbed
    cut = {span for span, above in enumerate(parents) if forest.parent[span] != above}
    assert all(forest.parent[span] == -1 for span in cut)
    found = cycles(parents)
    assert [len(cycle & cut) for cycle in found] == [1] * len(found)
    assert cut <= set().union(*found)
    assert set(np.flatnonzero(forest.is_in_cycle)) == set().union(*found)


@given(references(), st.data())
@settings(max_examples=100)
def test_the_member_that_starts_first_is_the_top_of_its_cycle(
    parents: list[int], data: st.DataObject
) -> None:
    starts = data.draw(st.lists(st.integers(0, 5), min_size=len(parents), max_size=len(parents)))
    forest = forest_of(parents, starts=starts)
    for cycle in cycles(parents):
        first = min(cycle, key=lambda span: (starts[span], span))
        assert [span for span in sorted(cycle) if forest.parent[span] == -1] == [first]


@given(references(), st.integers(1, 3))
@settings(max_examples=100)
def test_a_place_is_the_way_from_the_top(parents: list[int], kinds: int) -> None:
    steps = [hashed(span % kinds) for span in range(len(parents))]
    forest = forest_of(parents, steps)
    ways = []
    for span in range(len(parents)):
        way, position = [steps[span]], span
        while forest.parent[position] >= 0:
            position = int(forest.parent[position])
            way.append(steps[position])
        ways.append(tuple(way))
    for one, reached in enumerate(ways):
        for other, same in enumerate(ways):
            assert (forest.place[one] == forest.place[other]) == (reached == same)


@pytest.mark.parametrize("parents", [[-1, *range(LONG - 1)], [*range(1, LONG), 0]])
def test_a_chain_or_a_cycle_of_a_hundred_thousand_is_no_burden(parents: list[int]) -> None:
    forest = forest_of(parents)
    assert sorted(forest.depth) == list(range(LONG))
    assert len(np.unique(forest.top)) == 1
    assert len(np.unique(forest.place[forest.depth < MAX_PLACE_DEPTH])) == MAX_PLACE_DEPTH


def test_nothing_is_a_forest() -> None:
    assert len(forest_of([]).parent) == 0


def test_a_top_lies_below_what_it_links_to_but_not_below_itself() -> None:
    # Two trees of two; the second's top links into the first. The third links to the fourth, ...
    parent = np.array([-1, 0, -1, 2, -1, 4, -1, 6])
    linked = np.array([-1, -1, 1, 0, 7, -1, 5, -1])
    # ... and that to the third: a cycle of links, which is left out. A child's link is no parent.
    assert below_links(parent, linked).tolist() == [-1, 0, 1, 2, -1, 4, -1, 6]


@given(references(), references())
def test_links_never_make_a_cycle(parents: list[int], links: list[int]) -> None:
    forest = forest_of(parents)
    linked = np.resize(np.array([*links, -1]), len(forest.parent))
    joined = below_links(forest.parent, np.where(linked < len(linked), linked, -1))
    has_parent = forest.parent >= 0
    assert (joined[has_parent] == forest.parent[has_parent]).all()
    assert (depths(joined) < len(joined)).all()  # ends where there is no cycle
