"""Rebuild the trace forest from parent references, whatever shape they arrived in.

Everything works on whole columns by pointer doubling, so neither a chain of a hundred thousand
spans nor a cycle costs a recursion.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

# Deeper than this, a span's place is its own step alone: a hostile chain of ten thousand spans
# would otherwise be ten thousand different steps.
MAX_PLACE_DEPTH: Final = 64

_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Forest:
    """One entry a span, in the order of the input; -1 stands for none.

    `parent` is the position of the parent, with one edge of every cycle cut; `top` the position of
    the first ancestor; `place` a hash of the steps from the top down to the span.
    """

    parent: Ints
    top: Ints
    depth: Ints
    is_in_cycle: NDArray[np.bool_]
    place: NDArray[np.uint64]


def build_forest(
    parent: Ints, step: NDArray[np.uint64], start: Ints, span_id: NDArray[np.uint64]
) -> Forest:
    """The forest of spans whose parents are at the positions `parent` (-1: none).

    The member of a cycle that starts first is its top; of two at once, that of the lower `span_id`.
    """
    parent = parent.copy()
    is_in_cycle = _cut_cycles(parent, start, span_id)
    top, depth = _tops(parent)
    return Forest(parent, top, depth, is_in_cycle, _places(parent, depth, step))


def positions_of(numbers: Ints, known: Ints) -> Ints:
    """Where `numbers` stand in the sorted `known`; -1 for what is not there."""
    if not len(known):
        return np.empty(0, dtype=np.int64)
    if known[-1] - known[0] == len(known) - 1:
        # Without a hole, each stands where it is due.
        at = numbers - known[0]
        return np.where((at >= 0) & (at < len(known)), at, -1)
    at = np.minimum(np.searchsorted(known, numbers), len(known) - 1)
    return np.where(known[at] == numbers, at, -1)


def below_links(parent: Ints, linked: Ints) -> Ints:
    """The parents, and for a top what it is linked to (-1: nothing), where that makes no cycle."""
    joined = np.where((parent < 0) & (linked >= 0), linked, parent)
    ancestor = np.where(joined < 0, np.arange(len(joined)), joined)
    for _ in range(len(joined).bit_length()):
        ancestor = ancestor[ancestor]
    # Who never comes to a top leads into a cycle, and so far up stands on it.
    members = np.unique(ancestor[joined[ancestor] >= 0])
    joined[members] = parent[members]
    return joined


def _cut_cycles(parent: Ints, start: Ints, span_id: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Make the first member of every cycle a top. Returns who is in a cycle."""
    positions = np.arange(len(parent))
    is_in_cycle = np.zeros(len(parent), dtype=bool)
    ancestor = np.where(parent < 0, positions, parent)
    resolved = -1
    while True:
        lost = parent[ancestor] >= 0
        if not lost.any():
            return is_in_cycle
        if (count := int((~lost).sum())) == resolved:
            break
        resolved = count
        ancestor = ancestor[ancestor]
    # Who is still lost leads into a cycle. Far enough up, every one of them stands on it.
    lost = parent[ancestor] >= 0
    step = np.where(parent < 0, positions, parent)
    in_order = np.lexsort((span_id, start))
    first = np.empty_like(positions)
    first[in_order] = positions
    for _ in range(int(lost.sum()).bit_length() + 1):
        first = np.minimum(first, first[step])
        step = step[step]
    members = np.unique(step[lost])
    is_in_cycle[members] = True
    parent[in_order[np.unique(first[members])]] = -1
    return is_in_cycle


def depths(parent: Ints) -> Ints:
    """How far below its top each is, where no parents form a cycle."""
    _, depth = _tops(parent)
    return depth


def _tops(parent: Ints) -> tuple[Ints, Ints]:
    positions = np.arange(len(parent))
    is_top = parent < 0
    ancestor = np.where(is_top, positions, parent)
    depth = np.where(is_top, 0, 1)
    while not is_top[ancestor].all():
        depth = depth + depth[ancestor]
        ancestor = ancestor[ancestor]
    return ancestor, depth


def _places(parent: Ints, depth: Ints, step: NDArray[np.uint64]) -> NDArray[np.uint64]:
    place = step.copy()
    by_depth = np.argsort(depth, kind="stable")
    levels = np.searchsorted(depth[by_depth], np.arange(1, MAX_PLACE_DEPTH + 2))
    with np.errstate(over="ignore"):
        for first, end in pairwise(levels):
            if first == end:
                break
            spans = by_depth[first:end]
            place[spans] = (place[parent[spans]] * _MULTIPLIER) ^ (step[spans] + _MULTIPLIER)
    return place
