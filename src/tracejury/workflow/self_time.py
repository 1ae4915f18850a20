"""How long every span ran while nothing below it did. Everything works on whole columns."""

from dataclasses import dataclass

import numpy as np

from tracejury.workflow.critical_path import Ints, Layout


@dataclass(frozen=True, slots=True)
class SelfTime:
    """One entry a span.

    `self_ns` is its duration less the union of what lies below it; `largest_gap_ns` the longest
    stretch covered by nothing below it and `gap_start_ns` when that began; `children` how many
    spans lie directly below it.
    """

    self_ns: Ints
    largest_gap_ns: Ints
    gap_start_ns: Ints
    children: Ints


def self_times(layout: Layout, start_ns: Ints, end_ns: Ints) -> SelfTime:
    """The time of every span's own, by the layout and the times that the spans were sent with."""
    result = SelfTime(
        self_ns=end_ns - start_ns,
        largest_gap_ns=end_ns - start_ns,
        gap_start_ns=start_ns.copy(),
        children=np.zeros(len(start_ns), dtype=np.int64),
    )
    # What lies below a span counts as far as the span itself goes, also where a caller further up
    # had given up: the work went on.
    below = np.flatnonzero(layout.above >= 0)
    below = below[start_ns[below] <= end_ns[layout.above[below]]]
    if not len(below):
        return result
    above = layout.above[below]
    start = np.maximum(start_ns[below], start_ns[above])
    end = np.clip(layout.over_ns[below], start_ns[above], end_ns[above])
    order = np.lexsort((end, start, above))
    above, start, end = above[order], start[order], end[order]
    is_first = np.append(True, above[1:] != above[:-1])
    first = np.flatnonzero(is_first)
    group = np.cumsum(is_first) - 1
    # Up to where something ran, of each and all before it below the same span.
    times, rank = np.unique(end, return_inverse=True)
    covered = times[np.maximum.accumulate((group << 32) | rank) & 0xFFFFFFFF]
    reached = np.where(is_first, start_ns[above], np.append(0, covered[:-1]))
    gap = np.maximum(start - reached, 0)
    largest = np.maximum.reduceat(gap, first)
    # Of stretches of the same length the latest.
    began = np.maximum.reduceat(np.where(gap == largest[group], reached, -1), first)
    spans = above[first]
    last = covered[np.append(first[1:], len(start)) - 1]
    rest = end_ns[spans] - last
    result.self_ns[spans] = np.add.reduceat(gap, first) + rest
    result.largest_gap_ns[spans] = np.maximum(largest, rest)
    result.gap_start_ns[spans] = np.where(
        rest > largest, last, np.where(largest > 0, began, start_ns[spans])
    )
    result.children[spans] = np.diff(np.append(first, len(start)))
    return result
