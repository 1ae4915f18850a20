"""What share of a step's spans shows an item, in a window against outside: calls, log lines, ...

Where a caller calls less or more than it used to, it chose which calls to make. What that choice
alone can do to the called service's shares is taken off before they count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracejury.scorecard.suspicion.change import PRIOR_SLICES, Change, strength, variation
from tracejury.scorecard.suspicion.items import ANSWERED, CALLS, FAILS, LOGS, LOSES, Floats, Ints
from tracejury.scorecard.suspicion.moments import moments
from tracejury.scorecard.suspicion.observed import Observed
from tracejury.scorecard.suspicion.segments import Segments

# A change of ten points counts half.
_HALF_SIZE: Final = 0.1

# No share is steadier than this between slices.
_STEADIEST: Final = 0.03

# A caller that makes almost no calls any more can choose any of them.
_FEWEST: Final = 0.02


@dataclass(frozen=True, slots=True)
class Shares:
    """Per step that ever showed an item, and that item (row), and segment (column)."""

    observed: Observed
    segments: Segments
    step: Ints
    item: Ints
    showing: Floats
    spans: Floats
    moments: Floats


@dataclass(frozen=True, slots=True)
class _Compared:
    """One segment against slices, a row each as in `Shares`."""

    usual: Floats
    inside: Floats
    error: Floats
    freedom: float

    def strength(self, size: Floats) -> Floats:
        return strength(size / self.error, size, freedom=self.freedom, half_size=_HALF_SIZE)


def shares(observed: Observed, segments: Segments) -> Shares:
    """Count once what every comparison reads."""
    steps, items, columns = len(observed.steps), max(len(observed.items), 1), len(segments)
    pair = observed.step[observed.shown_by] * items + observed.item
    pairs, row = np.unique(pair, return_inverse=True)
    spans, ran = np.zeros((steps, columns)), np.zeros((steps, columns))
    showing = np.zeros((len(pairs), columns))
    for column in range(columns):
        begin, end = np.searchsorted(
            observed.start_ns, [segments.start_ns[column], segments.end_ns[column]]
        )
        step = observed.step[begin:end]
        spans[:, column] = np.bincount(step, minlength=steps)
        ran[:, column] = moments(
            step, observed.began_ns[begin:end], steps=steps, length_ns=segments.moment_ns
        )
        first, last = np.searchsorted(observed.shown_by, [begin, end])
        showing[:, column] = np.bincount(row[first:last], minlength=len(pairs))
    of = pairs // items
    return Shares(observed, segments, of, pairs % items, showing, spans[of], ran[of])


def shown(shares: Shares, kept: Sequence[int], segment: int, *, least: float) -> list[Change]:
    """Items that more or fewer spans showed in `segment`, by `least` at least."""
    columns = [at for at in kept if at != segment]
    if not columns or not len(shares.step):
        return []
    compared = _compare(shares, columns, segment)
    usable = (shares.spans[:, segment] > 0) & (shares.spans[:, columns].sum(axis=1) > 0)
    usable &= _are_comparable(shares, columns, segment)
    size = np.where(usable, compared.inside - compared.usual, 0.0)
    found = compared.strength(size)
    _take_off_choice(shares, compared, found, least)
    rows = np.flatnonzero(usable & (np.abs(found) >= least) & _means_harm(shares, found))
    items, steps = shares.observed.items, shares.observed.steps
    outside = shares.spans[:, columns].sum(axis=1)
    return [
        Change(
            steps[shares.step[row]],
            items[shares.item[row]],
            float(abs(found[row])),
            float(compared.inside[row]),
            float(shares.showing[row, columns].sum() / outside[row]),
            int(shares.spans[row, segment]),
            int(outside[row]),
        )
        for row in rows
    ]


def _compare(shares: Shares, columns: list[int], segment: int) -> _Compared:
    spans, ran = shares.spans[:, columns], shares.moments[:, columns]
    usual = (shares.showing[:, columns].sum(axis=1) + 0.5) / (spans.sum(axis=1) + 1)
    chance = usual * (1 - usual)
    by_slice = shares.showing[:, columns] / np.maximum(spans, 1)
    squares = (by_slice - usual[:, None]) ** 2 - chance[:, None] / np.maximum(ran, 1)
    between = np.nan_to_num(variation(squares, ran))
    inside = shares.showing[:, segment] / np.maximum(shares.spans[:, segment], 1)
    # Few that all show the same are no proof that all would (Agresti and Coull).
    few = np.maximum(shares.moments[:, segment], 1)
    likely = (inside * few + 1) / (few + 2)
    error = np.sqrt(
        between
        + _STEADIEST**2
        + likely * (1 - likely) / few
        + chance / np.maximum(ran.sum(axis=1), 1)
    )
    return _Compared(usual, inside, error, max(len(columns) - 1, 1) + PRIOR_SLICES)


def _are_comparable(shares: Shares, columns: list[int], segment: int) -> NDArray[np.bool_]:
    """Not the lines of a service whose logs were recorded at one time and not at the other."""
    is_log = np.array([item.kind == LOGS for item in shares.observed.items])[shares.item]
    services = np.array([step.service for step in shares.observed.steps])[shares.step]
    usable = np.ones(len(is_log), dtype=bool)
    for service in np.unique(services[is_log]):
        rows = is_log & (services == service)
        logged = shares.showing[rows].sum(axis=0) > 0
        was_there = shares.spans[rows].sum(axis=0) > 0
        if not logged[segment] or 2 * logged[columns].sum() < was_there[columns].sum():
            usable[rows] = False
    return usable


def _take_off_choice(shares: Shares, compared: _Compared, found: Floats, least: float) -> None:
    """Judge the shares of services that are called more or less than before anew, in place."""
    strongest: dict[str, tuple[float, float]] = {}
    for row in np.flatnonzero(np.abs(found) >= least):
        item = shares.observed.items[shares.item[row]]
        if item.kind == CALLS and item.callee:
            ratio = float(compared.inside[row] / compared.usual[row])
            known = strongest.get(item.callee, (0.0, 1.0))
            strongest[item.callee] = max(known, (float(abs(found[row])), ratio))
    services = np.array([step.service for step in shares.observed.steps])[shares.step]
    for service, (_, ratio) in strongest.items():
        rows = services == service
        low, high = _reach(compared.usual[rows], max(ratio, _FEWEST))
        inside = compared.inside[rows]
        part = _Compared(compared.usual[rows], inside, compared.error[rows], compared.freedom)
        judged = part.strength(inside - np.clip(inside, low, high))
        found[rows] = np.where(found[rows] == 0, 0.0, judged)


def _reach(usual: Floats, ratio: float) -> tuple[Floats, Floats]:
    """Between which shares the choice of calls can bring `usual`, at `ratio` times as many."""
    if ratio < 1:
        return (usual - (1 - ratio)) / ratio, usual / ratio
    return usual / ratio, (usual + ratio - 1) / ratio


def _means_harm(shares: Shares, found: Floats) -> NDArray[np.bool_]:
    """Fewer failures and losses, or more answers, are no harm; the rest is, up or down."""
    kinds = np.array([item.kind for item in shares.observed.items])[shares.item]
    fine = (np.isin(kinds, (FAILS, LOSES)) & (found < 0)) | ((kinds == ANSWERED) & (found > 0))
    harmful: NDArray[np.bool_] = ~fine
    return harmful
