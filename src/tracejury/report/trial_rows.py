"""The first table of every report: test by fault, and then who was hurt, and for how long."""

from typing import NamedTuple

from tracejury.report.campaign_rows import when_seen
from tracejury.report.numbers import duration
from tracejury.scorecard.result import FaultResult, Hurt
from tracejury.scorecard.trials import Trial
from tracejury.scorecard.words import reason_sentence
from tracejury.telemetry.numbers import counted, percent

WHOLE_RUN = "the whole run"
WORKFLOWS_SHOWN = 5
# Longer by less is within what runs differ by anyhow.
_SLOWER = 1.5


class HarmRow(NamedTuple):
    """One fault in the words of the table."""

    fault: str
    what: str
    success: str
    who: str
    how_long: str


def under(trial: Trial) -> str:
    """Name the fault of a trial, and in a campaign how old the evidence is."""
    is_waiting = trial.outcome == "not-run" and trial.clause is None
    named = trial.fault or ("none" if is_waiting else WHOLE_RUN)
    return f"{named}, {when_seen(trial.seen)}" if trial.seen else named


def decided_by(trial: Trial) -> str:
    """Say which clause decided, or what would have run the test."""
    if trial.clause is None:
        if trial.outcome == "pass":
            return "every clause holds"
        kinds = f"of kind {' or '.join(trial.kinds)} " if trial.kinds else ""
        return f"no fault {kinds}was injected for it" if not trial.fault else "no clause applies"
    said = f"{trial.clause.text} ({', '.join(trial.clause.checks)})"
    if trial.clause.outcome == "fail":
        return f"fails: {said}"
    return ": ".join(("open", said, *([reason_sentence(trial.reason)] if trial.reason else ())))


def harm_row(fault: FaultResult) -> HarmRow:
    """Say of a fault who was hurt, and for how long."""
    shares = (fault.success_before, fault.success_during, fault.success_after)
    return HarmRow(
        fault.id,
        " ".join(filter(None, (fault.kind, fault.target))),
        " → ".join(map(percent, shares)),
        _everybody(fault),
        _how_long(fault),
    )


def _everybody(fault: FaultResult) -> str:
    hurt = [said for said in map(_who, fault.hurt) if said]
    more = [f"and {len(hurt) - WORKFLOWS_SHOWN:,} more"] if len(hurt) > WORKFLOWS_SHOWN else []
    return "; ".join([*hurt[:WORKFLOWS_SHOWN], *more]) or _nobody(fault)


def _nobody(fault: FaultResult) -> str:
    ran = sum(hurt.instances for hurt in fault.hurt)
    return f"nobody seen: {counted(ran, 'instance')} ran" if ran else "unknown: nothing ran"


def _who(hurt: Hurt) -> str:
    said = []
    if hurt.failed:
        said.append(f"{hurt.failed:,} failed")
    if hurt.unfinished:
        said.append(f"{hurt.unfinished:,} of unknown end")
    before, during = hurt.p95_before_ms, hurt.p95_during_ms
    if before is not None and during is not None and during > _SLOWER * before:
        said.append(f"p95 {duration(before)} → {duration(during)}")
    if not said:
        return ""
    return f"{hurt.workflow}: {', '.join(said)} (of {hurt.instances:,} meanwhile)"


def _how_long(fault: FaultResult) -> str:
    if fault.hurt_for_s is None:
        return ""
    said = f"failing for {duration(1000 * fault.hurt_for_s)}"
    if fault.recovered_after_s is None:
        return f"{said}; not seen to recover"
    if not fault.recovered_after_s:
        return f"{said}; over before the fault was"
    return f"{said}; until {duration(1000 * fault.recovered_after_s)} after the fault"
