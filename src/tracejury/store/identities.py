"""Which records are stored already: their identities, in memory, sorted."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

# The recent ones are merged into the rest when they are this many, or this part of it: sorting
# everything at every commit would cost more than looking twice.
_RECENT_LIMIT: Final = 131_072
_RECENT_PART: Final = 16


class Identities:
    """Some 64-bit hashes, eight bytes each; for one thread at a time."""

    def __init__(self, stored: Hashes) -> None:
        self._settled = np.sort(stored)
        self._recent = np.empty(0, dtype=np.uint64)

    def among(self, hashes: Hashes) -> NDArray[np.bool_]:
        """Which of `hashes` are in the set."""
        # Sorted, they walk through memory in one direction.
        order = np.argsort(hashes)
        ascending = hashes[order]
        found = np.empty(len(hashes), dtype=bool)
        found[order] = _is_in(ascending, self._settled) | _is_in(ascending, self._recent)
        return found

    def add(self, hashes: Hashes) -> None:
        """Put `hashes` into the set."""
        self._recent = np.sort(np.concatenate((self._recent, hashes)))
        if len(self._recent) > max(_RECENT_LIMIT, len(self._settled) // _RECENT_PART):
            everything = np.concatenate((self._settled, self._recent))
            self._settled = np.sort(everything, kind="stable")
            self._recent = self._recent[:0]

    def remove(self, hashes: Hashes) -> None:
        """Take `hashes` out of the set."""
        self._settled = _without(self._settled, hashes)
        self._recent = _without(self._recent, hashes)


def _is_in(hashes: Hashes, ordered: Hashes) -> NDArray[np.bool_]:
    if not len(ordered):
        return np.zeros(len(hashes), dtype=bool)
    at = np.minimum(np.searchsorted(ordered, hashes), len(ordered) - 1)
    found: NDArray[np.bool_] = ordered[at] == hashes
    return found


def _without(ordered: Hashes, hashes: Hashes) -> Hashes:
    wanted = np.unique(hashes)
    starts = np.searchsorted(ordered, wanted)
    counts = np.searchsorted(ordered, wanted, side="right") - starts
    before = np.cumsum(counts) - counts
    return np.delete(ordered, np.arange(counts.sum()) + np.repeat(starts - before, counts))
