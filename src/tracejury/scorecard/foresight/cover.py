"""The fewest sets that together hold everything: exact while that is cheap, else greedy."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

E = TypeVar("E", bound=Hashable)

# Steps of the search after which the best cover so far is taken.
_STEPS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Cover:
    """Which sets, by position; `is_smallest`: no fewer sets hold everything."""

    chosen: tuple[int, ...]
    is_smallest: bool


def smallest_cover(sets: Sequence[frozenset[E]]) -> Cover:
    """The fewest of `sets` that hold whatever any of them holds.

    Of as many, those that come first are taken.
    """
    useful = _undominated(sets)
    chosen = _greedy(sets, useful)
    return _search(sets, useful, chosen)


def _undominated(sets: Sequence[frozenset[E]]) -> tuple[int, ...]:
    """Those that no other holds all of; of equal ones the first."""
    return tuple(
        one
        for one, held in enumerate(sets)
        if held
        and not any(
            held < other or (held == other and position < one)
            for position, other in enumerate(sets)
        )
    )


def _greedy(sets: Sequence[frozenset[E]], useful: tuple[int, ...]) -> tuple[int, ...]:
    left = frozenset().union(*(sets[position] for position in useful))
    chosen = []
    while left:
        best = max(useful, key=lambda position: (len(sets[position] & left), -position))
        chosen.append(best)
        left -= sets[best]
    return tuple(sorted(chosen))


def _search(sets: Sequence[frozenset[E]], useful: tuple[int, ...], best: tuple[int, ...]) -> Cover:
    """Branch on what fewest sets hold; leave a branch that cannot become smaller than the best."""
    whole = frozenset().union(*(sets[position] for position in useful))
    holders = {
        element: [position for position in useful if element in sets[position]] for element in whole
    }
    order = sorted(whole, key=lambda element: (len(holders[element]), holders[element]))
    open_branches: list[tuple[tuple[int, ...], frozenset[E]]] = [((), whole)]
    for _ in range(_STEPS):
        if not open_branches:
            return Cover(best, is_smallest=True)
        chosen, left = open_branches.pop()
        if not left:
            if len(chosen) < len(best):
                best = tuple(sorted(chosen))
            continue
        widest = max(len(sets[position] & left) for position in useful)
        if len(chosen) + -(-len(left) // widest) >= len(best):
            continue
        next_element = next(element for element in order if element in left)
        open_branches.extend(
            ((*chosen, position), left - sets[position])
            for position in reversed(holders[next_element])
        )
    return Cover(best, is_smallest=not open_branches)
