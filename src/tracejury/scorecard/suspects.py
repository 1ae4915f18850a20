"""Rank who is to blame for what happened in windows of time, against the time outside all windows.

The time outside is cut into slices, and each slice is judged as a window would be: what changes
between slices is what chance does. Slices that stand out themselves are no picture of the usual,
and are set aside, the worst first. A window stands out if its first suspect leads the second by
more than chance would, and by more than in any slice that was kept. A target that the fault file
names is never used.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np

from tracejury.scorecard.result import STANDS_OUT, Suspect
from tracejury.scorecard.suspicion.blame import Blamed, blame
from tracejury.scorecard.suspicion.items import LOSES
from tracejury.scorecard.suspicion.observed import Observed, observe
from tracejury.scorecard.suspicion.segments import Segments, cut
from tracejury.scorecard.suspicion.showing import Shares, shares, shown
from tracejury.scorecard.suspicion.slower import Times, UsualTimes, slower, times, usual_times
from tracejury.scorecard.suspicion.wording import sentence
from tracejury.store.reader import Reader
from tracejury.telemetry.numbers import counted
from tracejury.workflow.failure_points import effective

# Of so many slices one may be set aside: the others are the usual, whatever they are like.
_ONE_IN: Final = 2

_SHOWN: Final = 10
_SENTENCES: Final = 3


@dataclass(frozen=True, slots=True)
class Bounds:
    """What was fitted to recorded runs: benchmarks/diagnosis.py measures what that is worth."""

    # A change of this strength is what chance gives many a step: what is above it makes points.
    least: float = 1.25

    # How far the first suspect leads the second, at least, where something stands out.
    stands_out: float = STANDS_OUT


@dataclass(frozen=True, slots=True)
class Ranking:
    """Suspects of one window, best first, and whether the first is worth the name.

    `candidates` is the effective number of services that could have the fault: e to the power of
    its points weighs each, so that one without points is as likely as any other, and none is out.

    `changed_before_s` and `changed_after_s` are the length of what lies beside the window, where
    the first suspect stands out there, too: what happened may have begun earlier or lasted longer.
    """

    stands_out: bool
    suspects: tuple[Suspect, ...]
    candidates: float
    changed_before_s: float | None = None
    changed_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Evidence:
    """All that is known of the segments, and what the slices that were kept teach."""

    times: Times
    shares: Shares
    usual: UsualTimes
    bounds: Bounds

    def blamed(self, segment: int) -> list[Blamed]:
        """Who is to blame for what changed in `segment`."""
        least = self.bounds.least
        changes = slower(self.times, self.usual, segment, least=least)
        changes += shown(self.shares, self.usual.kept, segment, least=least)
        return blame(self.times.observed, changes, least=least)


def rank(reader: Reader, windows: Sequence[tuple[int, int]]) -> tuple[Ranking, ...]:
    """Suspects for each of `windows`, from start_ns to end_ns."""
    return judge(observe(reader), windows) if windows else ()


def judge(
    observed: Observed, windows: Sequence[tuple[int, int]], bounds: Bounds = Bounds()
) -> tuple[Ranking, ...]:
    """Suspects for each of `windows` of what was observed."""
    if not observed.steps:
        return (Ranking(stands_out=False, suspects=(), candidates=0.0),) * len(windows)
    segments = cut(observed, list(windows))
    evidence, chance = _settled(observed, segments, bounds)
    return tuple(_ranking(evidence, chance, window) for window in range(segments.windows))


def _settled(observed: Observed, segments: Segments, bounds: Bounds) -> tuple[_Evidence, float]:
    """The evidence without the slices that stand out, and how far anything leads in the others."""
    timed, counted = times(observed, segments), shares(observed, segments)
    kept = list(segments.slices)
    may_go = len(kept) // _ONE_IN
    while True:
        evidence = _Evidence(timed, counted, usual_times(timed, kept), bounds)
        leads = {at: _lead(evidence.blamed(at)) for at in kept}
        worst = max(kept, key=lambda at: leads[at], default=-1)
        if worst < 0 or leads[worst] <= bounds.stands_out or not may_go:
            return evidence, max(leads.values(), default=0.0)
        kept.remove(worst)
        may_go -= 1


def _lead(blamed: list[Blamed]) -> float:
    points = [one.points for one in islice(blamed, 2)]
    return points[0] - (points[1] if len(points) > 1 else 0.0) if points else 0.0


def _ranking(evidence: _Evidence, chance: float, window: int) -> Ranking:
    blamed = evidence.blamed(window)
    stands_out = _lead(blamed) > max(evidence.bounds.stands_out, chance)
    observed = evidence.times.observed
    candidates = _candidates(blamed, observed)
    if not blamed:
        return Ranking(
            stands_out=False, suspects=_by_reach(evidence, window), candidates=candidates
        )
    suspects = tuple(_suspect(one, observed) for one in blamed[:_SHOWN])
    segments, first = evidence.times.segments, blamed[0].service
    beside = [
        _changed_s(evidence, chance, side.get(window), first)
        for side in (segments.before, segments.after)
    ]
    return Ranking(stands_out, suspects, candidates, *beside)


def _changed_s(evidence: _Evidence, chance: float, beside: int | None, first: str) -> float | None:
    """How long `beside` a window lasts, where the window's first suspect stands out there."""
    if beside is None:
        return None
    blamed = evidence.blamed(beside)
    if _lead(blamed) <= max(evidence.bounds.stands_out, chance) or blamed[0].service != first:
        return None
    segments = evidence.times.segments
    return float(segments.end_ns[beside] - segments.start_ns[beside]) / 1e9


def _candidates(blamed: list[Blamed], observed: Observed) -> float:
    services = {name for step in observed.steps for name in (step.service, step.callee) if name}
    points = {one.service: one.points for one in blamed}
    return effective(math.exp(points.get(name, 0.0)) for name in sorted(services | points.keys()))


def _suspect(one: Blamed, observed: Observed) -> Suspect:
    said = dict.fromkeys(sentence(change) for _, change in one.charges)
    return Suspect(
        service=one.service,
        step=_step(one, observed),
        score=round(one.points, 2),
        evidence=tuple(islice(said, _SENTENCES)),
    )


def _step(one: Blamed, observed: Observed) -> str:
    """The step of the service that the weightiest change points to; '' where it has none."""
    for _, change in one.charges:
        if change.item is not None and change.item.kind == LOSES:
            return change.item.text
        if change.step.service == one.service:
            return change.step.name
        if change.step.callee == one.service:
            return observed.answers.get(change.step, change.step.name)
    return ""


def _by_reach(evidence: _Evidence, window: int) -> tuple[Suspect, ...]:
    """Where nothing tells services apart: by how many of the window's traces each has a part in."""
    observed, segments = evidence.times.observed, evidence.times.segments
    begin, end = np.searchsorted(
        observed.start_ns, [segments.start_ns[window], segments.end_ns[window]]
    )
    names = sorted({step.service for step in observed.steps})
    service = np.searchsorted(names, [step.service for step in observed.steps])
    pairs = np.unique(
        np.stack([service[observed.step[begin:end]], observed.trace[begin:end]]), axis=1
    )
    traces = np.bincount(pairs[0], minlength=len(names)).tolist()
    ranked = sorted(zip(traces, names, strict=True), key=lambda pair: (-pair[0], pair[1]))
    why = (
        "nothing about it changed by more than chance"
        if evidence.usual.kept
        else "there is no time outside to compare it with"
    )
    return tuple(
        Suspect(name, "", 0.0, (f"has a part in {counted(count, 'trace')} of the window; {why}",))
        for count, name in ranked[:_SHOWN]
        if count
    )
