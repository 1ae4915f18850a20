"""The windows to be judged, and the time outside all of them cut into slices of about their length.

Each slice is judged as if it were a window: what slices differ by is what chance alone does.
"""

from dataclasses import dataclass
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
    """Half-open spans of time: `windows` of them are windows, the others slices.

    What lies closer together than `moment_ns` happened at once.
    """

    start_ns: Ints
    end_ns: Ints
    windows: int
    moment_ns: float

    def __len__(self) -> int:
        return len(self.start_ns)

    @property
    def slices(self) -> range:
        """Which of them are slices."""
        return range(self.windows, len(self))


def cut(observed: Observed, windows: list[tuple[int, int]]) -> Segments:
    """`windows` are (start_ns, end_ns), the end included."""
    begins = _begins(observed)
    for start, end in windows:
        begins = begins[(begins < start) | (begins > end)]
    window = np.searchsorted(np.sort([start for start, _ in windows]), begins)
    breaks = np.flatnonzero((np.diff(window) != 0) | (np.diff(begins) > _PAUSE_NS)) + 1
    stretches = [part for part in np.split(begins, breaks) if len(part)]
    total = sum(int(part[-1] - part[0]) for part in stretches)
    usual = float(np.median([end - start for start, end in windows]))
    length = max(min(usual, total / _SLICES), total / _SLICES_AT_MOST, 1.0)
    edges = [_edges(part, length) for part in stretches]
    starts = [at for edge in edges for at in edge[:-1]]
    ends = [at for edge in edges for at in edge[1:]]
    return Segments(
        np.array([start for start, _ in windows] + starts, dtype=np.int64),
        np.array([end + 1 for _, end in windows] + ends, dtype=np.int64),
        len(windows),
        max(min(usual / IN_A_WINDOW, LONGEST_NS), 1.0),
    )


def _begins(observed: Observed) -> Ints:
    """When each trace began, in order: of the spans, which are in order, the first of each."""
    _, first = np.unique(observed.trace, return_index=True)
    return np.sort(observed.start_ns[first])


def _edges(part: Ints, length: float) -> list[int]:
    count = max(1, round(int(part[-1] - part[0]) / length))
    return [int(at) for at in np.linspace(int(part[0]), int(part[-1]) + 1, count + 1)]
