"""What to mend first: the failed checks by the score that mending each would recover."""

from dataclasses import dataclass
from typing import Final, Literal

from tracejury.checks.check import Severity
from tracejury.scorecard.result import Audit, CheckResult
from tracejury.scorecard.runner import weight

Effort = Literal["S", "M", "L"]
When = Literal["now", "next sprint", "backlog", "for information"]

WHEN: Final[dict[Severity, When]] = {
    Severity.CRITICAL: "now",
    Severity.HIGH: "next sprint",
    Severity.MEDIUM: "backlog",
    Severity.INFO: "for information",
}

# Assumed: the usual size of the change that the remedy asks for; a person knows the code.
_SIZES: Final[tuple[tuple[Effort, str, str], ...]] = (
    (
        "S",
        "a setting, in one place",
        "TIM-01 TIM-02 LOOP-01 LOOP-02 LOOP-03 RET-01 RET-02 RET-03 Q-02 Q-03 Q-05 Q-08 OBS-12"
        " OBS-14 OBS-15 OBS-16 OBS-17 ING-01 ING-02 ING-03 ING-04 ING-05 INV-01 INV-03 INV-04",
    ),
    (
        "S",
        "a line more on record, in one place",
        "TIM-03 PAR-02 PAR-07 RET-08 RET-09 OBS-02 OBS-06 OBS-08 OBS-09 ST-07 INV-02",
    ),
    (
        "M",
        "code of one component",
        "TIM-04 TIM-05 TIM-06 TIM-07 PAR-01 PAR-03 PAR-04 PAR-06 RET-04 RET-05 RET-07 RSM-00 RSM-04"
        " Q-06 Q-07 ST-01 ST-02 ST-03 ST-04 ST-05 ST-06 ST-09 OBS-10 OBS-11 OBS-13",
    ),
    (
        "M",
        "code of each service that takes part",
        "OBS-01 OBS-03 OBS-04 OBS-05 OBS-07 Q-09",
    ),
    (
        "L",
        "state that must outlive a process, and whoever reads it",
        "PAR-05 RSM-01 RSM-02 RSM-05 Q-01 ST-08",
    ),
    ("L", "both sides of a call must agree", "RET-06 RSM-03 Q-04"),
)
EFFORTS: Final[dict[str, tuple[Effort, str]]] = {
    name: (effort, why) for effort, why, names in _SIZES for name in names.split()
}
_UNKNOWN: Final[tuple[Effort, str]] = ("M", "not estimated")


@dataclass(frozen=True, slots=True)
class Remedy:
    """One failed check: what to do and when, how large that is, and the score it recovers."""

    check: CheckResult
    when: When
    effort: Effort
    why: str  # the effort is so
    recovers: float  # points of 100, if it passes afterwards


def remedies(audit: Audit) -> tuple[Remedy, ...]:
    """Give the failed checks, what recovers most first, and of equals the smaller effort."""
    applicable = [check for check in audit.checks if check.outcome != "not-applicable"]
    whole = sum(weight(check.severity) for check in applicable)
    found = [
        Remedy(
            check,
            WHEN[check.severity],
            *EFFORTS.get(check.id, _UNKNOWN),
            recovers=100 * weight(check.severity) / whole if whole else 0.0,
        )
        for check in applicable
        if check.outcome == "fail"
    ]
    return tuple(sorted(found, key=lambda r: (-r.recovers, "SML".index(r.effort), r.check.id)))
