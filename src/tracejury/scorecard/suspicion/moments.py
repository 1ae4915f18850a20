"""In how many moments spans of a step ran: what befalls traces at the same time happened once.

Ten traces in one second of a pause are one observation of it, not ten. Only traces that began well
apart are observations of their own.
"""

from typing import Final

import numpy as np

from tracejury.scorecard.suspicion.items import Floats, Ints

# What lies five seconds apart in windows of three minutes is independent, and nothing closer is.
LONGEST_NS: Final = 5_000_000_000

# In shorter windows moments are shorter, so that a short fault has as many of them.
IN_A_WINDOW: Final = 36


def moments(step: Ints, began_ns: Ints, *, steps: int, length_ns: float) -> Floats:
    """For each step, in how many moments of `length_ns` the traces of its spans began.

    As many as are not empty when time is cut into moments, on average over where the cuts may lie:
    each trace counts by the time since the one before it, up to one.
    """
    order = np.lexsort((began_ns, step))
    step = step[order]
    counts = np.ones(len(step))
    since = np.minimum(np.diff(began_ns[order]) / length_ns, 1.0)
    counts[1:] = np.where(np.diff(step) == 0, since, 1.0)
    return np.bincount(step, weights=counts, minlength=steps).astype(np.float64)
