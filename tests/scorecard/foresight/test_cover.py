"""The cover that a plan rests on is the smallest there is: held against trying all of them."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from tracejury.scorecard.foresight.cover import smallest_cover

SETS = st.lists(st.frozensets(st.integers(0, 7), max_size=5), max_size=8)


def fewest(sets: list[frozenset[int]]) -> int:
    whole = frozenset().union(*sets)
    return next(
        size
        for size in range(len(sets) + 1)
        for chosen in combinations(sets, size)
        if frozenset().union(*chosen) == whole
    )


@given(SETS)
def test_no_fewer_sets_hold_everything(sets: list[frozenset[int]]) -> None:
    cover = smallest_cover(sets)
    assert cover.is_smallest
    assert frozenset().union(*(sets[n] for n in cover.chosen)) == frozenset().union(*sets)
    assert len(cover.chosen) == fewest(sets)


def test_where_greed_takes_three_two_are_found() -> None:
    greedy_first = frozenset({1, 2, 3, 4})
    sets = [greedy_first, frozenset({1, 2, 5}), frozenset({3, 4, 6})]
    assert smallest_cover(sets).chosen == (1, 2)


def test_of_equals_the_first_is_taken() -> None:
    assert smallest_cover([frozenset("a"), frozenset("ab"), frozenset("ab")]).chosen == (1,)


def test_a_search_without_end_gives_a_cover_and_says_so() -> None:
    # Triples of a large ground set: proving the smallest cover takes longer than anybody waits.
    sets = [frozenset({n, (3 * n + 1) % 90, (7 * n + 5) % 90}) for n in range(90)]
    cover = smallest_cover(sets)
    assert not cover.is_smallest
    assert frozenset().union(*(sets[n] for n in cover.chosen)) == frozenset().union(*sets)
