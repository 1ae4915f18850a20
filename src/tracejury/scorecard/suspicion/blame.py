"""Who is to blame for the changes of one window: points by service, and what each rests on.

What a step did itself is charged to its service. What happened on a call, its wait, its failure,
its missing answer, is shared by caller and callee: mostly the callee's, unless other callers of it
see nothing, or the caller's other calls changed too. What a step shows (calls, lines, failures, how
late it takes its messages) may be the answer to what it was told, so that a service passes such
points on to the services it calls, as far as these have points of their own; where none has, to
those that these call.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tracejury.scorecard.suspicion.change import Change
from tracejury.scorecard.suspicion.items import ANSWERED, FAILS, LOSES
from tracejury.scorecard.suspicion.observed import Observed

# Whoever is called answers for most of what happened on a call, before anybody else is heard.
_CALLEE_SHARE: Final = 0.7

Charges = dict[str, list[tuple[float, Change]]]


@dataclass(frozen=True, slots=True)
class Blamed:
    """A service, its points, and the changes it was charged with, the weightiest first."""

    service: str
    points: float
    charges: tuple[tuple[float, Change], ...]


def blame(observed: Observed, changes: Iterable[Change], *, least: float) -> list[Blamed]:
    """Services with points, the most first: what changes have beyond a strength of `least`."""
    own: Charges = defaultdict(list)
    shown: Charges = defaultdict(list)
    late: Charges = defaultdict(list)
    on_calls: dict[tuple[str, str], list[tuple[float, Change]]] = defaultdict(list)
    for change in changes:
        points = change.strength - least
        if change.item is not None and change.item.kind == LOSES:
            own[change.item.callee].append((points, change))
        elif change.step.callee and change.step.kind == "PRODUCER" and change.item is None:
            late[change.step.callee].append((points, change))
        elif change.step.callee and _is_on_the_call(change):
            on_calls[change.step.service, change.step.callee].append((points, change))
        elif change.item is None:
            own[change.step.service].append((points, change))
        else:
            shown[change.step.service].append((points, change))
    _explain(late, on_calls, own, shown)
    _share(observed, on_calls, own)
    reaction = {service: _strongest(found) for service, found in shown.items()}
    before = {
        service: _summed([charge[0] for charge in own[service]] + [reaction.get(service, 0.0)])
        for service in {*own, *shown}
    }
    after = _passed_on(observed, before, reaction)
    blamed = [
        Blamed(service, points, _charges(own[service] + shown[service]))
        for service, points in after.items()
        if points > 0
    ]
    return sorted(blamed, key=lambda one: (-one.points, -before[one.service], one.service))


def _is_on_the_call(change: Change) -> bool:
    return change.item is None or change.item.kind in (FAILS, ANSWERED)


def _charges(found: list[tuple[float, Change]]) -> tuple[tuple[float, Change], ...]:
    return tuple(sorted(found, key=lambda charge: (-charge[0], repr(charge[1]))))


def _summed(points: list[float]) -> float:
    """The strongest in full, the second by half, the third by a third: they are not independent."""
    return sum(one / place for place, one in enumerate(sorted(points, reverse=True), 1))


def _explain(
    late: Charges,
    on_calls: Mapping[tuple[str, str], list[tuple[float, Change]]],
    own: Charges,
    shown: Charges,
) -> None:
    """Charge what takes its messages late, or whom it waits for itself while it processes them."""
    for service, charges in late.items():
        itself = _strongest(own[service])
        asked = {
            callee: _strongest(found)
            for (caller, callee), found in on_calls.items()
            if caller == service
        }
        total = itself + sum(asked.values())
        for points, change in charges:
            for callee, strength in asked.items():
                own[callee].append((points * strength / total if total else 0.0, change))
            shown[service].append((points * itself / total if total else points, change))


def _strongest(charges: Iterable[tuple[float, Change]]) -> float:
    return max((points for points, _ in charges), default=0.0)


def _share(
    observed: Observed,
    on_calls: Mapping[tuple[str, str], list[tuple[float, Change]]],
    own: Charges,
) -> None:
    """Charge what happened on calls to caller and callee."""
    pairs = {(step.service, step.callee) for step in observed.steps if step.callee}
    strongest = {pair: _strongest(on_calls.get(pair, ())) for pair in pairs}
    for (caller, callee), charges in on_calls.items():
        others = [strongest[pair] for pair in pairs if pair[1] == callee and pair[0] != caller]
        besides = [strongest[pair] for pair in pairs if pair[0] == caller and pair[1] != callee]
        for points, change in charges:
            if points <= 0:
                continue
            of_callee = _agreement(_CALLEE_SHARE, others, points)
            of_caller = _agreement(1 - _CALLEE_SHARE, besides, points)
            share = of_callee / (of_callee + of_caller)
            own[callee].append((points * share, change))
            own[caller].append((points * (1 - share), change))


def _agreement(prior: float, others: list[float], points: float) -> float:
    """How many of the others changed as much, the prior being one of them."""
    return (prior + sum(min(1.0, other / points) for other in others)) / (1 + len(others))


def _passed_on(
    observed: Observed, before: Mapping[str, float], reaction: Mapping[str, float]
) -> dict[str, float]:
    """Points after each service, callers first, has passed on what may be only its reaction."""
    below = _below(observed, {service for service, points in before.items() if points > 0})
    points = dict(before)
    passing = dict(reaction)
    for service in _callers_first(below):
        callees = below[service]
        total = sum(before[callee] for callee in callees)
        passed = min(passing.get(service, 0.0), points[service])
        if not callees or passed <= 0:
            continue
        passed *= total / (total + before[service])
        points[service] -= passed
        for callee in sorted(callees):
            part = passed * before[callee] / total
            points[callee] += part
            passing[callee] = passing.get(callee, 0.0) + part
    return points


def _below(observed: Observed, services: set[str]) -> dict[str, set[str]]:
    """Which of `services` each of them calls; where it calls none, which those that it calls do."""
    called: dict[str, set[str]] = defaultdict(set)
    for caller, callee in observed.calls:
        called[caller].add(callee)
    below: dict[str, set[str]] = {}
    for service in services:
        met = ahead = {service}
        # As near as there is one.
        while ahead and not below.get(service):
            ahead = {callee for caller in ahead for callee in called[caller]} - met
            met = met | ahead
            below[service] = ahead & services
    return below


def _callers_first(below: Mapping[str, set[str]]) -> list[str]:
    """Each after those that it is below; in a cycle, wherever the first is met."""
    callers: dict[str, set[str]] = defaultdict(set)
    for caller, callees in below.items():
        for callee in callees:
            callers[callee].add(caller)
    ordered: dict[str, None] = {}
    while len(ordered) < len(below):
        left = [service for service in sorted(below) if service not in ordered]
        free = [service for service in left if not callers[service] - ordered.keys()]
        ordered.update(dict.fromkeys(free or left[:1]))
    return list(ordered)
