"""The windows to be judged, and the time outside all of them cut into slices of about their length.

Each slice is judged as if it were a window: what slices differ by is what chance alone does. What
lies right beside a window is judged as well: its times may be wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from tracejury.scorecard.suspicion.items import Ints
from tracejury.scorecard.suspicion.moments import IN_A_WINDOW, LONGEST_NS
from tracejury.scorecard.suspicion.observed import Observed

# A pause in the telemetry ends a slice.
_PAUSE_NS: Final = 30_000_000_000

# Where the time outside is short, slices are shorter than windows rather than fewer than this.
_SLICES: Final = 8

# Where it is long, slices are longer rather than more than this.
_SLICES_AT_MOST: Final = 64


@dataclass(frozen=True, slots=True)
class Segments:
    """Half-open spans of time: `windows` windows first, then `slices`, then halves of slices.

    `before` and `after` have the half that lies right beside a window, where a slice does. What
    lies closer together than `moment_ns` happened at once.
    """

    start_ns: Ints
    end_ns: Ints
    windows: int
    slices: range
    before: Mapping[int, int]
    after: Mapping[int, int]
    moment_ns: float

    def __len__(self) -> int:
        return len(self.start_ns)


def cut(observed: Observed, windows: list[tuple[int, int]]) -> Segments:
    """`windows` are (start_ns, end_ns), the end included."""
    begins = _begins(observed)
    for start, end in windows:
        begins = begins[(begins < start) | (begins > end)]
    passed = np.searchsorted(np.sort([start for start, _ in windows]), begins)
    breaks = np.flatnonzero((np.diff(passed) != 0) | (np.diff(begins) > _PAUSE_NS)) + 1
    stretches = [part for part in np.split(begins, breaks) if len(part)]
    total = sum(int(part[-1] - part[0]) for part in stretches)
    usual = float(np.median([end - start for start, end in windows]))
    length = max(min(usual, total / _SLICES), total / _SLICES_AT_MOST, 1.0)
    edges = [_edges(part, length) for part in stretches]
    whole = [(start, end + 1) for start, end in windows]
    whole += [pair for edge in edges for pair in pairwise(edge)]
    slices = range(len(windows), len(whole))
    halves: list[tuple[int, int]] = []
    before, after = {}, {}
    for window, (start, end) in enumerate(whole[: len(windows)]):
        if (near := _nearest([start - other for _, other in whole])) in slices:
            before[window] = len(whole) + len(halves)
            halves.append((sum(whole[near]) // 2, whole[near][1]))
        if (near := _nearest([other - end for other, _ in whole])) in slices:
            after[window] = len(whole) + len(halves)
            halves.append((whole[near][0], sum(whole[near]) // 2))
    start_ns, end_ns = np.array(whole + halves, dtype=np.int64).T
    moment_ns = max(min(usual / IN_A_WINDOW, LONGEST_NS), 1.0)
    return Segments(start_ns, end_ns, len(windows), slices, before, after, moment_ns)


def _nearest(apart_ns: Sequence[int]) -> int:
    """Which is next to something, by how far apart each is; -1 where there is a pause."""
    near = [at for at, apart in enumerate(apart_ns) if 0 <= apart <= _PAUSE_NS]
    return min(near, key=lambda at: apart_ns[at], default=-1)


def _begins(observed: Observed) -> Ints:
    """When each trace began, in order: of the spans, which are in order, the first of each."""
    _, first = np.unique(observed.trace, return_index=True)
    return np.sort(observed.start_ns[first])


def _edges(part: Ints, length: float) -> list[int]:
    count = max(1, round(int(part[-1] - part[0]) / length))
    return [int(at) for at in np.linspace(int(part[0]), int(part[-1]) + 1, count + 1)]
