"""What a check is, and what it hands back: units, exposures and counterexamples, never a verdict.

A check file defines one module-level `CHECK`. Its docstring has four parts, each a paragraph that
begins with its name: `What:`, `Why:`, `Fix:` and `Source:`. The runner finds the file, gates it by
what it `requires`, and decides.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row

# How many examples a finding shows of what it counts.
SHOWN: Final = 5


class Severity(StrEnum):
    """How much a check weighs. The tier of the criterion it serves, else its pattern's risk."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    INFO = "info"


class Requirement(StrEnum):
    """What must be there before a check may speak; the value is the reason it cannot."""

    BASELINE = "needs-baseline"
    DECLARATION = "needs-declaration"


@dataclass(frozen=True, slots=True)
class Reference:
    """A record that a person can open: a span, or the log record or alert with this number.

    The numbers are `log_no` and `alert_no` of the public views; `row` is the line of a row in the
    file of state rows.
    """

    trace_id: str = ""
    span_id: str = ""
    log: int | None = None
    alert: int | None = None
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One counterexample, as a sentence with who, what and number.

    `subject` is the unit it speaks of, `instance` the correlation ID of the workflow instance.
    """

    message: str
    subject: str
    instance: str = ""
    fault: str = ""
    evidence: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True)
class Unit:
    """One thing a check speaks of: a service, a target, a workflow.

    `exposures` counts the occasions on which the property could have failed in this unit.
    """

    name: str
    exposures: int
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a check saw. `note` says what was set aside or shown beside, in one sentence.

    `reason` is a code of the contract for why nothing can be said where there is no finding; where
    it is `unsettled`, `short_s` is how many seconds longer the run would have had to go on.
    `question` is what a person must answer where telemetry cannot tell.
    """

    units: tuple[Unit, ...]
    note: str = ""
    reason: str = ""
    question: str = ""
    short_s: float = 0.0


def references(listed: Iterable[Row] | None) -> tuple[Reference, ...]:
    """The records that a query listed; None: it found none to list."""
    return tuple(Reference(**entry) for entry in listed or ())


def longest_short_s(rows: Iterable[Row]) -> float:
    """How many seconds longer the run would have had to go on for all `rows`, by `short_ns`."""
    return max((row["short_ns"] or 0 for row in rows), default=0) / 1e9


@dataclass(frozen=True, slots=True)
class Check:
    """A rule of the catalogue. `serves` names the tests, patterns and criteria it decides.

    `judges_absence`: its failures are claims that something is missing, so they are void where
    telemetry was sampled, dropped or may still arrive. `is_gate`: it judges the evidence itself
    and is not gated. `min_exposures`: below this many occasions in all, nothing is decided.
    """

    id: str
    title: str
    severity: Severity
    task: int
    serves: tuple[str, ...]
    judge: Callable[[Evidence], Judgement]
    requires: tuple[Requirement, ...] = ()
    judges_absence: bool = False
    is_gate: bool = False
    min_exposures: int = 1
    remedy: str = field(default="", kw_only=True)
