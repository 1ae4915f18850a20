"""At which rate the spans of a service and kind get lost, measured on those that others tell of."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tracejury.workflow.loss_signs import ClassKey, StepCount

# Beyond this rate, what arrived says nothing about what did not.
ALL: Final = 0.9

# With fewer spans of which others tell, a rate says little.
_ENOUGH: Final = 5

# How many spans the rate that is usual for a class counts for, against its own.
_PRIOR: Final = 3.0


@dataclass(slots=True)
class _Told:
    """Spans of a class of which others tell: one below them, or the call that they answer.

    A span that is told of twice counts twice, there or absent.
    """

    observed: int = 0
    seen: int = 0
    absent: float = 0.0

    @property
    def whole(self) -> float:
        return self.seen + self.absent

    @property
    def rate(self) -> float:
        return self.absent / self.whole

    @property
    def is_telling(self) -> bool:
        return self.whole >= _ENOUGH

    @property
    def is_silent(self) -> bool:
        """What is lost altogether was not lost by chance: it says nothing about what arrived."""
        return self.is_telling and self.rate > ALL


def loss_rates(steps: Iterable[StepCount]) -> dict[ClassKey, float]:
    """The share of each class that is lost, between 0 and 1.

    What is lost depends on who sent it and on what it is: where little is told of a class, the loss
    of its kind in other services and the loss of its service, against theirs, are multiplied.
    """
    told = _told(steps)
    by_chance = {key: one for key, one in told.items() if one.is_telling and not one.is_silent}
    telling = {key: one for key, one in told.items() if one.is_telling}
    kept = _kept_by_service(by_chance)
    rates = {}
    for key, one in told.items():
        if one.is_silent:
            rates[key] = one.rate
            continue
        of_kind = _usual(by_chance if one.observed else telling, key[1])
        prior = 1 - (1 - of_kind) * kept.get(key[0], 1.0)
        rates[key] = (one.absent + _PRIOR * max(prior, 0.0)) / (one.whole + _PRIOR)
    return rates


def _told(steps: Iterable[StepCount]) -> dict[ClassKey, _Told]:
    told: dict[ClassKey, _Told] = defaultdict(_Told)
    for step in steps:
        one = told[step.of_class]
        one.observed += step.observed
        one.seen += step.parents + step.answers
        if step.key[1]:
            # What a crash took says nothing about the rate at which others get lost.
            one.absent += max(step.ghosts - step.killed, 0.0) + step.halves
    return told


def _kept_by_service(told: dict[ClassKey, _Told]) -> dict[str, float]:
    """How much of each service arrived, against what is usual for the kinds that it sends."""
    seen: dict[str, float] = defaultdict(lambda: _PRIOR)
    usual: dict[str, float] = defaultdict(lambda: _PRIOR)
    for (service, kind), one in told.items():
        seen[service] += one.seen
        usual[service] += one.whole * (1 - _usual(told, kind))
    return {service: seen[service] / usual[service] for service in seen}


def _usual(told: dict[ClassKey, _Told], kind: str) -> float:
    """The rate of the kind, else of all kinds."""
    of_kind = _median(one for (_, other), one in told.items() if other == kind)
    usual = _median(told.values()) if of_kind is None else of_kind
    return usual or 0.0


def _median(told: Iterable[_Told]) -> float | None:
    """The rate in the middle, each weighed by its count; one service's loss does not move it."""
    ordered = sorted((one.rate, one.whole) for one in told)
    half = sum(count for _, count in ordered) / 2
    for rate, count in ordered:
        half -= count
        if half <= 0:
            return rate
    return None
