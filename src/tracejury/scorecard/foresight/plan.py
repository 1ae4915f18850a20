"""The fewest faults that would decide the criteria which are open, the riskiest first."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from tracejury.checks.check import Severity
from tracejury.config import Policy
from tracejury.scorecard.foresight.cover import smallest_cover
from tracejury.scorecard.foresight.injections import BY_HAND, command, magnitude
from tracejury.scorecard.foresight.needs import Need
from tracejury.scorecard.foresight.preflight import Outlook, Preflight
from tracejury.scorecard.foresight.targets import Target
from tracejury.scorecard.result import Criterion

_TIERS: Final = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.INFO)

# Something of a check that is open: one of its units, or '' for all of it.
Gap = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Injection:
    """One fault of the plan: what to inject, how, and what it would decide."""

    kind: str
    target: str
    magnitude: str
    by_hand: str
    command: str  # of examples/media-pipeline; '' where it has no such fault
    tier: Severity  # of the highest criterion that it helps to decide
    criteria: tuple[str, ...]
    checks: tuple[str, ...]
    needs: tuple[tuple[Need, tuple[str, ...]], ...]  # unmet conditions, and the checks that wait


@dataclass(frozen=True, slots=True)
class Remainder:
    """A criterion that is open and that no fault decides, with the line of each of its checks."""

    criterion: Criterion
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to inject, and what is left. `is_smallest`: fewer faults could not do."""

    injections: tuple[Injection, ...]
    remainders: tuple[Remainder, ...]
    open_criteria: int
    is_smallest: bool


@dataclass(frozen=True, slots=True)
class _Choice:
    kind: str
    target: Target
    gaps: frozenset[Gap]


def plan_of(outlook: Preflight, criteria: tuple[Criterion, ...], policy: Policy) -> Plan:
    """The plan for the `criteria` that are not decided, as far as telemetry shows what to hit."""
    undecided = [c for c in criteria if c.outcome not in ("pass", "fail", "not-applicable")]
    checks = {check.result.id: check for check in outlook.checks}
    tiers = _tiers(undecided, checks)
    choices = _choices([checks[name] for name in tiers], tiers)
    cover = smallest_cover([choice.gaps for choice in choices])
    injections, seen = [], frozenset[Gap]()
    # What several of them test is charged to the one that tests most.
    chosen = [choices[position] for position in cover.chosen]
    for choice in sorted(chosen, key=_breadth):
        new = choice.gaps - seen
        seen |= new
        injections.append(_injection(choice, new, undecided, checks, policy))
    return Plan(
        tuple(sorted(injections, key=_urgency)),
        tuple(_remainders(undecided, checks)),
        open_criteria=len(undecided),
        is_smallest=cover.is_smallest,
    )


def _tiers(undecided: Iterable[Criterion], checks: dict[str, Outlook]) -> dict[str, Severity]:
    """The open checks of the open criteria, each with the highest tier that it serves."""
    tiers: dict[str, Severity] = {}
    for criterion in sorted(undecided, key=lambda criterion: _TIERS.index(criterion.tier)):
        for name in criterion.checks:
            if checks[name].standing not in ("decided", "absent"):
                tiers.setdefault(name, criterion.tier)
    return tiers


def _choices(outlooks: list[Outlook], tiers: dict[str, Severity]) -> list[_Choice]:
    """Every fault that would test something, the riskiest first."""
    gaps: dict[tuple[str, str], set[Gap]] = {}
    hit: dict[tuple[str, str], Target] = {}
    for outlook in outlooks:
        for kind, target, gap in _tests(outlook):
            gaps.setdefault((kind, target.name), set()).add(gap)
            hit.setdefault((kind, target.name), target)
    found = [_Choice(kind, hit[kind, name], frozenset(gaps[kind, name])) for kind, name in gaps]

    def urgency(choice: _Choice) -> tuple[int, int, int, str, str]:
        tier = min(_TIERS.index(tiers[check]) for check, _ in choice.gaps)
        return tier, -choice.target.risk, -len(choice.gaps), choice.kind, choice.target.name

    return sorted(found, key=urgency)


def _breadth(choice: _Choice) -> tuple[int, int]:
    return -len({check for check, _ in choice.gaps}), -choice.target.risk


def _tests(outlook: Outlook) -> Iterator[tuple[str, Target, Gap]]:
    """Which fault closes which gap of a check."""
    hits = [(stress.kind, target) for stress, some in outlook.faults for target in some]
    untested = set(outlook.result.untested)
    # A unit that no target touches by name may be tested by any of them.
    touched = untested & {unit for _, target in hits for unit in target.units}
    for kind, target in hits:
        for unit in touched & target.units:
            yield kind, target, (outlook.result.id, unit)
        if not touched:
            yield kind, target, (outlook.result.id, "")


def _injection(
    choice: _Choice,
    gaps: frozenset[Gap],
    undecided: list[Criterion],
    checks: dict[str, Outlook],
    policy: Policy,
) -> Injection:
    names = frozenset(check for check, _ in gaps)
    served = [criterion for criterion in undecided if names & set(criterion.checks)]
    served.sort(key=lambda criterion: _TIERS.index(criterion.tier))
    return Injection(
        kind=choice.kind,
        target=choice.target.name,
        magnitude=magnitude(choice.kind, choice.target, names, policy),
        by_hand=BY_HAND[choice.kind],
        command=command(choice.kind, choice.target.name),
        tier=served[0].tier,
        criteria=tuple(criterion.id for criterion in served),
        checks=tuple(sorted(names)),
        needs=_needs([checks[name] for name in sorted(names)]),
    )


def _needs(outlooks: list[Outlook]) -> tuple[tuple[Need, tuple[str, ...]], ...]:
    waiting: dict[Need, list[str]] = {}
    for outlook in outlooks:
        for need in outlook.needs:
            waiting.setdefault(need, []).append(outlook.result.id)
    return tuple((need, tuple(names)) for need, names in waiting.items())


def _urgency(injection: Injection) -> tuple[int, int, str, str]:
    return (
        _TIERS.index(injection.tier),
        -len(injection.criteria),
        injection.kind,
        injection.target,
    )


def _remainders(undecided: list[Criterion], checks: dict[str, Outlook]) -> Iterator[Remainder]:
    """What remains open after every fault of the plan: its line says what would change it."""
    for criterion in undecided:
        lines = [
            f"{name}: {checks[name].line}"
            for name in criterion.checks
            if checks[name].standing not in ("decided", "absent", "fault")
        ]
        if lines:
            yield Remainder(criterion, tuple(lines))
