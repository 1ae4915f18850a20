"""Run every check of the catalogue and decide: the one place that says "not enough evidence"."""

import math
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property, partial
from threading import Lock
from typing import Final

from tracejury.checks.catalogue import CATALOGUE, Entry, all_checks
from tracejury.checks.check import Check, Finding, Judgement, Requirement, Severity
from tracejury.checks.evidence import Evidence
from tracejury.errors import DamagedStoreError
from tracejury.scorecard.result import CheckResult, Outcome
from tracejury.store.reader import Crew
from tracejury.telemetry.numbers import counted

# Who judges the evidence, and what stands in the way when it is not good enough.
_GATES: Final = {"ING-03": "sampled", "ING-02": "dropped", "ING-04": "unsettled"}

# Without evidence either way these stand in the way of a pass, and not of a failure; so does a gate
# that broke.
_MUST_PASS: Final = ("ING-03",)

# Which declared absence makes which rules pointless.
_COMPONENT_RULES: Final = {"queue": "Q-"}


@dataclass(frozen=True, slots=True)
class Gates:
    """What the evidence allows: the reason why no pass, and no failure by absence, may be said."""

    against_pass: str
    against_absence: str


def run(evidence: Evidence, *, checks: tuple[Check, ...] | None = None) -> tuple[CheckResult, ...]:
    """One result for each of `checks` (None: the whole catalogue), in the catalogue's order.

    A check that raises is an `error`, and the others go on.
    """
    with evidence.reader.crew() as crew:
        return tuple(judged.result() for judged in start(evidence, crew, checks=checks))


def start(
    evidence: Evidence, crew: Crew, *, checks: tuple[Check, ...] | None = None
) -> list[Future[CheckResult]]:
    """What `run` gives, while `crew` is still at work on it."""
    runner = Runner(evidence, all_checks() if checks is None else checks)
    return [
        crew.submit(partial(runner.result, entry)) for entry in CATALOGUE if runner.judges(entry)
    ]


class Runner:
    """Judges the rules of the catalogue with `checks`, and each gate once, when it matters."""

    def __init__(self, evidence: Evidence, checks: tuple[Check, ...]) -> None:
        self._evidence = evidence
        self._checks = {check.id: check for check in checks}
        self._judging_gates = Lock()

    def judges(self, entry: Entry) -> bool:
        """Whether one of the checks is of the rule `entry`."""
        return entry.id in self._checks

    def result(self, entry: Entry) -> CheckResult:
        """What the checks say of the rule `entry`; an `error` where one raises."""
        for component in self._evidence.config.absent_components:
            if entry.id.startswith(_COMPONENT_RULES[component]):
                return _not_applicable(entry, f"declared: there is no {component}")
        check = self._checks[entry.id]
        if check.is_gate:
            return self._gate_results()[check.id]
        return self._decide(check)

    def _gate_results(self) -> dict[str, CheckResult]:
        with self._judging_gates:
            return self._judged_gates

    @cached_property
    def _judged_gates(self) -> dict[str, CheckResult]:
        return {name: self._decide(check) for name, check in self._checks.items() if check.is_gate}

    @cached_property
    def _gates(self) -> Gates:
        return _gates(self._gate_results())

    def _decide(self, check: Check) -> CheckResult:
        missing = _missing_requirement(check, self._evidence)
        if missing:
            return _result(check, Judgement(()), "not-observed", missing)
        try:
            judgement = check.judge(self._evidence)
        except DamagedStoreError:
            raise
        except Exception as error:  # noqa: BLE001 - one check's fault must not cost the others' verdicts
            reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            return _result(check, Judgement(()), "error", reason)
        return _result(check, judgement, *self._outcome(check, judgement))

    def _outcome(self, check: Check, judgement: Judgement) -> tuple[Outcome, str]:
        if any(unit.findings for unit in judgement.units):
            if check.judges_absence and (reason := self._stands_against(check).against_absence):
                return "not-observed", reason
            return "fail", ""
        reason = judgement.reason or _unexposed(check, judgement)
        reason = reason or self._stands_against(check).against_pass
        if reason and judgement.question:
            return "manual", ""
        return ("not-observed", reason) if reason else ("pass", "")

    def _stands_against(self, check: Check) -> Gates:
        return Gates("", "") if check.is_gate else self._gates


def _gates(results: dict[str, CheckResult]) -> Gates:
    failed = [
        reason
        for gate, reason in _GATES.items()
        if gate in results and results[gate].outcome == "fail"
    ]
    # A window that is still open has not failed; it is not decided yet.
    is_open = any(result.reason == "unsettled" for result in results.values())
    against_absence = [*failed, *(["unsettled"] if is_open else [])]
    unproven = [
        reason
        for gate, reason in _GATES.items()
        if gate in results
        and (
            results[gate].outcome == "error"
            or (gate in _MUST_PASS and results[gate].outcome != "pass")
        )
    ]
    return Gates(
        against_pass=next(iter([*against_absence, *unproven]), ""),
        against_absence=next(iter(against_absence), ""),
    )


def _not_applicable(entry: Entry, reason: str) -> CheckResult:
    return CheckResult(
        id=entry.id,
        title=entry.title,
        severity=entry.severity,
        task=entry.task,
        outcome="not-applicable",
        reason=reason,
        exposures=0,
        units_total=0,
        units_exposed=0,
        untested=(),
        serves=entry.serves,
        remedy="",
        note="",
        findings=(),
    )


def _missing_requirement(check: Check, evidence: Evidence) -> str:
    present = {
        Requirement.BASELINE: evidence.has_baseline,
        Requirement.DECLARATION: bool(evidence.config.workflows),
    }
    return next((needed.value for needed in check.requires if not present[needed]), "")


def _unexposed(check: Check, judgement: Judgement) -> str:
    if sum(unit.exposures for unit in judgement.units) < check.min_exposures:
        return "no-exposure"
    return "units" if any(not unit.exposures for unit in judgement.units) else ""


def _result(check: Check, judgement: Judgement, outcome: Outcome, reason: str) -> CheckResult:
    findings: tuple[Finding, ...] = tuple(f for unit in judgement.units for f in unit.findings)
    return CheckResult(
        id=check.id,
        title=check.title,
        severity=check.severity,
        task=check.task,
        outcome=outcome,
        reason=reason,
        exposures=sum(unit.exposures for unit in judgement.units),
        units_total=len(judgement.units),
        units_exposed=sum(1 for unit in judgement.units if unit.exposures),
        untested=tuple(unit.name for unit in judgement.units if not unit.exposures),
        serves=check.serves,
        remedy=check.remedy,
        note=" ".join(filter(None, _notes(judgement, outcome, reason))),
        findings=findings,
    )


def _notes(judgement: Judgement, outcome: Outcome, reason: str) -> Iterator[str]:
    yield judgement.note
    if outcome == "manual":
        yield judgement.question
    if outcome == "not-observed" and reason == judgement.reason and judgement.short_s > 0:
        missing = counted(math.ceil(judgement.short_s), "second")
        yield f"The run ended {missing} too soon to tell."


def weight(severity: Severity) -> float:
    """What a check of this severity weighs in the score."""
    return _WEIGHTS[severity]


_WEIGHTS: Final = {
    Severity.CRITICAL: 10.0,
    Severity.HIGH: 7.5,
    Severity.MEDIUM: 5.0,
    Severity.INFO: 0.0,
}
