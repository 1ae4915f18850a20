"""Two tables by failure mode: the state that a failure leaves, and the way to its cause."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tracejury.scorecard.decidable import would_decide
from tracejury.scorecard.result import Aftermath, Audit, CheckResult, FaultResult, Outcome

# The seven failure modes of the audit: kinds of fault that bring them about, and what is expected.
MODES: Final = (
    ("Worker crash", ("kill",), "timeout or failed, or taken up again"),
    ("API timeout", ("hang", "delay", "partition"), "failed or retrying"),
    ("Storage failure", ("storage",), "item failed, job not completed"),
    ("Lost message", ("message_loss",), "found, and given up or sent again"),
    ("Partial batch", ("bad_item",), "partial"),
    ("User cancels", ("cancel",), "cancelled"),
    ("Server restart", ("restart",), "queued, failed or taken up again"),
)

_STATES: Final = "ST-08"


@dataclass(frozen=True, slots=True)
class StateRow:
    """One failure mode under one fault: what jobs should say afterwards, and what they said."""

    mode: str
    fault: str  # '': none of its kind was injected
    expected: str
    observed: str
    accurate: Outcome
    would_decide: str


@dataclass(frozen=True, slots=True)
class DiagnosisRow:
    """One fault: whether anybody was told, and what it takes to find out what it is."""

    fault: str
    mode: str
    alerted_after_s: float | None  # None: no alert was seen
    find_minutes: float | None  # lower bounds, as in the result
    root_cause: str  # what stands out; '' where nothing does
    is_identified: bool | None  # whether that is the fault's target; None: nobody says the target
    diagnosis_minutes: float | None
    measured_minutes: tuple[float, ...]  # by persons with a stopwatch, in this fault


def state_table(audit: Audit) -> tuple[StateRow, ...]:
    """Give the seven modes in the template's order, once a fault; none where nothing was judged."""
    if not audit.checks:
        return ()
    check = next((check for check in audit.checks if check.id == _STATES), None)
    aftermaths = {aftermath.fault: aftermath for aftermath in audit.aftermaths}
    return tuple(row for mode in MODES for row in _states(mode, audit, aftermaths, check))


def diagnosis_table(audit: Audit) -> tuple[DiagnosisRow, ...]:
    """Give one row a fault, in the order of the fault file."""
    aftermaths = {aftermath.fault: aftermath for aftermath in audit.aftermaths}
    measured = audit.diagnosis.measured if audit.diagnosis else ()
    return tuple(
        _diagnosis(
            fault,
            aftermaths.get(fault.id),
            tuple(one.minutes for one in measured if one.fault == fault.id),
        )
        for fault in audit.faults
    )


def _states(
    mode: tuple[str, tuple[str, ...], str],
    audit: Audit,
    aftermaths: dict[str, Aftermath],
    check: CheckResult | None,
) -> Iterator[StateRow]:
    name, kinds, expected = mode
    mine = [fault for fault in audit.faults if fault.kind in kinds]
    if not mine:
        said = f"Inject a fault of kind {' or '.join(kinds)}."
        yield StateRow(name, "", expected, "", "not-observed", said)
    for fault in mine:
        outcome: Outcome = _outcome(check, fault) if check else "not-observed"
        yield StateRow(
            name,
            fault.id,
            expected,
            _observed(aftermaths.get(fault.id)),
            outcome,
            "" if outcome in ("pass", "fail") else (check and would_decide(check)) or _OTHER,
        )


_OTHER: Final = "Name the jobs that it hit: a state on their spans or log records."


def _outcome(check: CheckResult, fault: FaultResult) -> Outcome:
    """What the check says of one fault; a pass speaks of every fault that was put to the test."""
    if check.outcome == "fail":
        return "fail" if any(f.fault == fault.id for f in check.findings) else "not-observed"
    return "pass" if check.outcome == "pass" else "not-observed"


def _observed(aftermath: Aftermath | None) -> str:
    if aftermath is None:
        return "nothing ran"
    return ", ".join(
        f"{state or 'no state said'} {jobs:,}" for state, jobs in aftermath.states.items()
    )


def _diagnosis(
    fault: FaultResult, aftermath: Aftermath | None, measured: tuple[float, ...]
) -> DiagnosisRow:
    first = fault.suspects[0] if fault.suspects and fault.stands_out else None
    return DiagnosisRow(
        fault=fault.id,
        mode=next((mode for mode, kinds, _ in MODES if fault.kind in kinds), fault.kind),
        alerted_after_s=fault.detected_after_s,
        find_minutes=aftermath.find_minutes if aftermath else None,
        root_cause=f"{first.service} {first.step}".strip() if first else "",
        is_identified=first is not None and fault.rank_of_target == 1 if fault.target else None,
        diagnosis_minutes=aftermath.diagnosis_minutes if aftermath else None,
        measured_minutes=measured,
    )
