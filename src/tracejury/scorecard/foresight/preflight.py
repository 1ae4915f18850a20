"""Before the chaos: for every check, could it decide with today's telemetry, and what would help.

A check that only lacks a fault could decide. What the telemetry lacks is said first, for no fault
makes up for it.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from tracejury.checks.evidence import Evidence
from tracejury.scorecard.answers import answer_checks
from tracejury.scorecard.foresight.conditions import Condition, conditions
from tracejury.scorecard.foresight.needs import Need
from tracejury.scorecard.foresight.prospects import PROSPECTS, Aim, Prospect, Stress
from tracejury.scorecard.foresight.targets import Target, targets
from tracejury.scorecard.result import Answer, CheckResult
from tracejury.scorecard.runner import run

# decided: it does today. fault: once one is injected. later: when nothing more can come.
# blocked: not before something changes. person: never from telemetry. absent: it does not apply.
Standing = Literal["decided", "fault", "later", "blocked", "person", "absent"]

_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Outlook:
    """One check: where it stands, and the one line that would change it.

    `needs` are the unmet conditions, `faults` what would test it, each with what it could hit.
    While a condition is unmet, no fault suffices.
    """

    result: CheckResult
    standing: Standing
    line: str
    needs: tuple[Need, ...] = ()
    faults: tuple[tuple[Stress, tuple[Target, ...]], ...] = ()

    @property
    def could_decide(self) -> bool:
        """Whether nothing but a fault, or time, is lacking."""
        return self.standing in ("decided", "fault", "later")


@dataclass(frozen=True, slots=True)
class Preflight:
    """Every check's outlook, and every condition with the number of checks that wait for it."""

    checks: tuple[Outlook, ...]
    conditions: tuple[tuple[Condition, int], ...]

    @property
    def results(self) -> tuple[CheckResult, ...]:
        """What every check concludes today."""
        return tuple(check.result for check in self.checks)

    @property
    def unmet(self) -> tuple[tuple[Condition, int], ...]:
        """What would help, the most helpful first."""
        waited = [(condition, checks) for condition, checks in self.conditions if checks]
        return tuple(sorted(waited, key=lambda pair: -pair[1]))


def preflight(evidence: Evidence, answers: Iterable[Answer] = ()) -> Preflight:
    """The outlook of every check on a prepared run; what persons answer waits for no telemetry."""
    judged = tuple(run(evidence))
    # What is measured stays what it is: an answer is no telemetry.
    met = conditions(evidence, {result.id: result for result in judged})
    results = {result.id: result for result in answer_checks(judged, answers)}
    aims = targets(evidence)
    checks = tuple(_outlook(result, PROSPECTS[name], met, aims) for name, result in results.items())
    waiting = Counter(need for check in checks for need in check.needs)
    return Preflight(checks, tuple((condition, waiting[need]) for need, condition in met.items()))


def _outlook(
    result: CheckResult,
    prospect: Prospect,
    met: dict[Need, Condition],
    aims: dict[Aim, tuple[Target, ...]],
) -> Outlook:
    if settled := _settled(result, prospect):
        return settled
    lacking = tuple(need for need in _needs(result, prospect) if met[need].met is False)
    possible = tuple((stress, aims[stress.aim]) for stress in prospect.faults if aims[stress.aim])
    if lacking:
        change = _change(met, lacking)
        return Outlook(result, "blocked", change, needs=lacking, faults=possible)
    if result.outcome == "manual":
        return Outlook(result, "person", result.note)
    if prospect.faults:
        return _faulted(result, prospect, possible)
    if result.reason == "unsettled":
        return Outlook(result, "later", "Wait until nothing more can come, or stop the server.")
    return Outlook(result, "blocked", _remaining(result))


def _settled(result: CheckResult, prospect: Prospect) -> Outlook | None:
    """What needs neither telemetry nor a fault any more, or never will."""
    if result.answer is not None:
        is_absent = result.outcome == "not-applicable"
        line = f"{result.answer.who} answers: {result.outcome}."
        return Outlook(result, "absent" if is_absent else "decided", line)
    if result.outcome in ("pass", "fail"):
        return Outlook(result, "decided", f"It decides already: {result.outcome}.")
    if result.outcome == "not-applicable":
        return Outlook(result, "absent", f"{result.reason.capitalize()}.")
    if result.outcome == "error":
        return Outlook(result, "blocked", f"It could not be judged: {result.reason}.")
    if prospect.person:
        return Outlook(result, "person", prospect.person)
    return None


def _needs(result: CheckResult, prospect: Prospect) -> tuple[Need, ...]:
    """What it needs, its own first. What judges the evidence itself rests on no gate."""
    gates = () if result.id.startswith("ING-") else (Need.SAMPLING, Need.NO_DROPS)
    return (*prospect.needs, *gates)


def _change(met: dict[Need, Condition], lacking: tuple[Need, ...]) -> str:
    first, *others = lacking
    besides = f" Also lacking: {', '.join(others)}." if others else ""
    return met[first].change + besides


def _faulted(
    result: CheckResult,
    prospect: Prospect,
    possible: tuple[tuple[Stress, tuple[Target, ...]], ...],
) -> Outlook:
    if not possible:
        return Outlook(result, "blocked", _NOBODY[prospect.faults[0].aim])
    besides = f", with {prospect.besides}" if prospect.besides else ""
    line = f"Once {_spoken(result, possible)}{besides}."
    return Outlook(result, "fault", line, faults=possible)


def _spoken(result: CheckResult, possible: tuple[tuple[Stress, tuple[Target, ...]], ...]) -> str:
    """`hang`, `delay` or `partition` hits redis, provider or 3 more."""
    stress, hit = possible[0]
    kinds = [f"`{other.kind}`" for other, _ in possible if other.aim == stress.aim]
    untested = set(result.untested)
    apart = [target for target in hit if target.units & untested]
    names = [target.name for target in apart or hit]
    # Where no two of them touch one unit, the check wants them all.
    is_each = len(apart) > 1 and sum(len(target.units & untested) for target in apart) == len(
        untested
    )
    if len(names) > _NAMED:
        names = [*names[:_NAMED], f"{len(names) - _NAMED} more"]
    said = f"{_joined(kinds, 'or')} hits {'each of ' if is_each else ''}"
    said += _joined(names, "and" if is_each else "or")
    if len(untested) > 1 and not is_each:
        said += f", in {_joined(sorted(untested)[:_NAMED], 'and')}"
    return said


def _joined(words: list[str], last: str) -> str:
    *first, final = words
    return f"{', '.join(first)} {last} {final}" if first else final


def _remaining(result: CheckResult) -> str:
    """Neither a condition nor a fault: what is left is what the check itself names."""
    untested = f"Untested: {', '.join(result.untested[:_NAMED])}. " if result.untested else ""
    return untested + result.remedy


_NOBODY: Final = {
    Aim.CALL: "Instrument the clients of what your services call: no call was recorded.",
    Aim.TRACED_CALL: "Instrument whoever answers calls that change something, or a stub of it.",
    Aim.WORKER: "Instrument the workers, and let them work: no message was processed.",
    Aim.SERVER: "Instrument the servers: no request that changes something was recorded.",
    Aim.BROKER: "Instrument the senders of messages: none was recorded.",
    Aim.QUEUE: "Instrument the senders of messages: none names its destination.",
    Aim.BATCH: "Run a job of three items or more, each with a span that names it.",
    Aim.LOOP: "Give each turn of a loop a span: no loop of three turns was seen.",
    Aim.JOB: "Run a job: no workflow went through a queue or told its state.",
}
