"""Own time by step: how far the spans of a window stand above the usual order of the time outside.

Ranks, not milliseconds, so that one slow span in a few says little however slow it was: each span
has its place among those outside, as a logistic score; a slice's spans are placed without it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tracejury.scorecard.suspicion.change import PRIOR_SLICES, Change, strength, variation
from tracejury.scorecard.suspicion.items import Floats, Ints
from tracejury.scorecard.suspicion.moments import moments
from tracejury.scorecard.suspicion.observed import Observed
from tracejury.scorecard.suspicion.segments import Segments

# A time that is 1.35 times the usual (e to 0.3) counts half: less is seldom what anybody looks for.
_HALF_SIZE: Final = 0.3

# No step is steadier than this, in standard deviations of its own spans.
_STEADIEST: Final = 0.1

# Makes a logistic score as wide as a normal one.
_LOGISTIC: Final = 1.7


@dataclass(frozen=True, slots=True)
class Times:
    """Spans that have a time, by step and then by time; per step (row) and segment (column) more.

    `first` and `last`: the places between which spans of the same time stand. `members`: of each
    segment, the places of its spans.
    """

    observed: Observed
    segments: Segments
    step: Ints
    first: Ints
    last: Ints
    begins: Ints
    ends: Ints
    members: tuple[Ints, ...]
    median: Floats
    moments: Floats


@dataclass(frozen=True, slots=True)
class UsualTimes:
    """What the slices `kept` teach: mean score by step and segment, usual time, its variation."""

    kept: tuple[int, ...]
    score: Floats
    usual: Floats
    squares: Floats


def times(observed: Observed, segments: Segments) -> Times:
    """Sort once what every comparison reads."""
    timed = np.flatnonzero(~np.isnan(observed.time))
    timed = timed[np.lexsort((observed.time[timed], observed.step[timed]))]
    step, time = observed.step[timed], observed.time[timed]
    begins_tie = np.ones(len(timed), dtype=bool)
    begins_tie[1:] = (np.diff(step) != 0) | (np.diff(time) != 0)
    tie = np.cumsum(begins_tie) - 1
    firsts = np.flatnonzero(begins_tie)
    lasts = np.append(firsts[1:], len(timed)) - 1
    start = observed.start_ns[timed]
    members = tuple(
        np.flatnonzero((start >= begin) & (start < end))
        for begin, end in zip(segments.start_ns, segments.end_ns, strict=True)
    )
    numbers = np.arange(len(observed.steps))
    shape = len(numbers), len(segments)
    median, ran = np.full(shape, np.nan), np.zeros(shape)
    for column, at in enumerate(members):
        median[:, column] = _medians(step[at], time[at], len(numbers))
        ran[:, column] = moments(
            step[at],
            observed.began_ns[timed[at]],
            steps=len(numbers),
            length_ns=segments.moment_ns,
        )
    return Times(
        observed,
        segments,
        step,
        firsts[tie] if len(tie) else tie,
        lasts[tie] if len(tie) else tie,
        np.searchsorted(step, numbers),
        np.searchsorted(step, numbers, side="right"),
        members,
        median,
        ran,
    )


def usual_times(times: Times, kept: Sequence[int]) -> UsualTimes:
    """Learn from the slices `kept`."""
    columns = list(kept)
    score = _scores(times, kept)
    ran = times.moments[:, columns]
    squares = np.zeros_like(score)
    with np.errstate(divide="ignore", invalid="ignore"):
        squares[:, columns] = np.where(ran > 0, score[:, columns] ** 2 - 1 / ran, 0.0)
    usual = _weighted_medians(times.median[:, columns], ran)
    return UsualTimes(tuple(kept), score, usual, squares)


def slower(times: Times, usual: UsualTimes, segment: int, *, least: float) -> list[Change]:
    """Steps that took longer in `segment`, by `least` at least."""
    columns = [at for at in usual.kept if at != segment]
    if not columns:
        return []
    ran = times.moments[:, columns]
    between = _settled(variation(usual.squares[:, columns], ran), times, (ran > 0).sum(axis=1))
    inside = times.moments[:, segment]
    size = times.median[:, segment] - usual.usual
    with np.errstate(divide="ignore", invalid="ignore"):
        chance = 1 / inside + 1 / ran.sum(axis=1)
        z = usual.score[:, segment] / np.sqrt(between + _STEADIEST**2 + chance)
    freedom = max(len(columns) - 1, 1) + PRIOR_SLICES
    found = strength(z, size, freedom=freedom, half_size=_HALF_SIZE)
    with np.errstate(invalid="ignore"):
        rows = np.flatnonzero((found >= least) & (size > 0) & (ran.sum(axis=1) > 0))
    spans = _spans(times, [segment])
    outside = _spans(times, columns)
    return [
        Change(
            times.observed.steps[row],
            None,
            float(found[row]),
            float(times.median[row, segment]),
            float(usual.usual[row]),
            int(spans[row]),
            int(outside[row]),
        )
        for row in rows
    ]


def _spans(times: Times, columns: Sequence[int]) -> Ints:
    """How many spans each step has in these segments."""
    at = np.concatenate([times.members[column] for column in columns])
    return np.bincount(times.step[at], minlength=len(times.observed.steps))


def _settled(between: Floats, times: Times, slices: Ints) -> Floats:
    """A step's own variation, drawn to what is typical of calls, or of all that are none."""
    is_call = np.array([bool(step.callee) for step in times.observed.steps], dtype=bool)
    settled = between.copy()
    for group in (is_call, ~is_call):
        known = group & (slices > 2) & ~np.isnan(between)
        typical = float(np.median(between[known])) if known.any() else _STEADIEST**2
        own = np.where(np.isnan(between), typical, between)
        drawn = (slices * own + PRIOR_SLICES * typical) / (slices + PRIOR_SLICES)
        settled[group] = drawn[group]
    return settled


def _scores(times: Times, kept: Sequence[int]) -> Floats:
    """Mean score of every step (row) in every segment (column), NaN where there is none."""
    steps = len(times.observed.steps)
    is_kept = np.zeros(len(times.step), dtype=bool)
    for column in kept:
        is_kept[times.members[column]] = True
    below = np.concatenate([[0], np.cumsum(is_kept)])
    base = below[times.begins]
    total = below[times.ends] - base
    place = (below[times.first] + below[times.last + 1]) / 2 - base[times.step]
    score = np.full((steps, len(times.segments)), np.nan)
    for column, at in enumerate(times.members):
        step = times.step[at]
        spans = np.bincount(step, minlength=steps)
        among, of = place[at], total[step]
        if column in kept:
            within = np.arange(len(at)) - (np.cumsum(spans) - spans)[step] + 0.5
            among, of = among - within, of - spans[step]
        share = (np.clip(among, 0, of) + 0.5) / (of + 1)
        summed = np.bincount(step, weights=np.log(share / (1 - share)), minlength=steps)
        has = (spans > 0) & (total - (spans if column in kept else 0) > 0)
        score[has, column] = summed[has] / spans[has] / _LOGISTIC
    return score


def _medians(step: Ints, time: Floats, steps: int) -> Floats:
    """The median time of each step; the spans are sorted by step and time."""
    spans = np.bincount(step, minlength=steps)
    begins = np.cumsum(spans) - spans
    has = spans > 0
    median = np.full(steps, np.nan)
    low, high = begins + (spans - 1) // 2, begins + spans // 2
    median[has] = (time[low[has]] + time[high[has]]) / 2
    return median


def _weighted_medians(values: Floats, weights: Floats) -> Floats:
    """The weighted median of each row; NaN where nothing weighs."""
    if not values.shape[1]:
        return np.full(len(values), np.nan)
    order = np.argsort(np.where(weights > 0, values, np.inf), axis=1)
    summed = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    middle = (summed >= summed[:, -1:] / 2).argmax(axis=1)
    picked = np.take_along_axis(values, order, axis=1)[np.arange(len(values)), middle]
    return np.where(summed[:, -1] > 0, picked, np.nan)
