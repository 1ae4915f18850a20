"""A change between a window and the time outside: what changed, how strongly, and by how much.

The strength is the change in units of its own variation between slices of the time outside, as a
standard normal would have it, and less of it the smaller the change is. It knows two things that a
plain z does not: a variation learned from few slices is uncertain (Student's t), and a change that
is certain can still be too small to matter.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from tracejury.scorecard.suspicion.items import Floats, Item
from tracejury.scorecard.suspicion.observed import Step

# The weight of a slice in the variation grows with its moments; with this many it counts half.
_HALF_WEIGHT: Final = 5.0

# As many slices as these count what is typical of all steps beside a step's own few slices.
PRIOR_SLICES: Final = 4.0


@dataclass(frozen=True, slots=True)
class Change:
    """`item` is None where the own time changed. Logarithms of nanoseconds, else shares.

    `spans` and `spans_outside` are how many could have shown it.
    """

    step: Step
    item: Item | None
    strength: float
    inside: float
    outside: float
    spans: int
    spans_outside: int


def variation(squares: Floats, moments: Floats) -> Floats:
    """Variance between slices, a row for each step: NaN where it ran in no slice.

    `squares` are squared deviations less what chance within a slice explains; columns are slices.
    """
    weights = moments / (moments + _HALF_WEIGHT)
    total = weights.sum(axis=1)
    summed = np.where(moments > 0, squares * weights, 0.0).sum(axis=1)
    return np.where(total > 0, np.maximum(summed, 0) / np.where(total > 0, total, 1), np.nan)


def strength(z: Floats, size: Floats, *, freedom: float, half_size: float) -> Floats:
    """`z` of Student's t as a standard normal's; half of it where the change is of `half_size`."""
    normal = np.sign(z) * np.sqrt(freedom * np.log1p(z * z / freedom))
    size = np.abs(size)
    return normal * size / (size + half_size)
