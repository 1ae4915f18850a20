"""How much sooner a workflow instance would end if a step took less time of its own.

Only time on the critical path can be saved, and only until something else is what is waited for:
work off the path was waited for, too, at the end of that piece of the path in which it ended. The
pieces from its start to there can be shortened by no more than what then was left, its slack, and
a step by no more than that in all of them together. Everything works on whole columns.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tracejury.workflow.critical_path import Bools, Ints, Layout, Stretches
from tracejury.workflow.forest import depths

# Of work that is nested deeper in work that is waited for, some of the slack is left out.
_DEEPEST: Final = 64

_NONE: Final = -1


@dataclass(frozen=True, slots=True)
class Savings:
    """One entry an instance and a step on its path: how much sooner it would end, at most."""

    instance: Ints
    step: Ints
    halved_ns: Ints  # if the step took half of its own time
    removed_ns: Ints  # if it took none


@dataclass(frozen=True, slots=True)
class _Pieces:
    """What the critical path within a span, or an instance, consists of, in its order.

    `within` is the position of that span, or -1 - the instance's number; `child` the position of
    the span below that a piece is, or -1 where it is own time.
    """

    within: Ints
    child: Ints
    start_ns: Ints
    end_ns: Ints


@dataclass(frozen=True, slots=True)
class _Limits:
    """By how much pieces can be shortened: one entry a span off the path.

    `above` is the limit that what is saved under a limit comes under next, -1 for none; `of_piece`
    the first limit of each piece.
    """

    slack_ns: Ints
    above: Ints
    of_piece: Ints


def what_if(layout: Layout, instance: Ints, path: Stretches, end_ns: Ints, step: Ints) -> Savings:
    """What each step would save. `end_ns` are the ends that were sent."""
    pieces = _pieces(layout, path)
    limits = _limits(layout, path, pieces)
    own = np.flatnonzero((pieces.child < 0) & (pieces.within >= 0))
    of = pieces.within[own]
    # Past its own end a span only waits for what came of it.
    spent = np.maximum(np.minimum(pieces.end_ns[own], end_ns[of]) - pieces.start_ns[own], 0)
    saved = _Saved(instance[of], step[of], limits.of_piece[own], np.stack((spent // 2, spent)))
    depth = np.append(depths(limits.above), _NONE)  # the last is of what is under no limit
    saved = _nearer(saved, limits, depth)
    for level in range(min(int(depth.max()), _DEEPEST), -1, -1):
        here = depth[saved.limit] == level
        saved = _joined(saved.part(~here), _held(saved.part(here), limits))
    whole = _summed(saved)
    return Savings(whole.instance, whole.step, whole.time_ns[0], whole.time_ns[1])


@dataclass(frozen=True, slots=True)
class _Saved:
    """Time that steps save below a limit (-1: none is left), two figures each."""

    instance: Ints
    step: Ints
    limit: Ints
    time_ns: Ints

    def part(self, which: Bools | Ints) -> "_Saved":
        return _Saved(
            self.instance[which], self.step[which], self.limit[which], self.time_ns[:, which]
        )


def _joined(one: _Saved, other: _Saved) -> _Saved:
    return _Saved(
        np.concatenate((one.instance, other.instance)),
        np.concatenate((one.step, other.step)),
        np.concatenate((one.limit, other.limit)),
        np.concatenate((one.time_ns, other.time_ns), axis=1),
    )


def _summed(saved: _Saved) -> _Saved:
    """Add up what is of the same instance, step and limit."""
    order = np.lexsort((saved.limit, saved.step, saved.instance))
    if not len(order):
        return saved
    ordered = saved.part(order)
    keys = np.stack((ordered.instance, ordered.step, ordered.limit))
    is_first: Bools = np.append(True, (keys[:, 1:] != keys[:, :-1]).any(axis=0))
    first = np.flatnonzero(is_first)
    return _Saved(
        ordered.instance[first],
        ordered.step[first],
        ordered.limit[first],
        np.add.reduceat(ordered.time_ns, first, axis=1),
    )


def _held(saved: _Saved, limits: _Limits) -> _Saved:
    """Hold what each step saves to the limit it is under, and hand it to the limit above."""
    whole = _summed(saved)
    held = np.minimum(whole.time_ns, limits.slack_ns[whole.limit])
    return _Saved(whole.instance, whole.step, limits.above[whole.limit], held)


def _nearer(saved: _Saved, limits: _Limits, depth: Ints) -> _Saved:
    """Take what lies under too many limits from its first to one that is not too deep."""
    is_deep: Bools = depth[saved.limit] > _DEEPEST
    if not is_deep.any():
        return saved
    nearest = np.where(depth[:-1] > _DEEPEST, limits.above, np.arange(len(limits.above)))
    while not np.array_equal(further := nearest[nearest], nearest):
        nearest = further
    deep = _held(saved.part(is_deep), limits)
    moved = _Saved(deep.instance, deep.step, nearest[deep.limit], deep.time_ns)
    return _joined(saved.part(~is_deep), moved)


def _pieces(layout: Layout, path: Stretches) -> _Pieces:
    spans = np.flatnonzero(path.on_path)
    within = np.concatenate((path.holder, layout.above[spans]))
    child = np.concatenate((np.full(len(path.holder), _NONE), spans))
    start_ns = np.concatenate((path.start_ns, layout.start_ns[spans]))
    end_ns = np.concatenate((path.end_ns, layout.end_ns[spans]))
    order = np.lexsort((end_ns, start_ns, within))
    return _Pieces(within[order], child[order], start_ns[order], end_ns[order])


def _limits(layout: Layout, path: Stretches, pieces: _Pieces) -> _Limits:
    """Find what runs beside the path, and the tightest of it for every piece."""
    is_on_path = np.append(path.on_path, True)  # the last stands for every instance
    beside = np.flatnonzero(~path.on_path & is_on_path[np.maximum(layout.above, _NONE)])
    first, last = _spanned(layout, pieces, beside)
    is_some = first <= last
    beside, first, last = beside[is_some], first[is_some], last[is_some]
    slack_ns = pieces.end_ns[last] - layout.end_ns[beside]
    tightest_first = np.argsort(slack_ns, kind="stable")
    slack_ns = slack_ns[tightest_first]
    nearest = _tightest(first[tightest_first], last[tightest_first], len(pieces.within))
    piece_of = np.full(len(layout.above) + 1, _NONE)
    piece_of[pieces.child[pieces.child >= 0]] = np.flatnonzero(pieces.child >= 0)
    up = piece_of[np.maximum(pieces.within, _NONE)]
    of_piece = _inherited(nearest, up)
    piece_above = piece_of[np.maximum(layout.above[beside[tightest_first]], _NONE)]
    above = np.where(piece_above >= 0, np.append(of_piece, _NONE)[piece_above], _NONE)
    return _Limits(slack_ns, above, of_piece)


def _spanned(layout: Layout, pieces: _Pieces, beside: Ints) -> tuple[Ints, Ints]:
    """The first and the last piece that each span runs beside."""
    containers, group = np.unique(pieces.within, return_inverse=True)
    start, end = layout.start_ns[beside], layout.end_ns[beside]
    _, rank = np.unique(np.concatenate((pieces.end_ns, start, end)), return_inverse=True)
    count = len(pieces.end_ns)
    ends = (group.astype(np.int64) << 32) | rank[:count]
    of = np.searchsorted(containers, layout.above[beside]).astype(np.int64) << 32
    first = np.searchsorted(ends, of | rank[count : count + len(beside)], "right")
    return first, np.searchsorted(ends, of | rank[count + len(beside) :], "left")


def _tightest(first: Ints, last: Ints, count: int) -> Ints:
    """For every place the lowest number of those whose range has it, or -1."""
    nobody = len(first)
    lowest = np.full(count, nobody)
    if not nobody:
        return np.full(count, _NONE)
    # A range is covered by two of a power of two, and one of those by two of half its length.
    power = np.frexp(last - first + 1)[1] - 1
    for level in range(int(power.max()), -1, -1):
        here, length = np.flatnonzero(power == level), 1 << level
        np.minimum.at(lowest, first[here], here)
        np.minimum.at(lowest, last[here] - length + 1, here)
        if half := length >> 1:
            halved = lowest.copy()
            np.minimum(halved[half:], lowest[:-half], out=halved[half:])
            lowest = halved
    return np.where(lowest < nobody, lowest, _NONE)


def _inherited(limit: Ints, up: Ints) -> Ints:
    """The limit of each piece, else that of the nearest piece above that has one, else -1."""
    nearest = np.where((limit >= 0) | (up < 0), np.arange(len(limit)), up)
    while not np.array_equal(further := nearest[nearest], nearest):
        nearest = further
    return limit[nearest]
