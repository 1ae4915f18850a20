"""Estimate how many spans of each step did not arrive, from the signs that lost spans leave.

A lost span below which others arrived is named by them, and one that answered a call by that call:
among the spans of which others tell, the share that is absent is the loss of their service and
kind, measured. The others are lost at the same rate and leave no sign, so the rate is carried over
to them. Where everything of a service and kind is lost there is nothing to carry over to; then the
baseline says how many there were below the parents that are known.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import networkx as nx

StepKey = tuple[str, str, str]  # service, span name, kind
ClassKey = tuple[str, str]  # service, kind

# With fewer spans of which others tell, a rate says little.
_ENOUGH: Final = 5

# How many spans the rate of the kind counts for, against a class's own.
_PRIOR: Final = 3.0

# Beyond this rate, what arrived says nothing about what did not.
_ALL: Final = 0.9

_ROUNDS: Final = 30


@dataclass(frozen=True, slots=True)
class StepCount:
    """What is known of one step: see the view `step_count`."""

    key: StepKey
    observed: int
    told_seen: int
    ghosts: int
    killed: int
    halves: int
    deficit: int

    @property
    def of_class(self) -> ClassKey:
        """Service and kind: what is lost together."""
        return self.key[0], self.key[2]


@dataclass(frozen=True, slots=True)
class Branch:
    """In the baseline, `ratio` spans of `child` stand below each span of `parent`."""

    parent: StepKey
    child: StepKey
    ratio: float


def estimate_missing(
    steps: Iterable[StepCount], branches: Iterable[Branch]
) -> dict[StepKey, float]:
    """How many spans of each step are missing; steps that lack none are left out."""
    known = {step.key: step for step in steps}
    below = list(branches)
    alike = _alike(known, below)
    rates = _rates(known.values(), alike)
    missing = _carried_over(known.values(), rates, alike)
    _unseen(known, rates, below, missing)
    _unnamed(known.values(), missing)
    return {key: count for key, count in missing.items() if count > 0}


def _alike(known: dict[StepKey, StepCount], branches: list[Branch]) -> list[list[StepCount]]:
    """Steps of one service and kind below which the same step stands are taken for each other.

    Which of them a lost parent was is a guess, so what is known of them is compared together.
    """
    graph: nx.Graph[StepKey] = nx.Graph()
    graph.add_nodes_from(known)
    first: dict[tuple[ClassKey, StepKey], StepKey] = {}
    for branch in branches:
        if branch.parent in known:
            of_class = known[branch.parent].of_class
            other = first.setdefault((of_class, branch.child), branch.parent)
            graph.add_edge(branch.parent, other)
    return [[known[key] for key in sorted(group)] for group in nx.connected_components(graph)]


def _rates(steps: Iterable[StepCount], alike: list[list[StepCount]]) -> dict[ClassKey, float]:
    observed: dict[ClassKey, int] = defaultdict(int)
    seen: dict[ClassKey, int] = defaultdict(int)
    absent: dict[ClassKey, int] = defaultdict(int)
    for step in steps:
        observed[step.of_class] += step.observed
        seen[step.of_class] += step.told_seen
    for group in alike:
        # What a crash took says nothing about the rate at which others get lost.
        told = max(sum(step.ghosts for step in group), sum(step.halves for step in group))
        absent[group[0].of_class] += max(told - sum(step.killed for step in group), 0)
    raw = {
        key: (absent[key] / (absent[key] + count), absent[key] + count)
        for key, count in seen.items()
        if absent[key] + count >= _ENOUGH
    }
    # What is lost altogether was not lost by chance: it says nothing about what arrived.
    by_chance = {key: pair for key, pair in raw.items() if pair[0] <= _ALL}
    rates = {}
    for key, count in seen.items():
        if key in raw and key not in by_chance:
            rates[key] = raw[key][0]
            continue
        prior = _usual(by_chance if observed[key] else raw, key[1])
        rates[key] = (absent[key] + _PRIOR * prior) / (absent[key] + count + _PRIOR)
    return rates


def _usual(raw: dict[ClassKey, tuple[float, int]], kind: str) -> float:
    """The rate of the kind, else of all kinds."""
    of_kind = _median(pair for (_, other), pair in raw.items() if other == kind)
    usual = _median(raw.values()) if of_kind is None else of_kind
    return usual or 0.0


def _median(pairs: Iterable[tuple[float, int]]) -> float | None:
    """The rate in the middle, each weighed by its count; one service's loss does not move it."""
    ordered = sorted(pairs)
    half = sum(count for _, count in ordered) / 2
    for rate, count in ordered:
        half -= count
        if half <= 0:
            return rate
    return None


def _carried_over(
    steps: Iterable[StepCount], rates: dict[ClassKey, float], alike: list[list[StepCount]]
) -> dict[StepKey, float]:
    """For every class the larger of its signs and its rate, shared out over its steps."""
    members: dict[ClassKey, list[StepCount]] = defaultdict(list)
    for step in steps:
        members[step.of_class].append(step)
    missing = {key: count for group in alike for key, count in _known_missing(group).items()}
    for key, of_class in members.items():
        observed = sum(step.observed for step in of_class)
        signs = sum(missing[step.key] for step in of_class)
        rate = min(rates[key], _ALL)
        beyond = max(observed * rate / (1 - rate) - signs, 0.0)
        for step in of_class:
            missing[step.key] += beyond * step.observed / observed if observed else 0.0
    return missing


def _known_missing(alike: list[StepCount]) -> dict[StepKey, float]:
    """Spans that the run's records or the baseline say are missing, each counted once.

    The source that knows of the most says how many; where it says less of a step than another does,
    the step is one for which another was taken.
    """
    sources = (
        [step.deficit for step in alike],
        [step.halves for step in alike],
        [step.ghosts for step in alike],
    )
    most = max(sources, key=sum)
    return {step.key: float(count) for step, count in zip(alike, most, strict=True)}


def _unseen(
    known: dict[StepKey, StepCount],
    rates: dict[ClassKey, float],
    branches: list[Branch],
    missing: dict[StepKey, float],
) -> None:
    """Add what stood below known parents in classes of which next to nothing arrived."""
    lost = {key for key, step in known.items() if _is_lost(step, rates, known.values(), missing)}
    for _ in range(_ROUNDS):
        expected: dict[StepKey, float] = defaultdict(float)
        for branch in branches:
            if branch.child in lost and branch.parent in known:
                parent = known[branch.parent].observed + missing.get(branch.parent, 0.0)
                expected[branch.child] += parent * branch.ratio
        grown = {
            key: count - known[key].observed
            for key, count in expected.items()
            if count - known[key].observed > missing.get(key, 0.0) + 0.01
        }
        if not grown:
            return
        missing.update(grown)


def _is_lost(
    step: StepCount,
    rates: dict[ClassKey, float],
    steps: Iterable[StepCount],
    missing: dict[StepKey, float],
) -> bool:
    if rates[step.of_class] > _ALL:
        return True
    of_service = [other for other in steps if other.key[0] == step.key[0]]
    arrived = sum(other.observed for other in of_service)
    signs = sum(missing.get(other.key, 0.0) for other in of_service)
    return signs > _ALL * (arrived + signs) > 0


def _unnamed(steps: Iterable[StepCount], missing: dict[StepKey, float]) -> None:
    """Count spans of no known step only as far as what is estimated leaves no room for them.

    A log record names the span that it was written in, and not its step.
    """
    room: dict[str, float] = defaultdict(float)
    unnamed = []
    for step in steps:
        if step.key[1]:
            room[step.key[0]] += max(missing.get(step.key, 0.0) - step.ghosts, 0.0)
        else:
            unnamed.append(step.key)
    for key in unnamed:
        missing[key] = max(missing.get(key, 0.0) - room[key[0]], 0.0)
