"""Which faults to inject again after the fixes, and which to inject next, by risk."""

from dataclasses import dataclass
from typing import Final

from tracejury.checks.check import Severity
from tracejury.scorecard.result import Audit, Criterion, FaultResult
from tracejury.scorecard.trials import Trial, needed_kinds, needs_fault, trials

_TIERS: Final = tuple(Severity)
_CALLS: Final = ("hang", "delay", "error", "partition", "storage")
_MESSAGES: Final = ("flood", "message_loss")


@dataclass(frozen=True, slots=True)
class Retest:
    """A fault to inject once more: what it showed, and what should show the next time."""

    fault: FaultResult
    trials: tuple[Trial, ...]  # those that did not pass
    checks: tuple[str, ...]  # that failed, and should pass


@dataclass(frozen=True, slots=True)
class Planned:
    """A test that no fault decided yet: what to inject, and into what."""

    trial: Trial
    tier: Severity | None  # the highest of the open criteria that it would help to decide
    criteria: tuple[str, ...]
    kinds: tuple[str, ...]  # any one of them will do; (): any at all, or none is needed
    needs_fault: bool
    target: str  # '' where telemetry names none
    risk: int  # of the riskiest step that the target has a part in; 0: unknown


def retests(audit: Audit) -> tuple[Retest, ...]:
    """Give the faults under which a test did not pass."""
    open_trials = [trial for trial in trials(audit) if trial.outcome not in ("pass", "not-run")]
    failed = {check.id for check in audit.checks if check.outcome == "fail"}
    tests = {test.id: test for test in audit.tests}
    found = []
    for fault in audit.faults:
        mine = tuple(trial for trial in open_trials if trial.fault == fault.id)
        asked = [name for t in mine for clause in tests[t.test].clauses for name in clause.checks]
        checks = tuple(name for name in dict.fromkeys(asked) if name in failed)
        if mine:
            found.append(Retest(fault, mine, checks))
    return tuple(found)


def fault_plan(audit: Audit) -> tuple[Planned, ...]:
    """Give the tests that were not run or stayed open, the most critical criterion first."""
    found = [
        _planned(audit, trial)
        for trial in trials(audit)
        if trial.outcome == "not-run" or (trial.clause and trial.clause.outcome != "fail")
    ]
    return tuple(
        sorted(
            found,
            key=lambda p: (_TIERS.index(p.tier) if p.tier else len(_TIERS), -p.risk),
        )
    )


def _planned(audit: Audit, trial: Trial) -> Planned:
    open_criteria = _open_criteria(audit, trial)
    kinds = needed_kinds(trial.test)
    # Of a test that a lost message would run, the queue is the target, whatever the kind.
    at = "message_loss" if "message_loss" in kinds else kinds[0] if kinds else ""
    target, risk = _target(audit, at)
    return Planned(
        trial,
        min((c.tier for c in open_criteria), key=_TIERS.index, default=None),
        tuple(criterion.id for criterion in open_criteria),
        kinds,
        needs_fault(trial.test),
        target,
        risk,
    )


def _open_criteria(audit: Audit, trial: Trial) -> list[Criterion]:
    test = next(test for test in audit.tests if test.id == trial.test)
    checks = {name for clause in test.clauses for name in clause.checks}
    return [
        criterion
        for criterion in audit.criteria
        if criterion.outcome not in ("pass", "fail", "not-applicable")
        and checks & set(criterion.checks)
    ]


def _target(audit: Audit, kind: str) -> tuple[str, int]:
    """What a fault of that kind should hit first, and the risk of the steps behind it."""
    if kind in _CALLS:
        return _peer(audit)
    if kind in _MESSAGES:
        names = audit.queue.destinations if audit.queue else ()
        return (names[0] if names else ""), _highest(audit, "PRODUCER", "CONSUMER")
    if kind in ("kill", "restart"):
        side = "CONSUMER" if kind == "kill" else "SERVER"
        services = [step.service for step in audit.step_risks if step.kind == side]
        return (services[0] if services else ""), _highest(audit, side)
    looped = [step for step in audit.step_risks if "in a loop" in step.flags and step.workflows]
    steps = looped or [step for step in audit.step_risks if step.workflows]
    return (steps[0].workflows[0], steps[0].risk) if steps else ("", 0)


def _peer(audit: Audit) -> tuple[str, int]:
    """Whom the riskiest callers call most, those outside first."""
    calls = audit.external_calls.targets if audit.external_calls else ()
    risks: dict[str, int] = {}
    for step in audit.step_risks:
        if step.kind == "CLIENT":
            risks[step.service] = max(risks.get(step.service, 0), step.risk)
    ranked = sorted(
        calls, key=lambda c: (-risks.get(c.service, 0), not c.is_external, -c.calls, c.target)
    )
    return (ranked[0].target, risks.get(ranked[0].service, 0)) if ranked else ("", 0)


def _highest(audit: Audit, *kinds: str) -> int:
    return max((step.risk for step in audit.step_risks if step.kind in kinds), default=0)
