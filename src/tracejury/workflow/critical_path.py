"""Lay every span inside what it belongs to, and find the path that took the time.

A span that outlives its parent (a consumer after its producer, work after a 202) stretches the
parent: what came of it was not over before. Only a failed call is not stretched: who waited for it
had given up. The critical path goes back from the end of a workflow instance, always to the work
that ended last before the work that waited for it; its stretches tile the instance without holes
or overlap. Everything works on whole columns.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Layout:
    """One entry a span: the position of what it lies below, and when, inside of that.

    `above` below zero stands for the instance itself: -1 - its number. `over_ns` is when it was
    over, with what came of it, whether somebody above still waited for it or not.
    """

    above: Ints
    start_ns: Ints
    end_ns: Ints
    over_ns: Ints


@dataclass(frozen=True, slots=True)
class Stretches:
    """Pieces of critical path: whose own time each is, from when to when, and of which instance.

    `holder` is the position of a span, or -1 - the instance's number where nothing was running.
    `on_path` has one entry a span: whether it is waited for, and what is above it.
    """

    instance: Ints
    holder: Ints
    start_ns: Ints
    end_ns: Ints
    on_path: Bools


def lay_out(
    parent: Ints, depth: Ints, instance: Ints, start_ns: Ints, end_ns: Ints, gave_up: Bools
) -> Layout:
    """Stretch parents over what outlives them, then cut what lies below a call that `gave_up`.

    `parent` holds positions (-1: none), `depth` is 0 there; times are nanoseconds.
    """
    levels = _levels(depth)
    start, over = start_ns.copy(), end_ns.copy()
    for spans in reversed(levels):
        stretching = spans[~gave_up[parent[spans]]]
        np.maximum.at(over, parent[stretching], over[stretching])
    end = over.copy()
    for spans in levels:
        low, high = start[parent[spans]], end[parent[spans]]
        start[spans] = np.clip(start[spans], low, high)
        end[spans] = np.clip(end[spans], low, high)
    return Layout(np.where(parent >= 0, parent, -1 - instance), start, end, over)


def _levels(depth: Ints) -> list[Ints]:
    """Positions of the spans at depth 1, 2, ..."""
    order = np.argsort(depth, kind="stable")
    cuts = np.flatnonzero(np.diff(depth[order])) + 1
    return np.split(order, cuts)[1:] if len(order) else []


def critical_path(layout: Layout, instance: Ints) -> Stretches:
    """The stretches of every instance's critical path."""
    if not len(instance):
        nothing = np.empty(0, dtype=np.int64)
        return Stretches(nothing, nothing, nothing, nothing, np.empty(0, dtype=bool))
    on_path = _under_path(_chained(layout), layout.above)
    return _stretches(on_path, layout, instance)


def _chained(layout: Layout) -> Bools:
    """Who is waited for by its own siblings and what is above them, if that is waited for."""
    start_ns, count = layout.start_ns, len(layout.start_ns)
    order = np.lexsort((np.arange(count), start_ns, layout.end_ns, layout.above))
    place = np.empty(count, dtype=np.int64)
    place[order] = np.arange(count)
    _, group = np.unique(layout.above, return_inverse=True)
    _, rank = np.unique(np.concatenate((start_ns, layout.end_ns)), return_inverse=True)
    key = (group.astype(np.int64) << 32) | rank[count:]
    last_before = np.searchsorted(
        key[order], (group.astype(np.int64) << 32) | rank[:count], "right"
    )
    # A span of no length is not before itself.
    earlier = np.minimum(last_before - 1, place - 1)
    follows = (earlier >= 0) & (group[order[np.maximum(earlier, 0)]] == group)
    jump = np.where(follows, order[np.maximum(earlier, 0)], np.arange(count))
    is_chained = np.zeros(count, dtype=bool)
    ends = np.flatnonzero(np.diff(group[order], append=-1) != 0)
    is_chained[order[ends]] = True
    reached = -1
    while (size := int(is_chained.sum())) != reached:
        reached = size
        is_chained[jump[is_chained]] = True
        jump = jump[jump]
    return is_chained


def _under_path(is_chained: Bools, above: Ints) -> Bools:
    """Who is chained, and so is everything above it."""
    count = len(above)
    # One more entry stands for every instance: always on the path, below nothing.
    jump = np.append(np.where(above >= 0, above, count), count)
    is_on_path = np.append(is_chained, True)
    while not (jump == count).all():
        is_on_path &= is_on_path[jump]
        jump = jump[jump]
    return is_on_path[:count]


def _stretches(on_path: Bools, layout: Layout, instance: Ints) -> Stretches:
    spans, start_ns = np.flatnonzero(on_path), layout.start_ns
    instances, first = np.unique(instance, return_inverse=True)
    bounds_start = np.full(len(instances), np.iinfo(np.int64).max)
    bounds_end = np.full(len(instances), np.iinfo(np.int64).min)
    np.minimum.at(bounds_start, first, start_ns)
    np.maximum.at(bounds_end, first, layout.end_ns)
    holders = np.concatenate((spans, -1 - instances))
    holder_start = np.concatenate((start_ns[spans], bounds_start))
    holder_end = np.concatenate((layout.end_ns[spans], bounds_end))
    holder_instance = np.concatenate((instance[spans], instances))
    # Every holder's time, cut where the pieces of path below it begin and end.
    times = np.concatenate((holder_start, holder_end, layout.end_ns[spans], start_ns[spans]))
    owner = np.concatenate((holders, holders, layout.above[spans], layout.above[spans]))
    opens = np.repeat([1, -1, 1, -1], [len(holders), len(holders), len(spans), len(spans)])
    order = np.lexsort((-opens, times, owner))
    times, owner, opens = times[order], owner[order], opens[order]
    # A holder's edges come in pairs: where its own time begins, and where it ends.
    begins, ends = times[opens == 1], times[opens == -1]
    of = owner[opens == 1]
    kept = ends > begins
    by_number = np.argsort(holders, kind="stable")
    at = by_number[np.searchsorted(holders[by_number], of[kept])]
    return Stretches(holder_instance[at], of[kept], begins[kept], ends[kept], on_path)
