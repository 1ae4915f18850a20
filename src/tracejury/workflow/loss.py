"""Estimate how many spans of each step did not arrive, from the signs that lost spans leave.

A lost span below which others arrived is named by them: among spans with children, the share that
is absent is the loss of their service and kind, measured. Spans without children are lost at the
same rate and leave no sign, so the rate is carried over to them. Where everything of a service and
kind is lost there is nothing to carry over to; then the baseline says how many there were below the
parents that are known.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

StepKey = tuple[str, str, str]  # service, span name, kind
ClassKey = tuple[str, str]  # service, kind

# With fewer spans that could have been named, a rate says little.
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
    inner_seen: int
    inner_ghosts: int
    signs: int
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
    rates = _rates(known.values())
    missing = _carried_over(known.values(), rates)
    _unseen(known, rates, list(branches), missing)
    return {key: count for key, count in missing.items() if count > 0}


def _rates(steps: Iterable[StepCount]) -> dict[ClassKey, float]:
    seen: dict[ClassKey, int] = defaultdict(int)
    ghosts: dict[ClassKey, int] = defaultdict(int)
    for step in steps:
        seen[step.of_class] += step.inner_seen
        ghosts[step.of_class] += step.inner_ghosts
    known = {key: (ghosts[key], ghosts[key] + count) for key, count in seen.items()}
    measured = {
        key: (lost / count, count) for key, (lost, count) in known.items() if count >= _ENOUGH
    }
    everywhere = _median(measured.values()) or 0.0
    rates = {}
    for key, (lost, count) in known.items():
        of_kind = _median([pair for (_, kind), pair in measured.items() if kind == key[1]])
        prior = everywhere if of_kind is None else of_kind
        rates[key] = (lost + _PRIOR * prior) / (count + _PRIOR)
    return rates


def _median(pairs: Iterable[tuple[float, int]]) -> float | None:
    """The rate in the middle, each weighed by its count; one service's loss does not move it."""
    ordered = sorted(pairs)
    half = sum(count for _, count in ordered) / 2
    for rate, count in ordered:
        half -= count
        if half <= 0:
            return rate
    return None


def _carried_over(steps: Iterable[StepCount], rates: dict[ClassKey, float]) -> dict[StepKey, float]:
    """For every class the larger of its signs and its rate, shared out over its steps."""
    members: dict[ClassKey, list[StepCount]] = defaultdict(list)
    for step in steps:
        members[step.of_class].append(step)
    missing = {}
    for key, of_class in members.items():
        observed = sum(step.observed for step in of_class)
        signs = {step.key: float(max(step.signs, step.deficit)) for step in of_class}
        rate = min(rates[key], _ALL)
        beyond = max(observed * rate / (1 - rate) - sum(signs.values()), 0.0)
        for step in of_class:
            share = step.observed / observed if observed else 0.0
            missing[step.key] = signs[step.key] + beyond * share
    return missing


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
