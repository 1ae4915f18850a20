"""Compare two audited runs: what got worse, what got better, and whether "better" can be trusted.

Outcomes are compared one by one. A failure that is only no longer observed is no improvement, and a
pass that is no longer observed counts against the later run, as missing evidence is never a pass.
Durations and shares moved where their 99 % intervals do not touch; where too little ran for that, a
movement is tentative, is shown, and counts for nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final, Literal

from tracejury.scorecard.less_observed import less_observed
from tracejury.scorecard.result import Audit, CheckResult, Criterion, TestResult
from tracejury.scorecard.step_durations import CONFIDENCE, Quantile, StepDurations, StepName
from tracejury.telemetry.numbers import counted

# What became of an outcome. The first three count against the later run.
Change = Literal["regressed", "found", "lost", "unproven", "fixed", "proven", "other"]
AGAINST: Final = ("regressed", "found", "lost")
FOR: Final = ("fixed", "proven")

Direction = Literal["better", "worse"]
Unit = Literal["points", "share", "minutes"]

# A duration that moved by less is not worth a line, however sure it is.
LEAST_MS: Final = 1.0
LEAST_PART: Final = 0.05

# How much a headline score must move to be worth a line.
_LEAST: Final[dict[Unit, float]] = {"points": 0.05, "share": 0.01, "minutes": 1.0}

# Of fewer occasions or workflow instances, a movement is tentative.
FEW: Final = 5


@dataclass(frozen=True, slots=True)
class Run:
    """One audited run, and what its steps took."""

    audit: Audit
    steps: dict[StepName, StepDurations]


@dataclass(frozen=True, slots=True)
class OutcomeChange:
    """A check, test or criterion of which the outcome changed.

    `doubt` says why an improvement may be none; '' where nothing speaks against it.
    """

    id: str
    title: str
    tier: str  # of a check its severity; '' of a test
    before: str
    after: str
    change: Change
    is_tentative: bool = False
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class NumberChange:
    """A score that moved. None: it could not be computed, and then it has no direction."""

    name: str
    unit: Unit
    before: float | None
    after: float | None
    direction: Direction | None
    is_tentative: bool


@dataclass(frozen=True, slots=True)
class ShareChange:
    """A share of counted things that moved: `before` and `after` are (how many, of how many)."""

    subject: str
    measure: Literal["succeeded", "failed"]
    before: tuple[int, int]
    after: tuple[int, int]
    direction: Direction
    is_tentative: bool


@dataclass(frozen=True, slots=True)
class StepChange:
    """A quantile of a step's durations that moved."""

    step: StepName
    measure: Literal["p50", "p95"]
    before: Quantile
    after: Quantile
    counts: tuple[int, int]
    direction: Direction
    is_tentative: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that moved from one run to the other, and what makes it doubtful."""

    before: Audit
    after: Audit
    doubts: tuple[str, ...]  # in which way the later run is less observed
    checks: tuple[OutcomeChange, ...]
    tests: tuple[OutcomeChange, ...]
    criteria: tuple[OutcomeChange, ...]
    numbers: tuple[NumberChange, ...]
    shares: tuple[ShareChange, ...]
    steps: tuple[StepChange, ...]
    new_steps: tuple[StepName, ...]
    gone_steps: tuple[StepName, ...]

    @property
    def can_judge(self) -> bool:
        """Whether there is telemetry on both sides."""
        return "CANNOT_JUDGE" not in (self.before.verdict, self.after.verdict)

    @property
    def regressions(self) -> int:
        """How many movements count against the later run."""
        return sum(moved.change in AGAINST for moved in self._outcomes) + self._moved("worse")

    @property
    def improvements(self) -> int:
        """How many speak for it: as far as the doubts allow."""
        return sum(moved.change in FOR for moved in self._outcomes) + self._moved("better")

    @property
    def _outcomes(self) -> tuple[OutcomeChange, ...]:
        return (*self.criteria, *self.tests, *self.checks)

    def _moved(self, direction: Direction) -> int:
        measured: tuple[NumberChange | ShareChange | StepChange, ...]
        measured = (*self.numbers, *self.shares, *self.steps)
        return sum(moved.direction == direction and not moved.is_tentative for moved in measured)


def compare(before: Run, after: Run) -> Comparison:
    """What moved from `before` to `after`."""
    old, new = before.audit, after.audit
    return Comparison(
        before=old,
        after=new,
        doubts=less_observed(old, new),
        checks=tuple(_checks(old.checks, new.checks)),
        tests=tuple(_tests(old.tests, new.tests)),
        criteria=tuple(_criteria(old.criteria, new.criteria)),
        numbers=tuple(_numbers(old, new)),
        shares=(*_success(old, new), *_failures(before.steps, after.steps)),
        steps=tuple(_steps(before.steps, after.steps)),
        new_steps=tuple(sorted(after.steps.keys() - before.steps.keys())),
        gone_steps=tuple(sorted(before.steps.keys() - after.steps.keys())),
    )


def outcome_change(before: str, after: str) -> Change | None:
    """What became of an outcome; None where it is the same."""
    if before == after:
        return None
    if after == "not-applicable":
        return "other"  # someone declared it
    passed = before in ("pass", "partial")
    if after in ("fail", "error"):
        return "regressed" if passed else "found"
    if after == "pass" or (after == "partial" and not passed):
        return "fixed" if passed or before == "fail" else "proven"
    if before == "fail":
        return "unproven"
    return "lost" if passed else "other"


def _checks(before: Sequence[CheckResult], after: Sequence[CheckResult]) -> Iterator[OutcomeChange]:
    earlier = {check.id: check for check in before}
    for check in after:
        old = earlier.get(check.id)
        change = outcome_change(old.outcome, check.outcome) if old else None
        if old and change:
            passes = [one.exposures for one in (old, check) if one.outcome == "pass"]
            yield OutcomeChange(
                id=check.id,
                title=check.title,
                tier=check.severity.value,
                before=old.outcome,
                after=check.outcome,
                change=change,
                is_tentative=bool(passes) and min(passes) < FEW,
                doubt=_fewer(old, check) if change == "fixed" else "",
            )


def _fewer(before: CheckResult, after: CheckResult) -> str:
    """Why a check that passes now may only have been tested less."""
    if after.exposures < before.exposures:
        return f"put to the test {counted(after.exposures, 'time')}, before {before.exposures:,}"
    if after.units_exposed < before.units_exposed:
        return f"{after.units_exposed:,} of its units tested, before {before.units_exposed:,}"
    return ""


def _criteria(before: Sequence[Criterion], after: Sequence[Criterion]) -> Iterator[OutcomeChange]:
    earlier = {criterion.id: criterion for criterion in before}
    for new in after:
        old = earlier.get(new.id)
        change = outcome_change(old.outcome, new.outcome) if old else None
        if old and change:
            yield OutcomeChange(new.id, new.title, new.tier.value, old.outcome, new.outcome, change)


def _tests(before: Sequence[TestResult], after: Sequence[TestResult]) -> Iterator[OutcomeChange]:
    earlier = {test.id: test for test in before}
    for new in after:
        old = earlier.get(new.id)
        change = outcome_change(old.outcome, new.outcome) if old else None
        if old and change:
            if any(clause.outcome == "fail" for clause in new.clauses):
                change = _PARTLY_FAILED.get(change, change)
            yield OutcomeChange(new.id, new.title, "", old.outcome, new.outcome, change)


# A test that is partial may have a clause that fails.
_PARTLY_FAILED: Final[dict[Change, Change]] = {"lost": "regressed", "proven": "found"}


def _numbers(before: Audit, after: Audit) -> Iterator[NumberChange]:
    few = min(_instances(before), _instances(after)) < FEW
    for name, unit, more_is_better in _SCORES:
        old, new = _score(before, name), _score(after, name)
        if old is None and new is None:
            continue
        if old is not None and new is not None and abs(new - old) < _LEAST[unit]:
            continue
        direction: Direction | None = None
        if old is not None and new is not None and name in _HEADLINES:
            direction = "better" if (new > old) == more_is_better else "worse"
        yield NumberChange(name, unit, old, new, direction, few and direction is not None)


# The score and its coverage say again what the checks said: they are shown, and not counted.
_HEADLINES: Final = ("completeness", "timing explained", "external calls", "minutes to diagnose")
_SCORES: Final[tuple[tuple[str, Unit, bool], ...]] = (
    ("score", "points", True),
    ("coverage", "share", True),
    ("completeness", "share", True),
    ("timing explained", "share", True),
    ("external calls", "share", True),
    ("minutes to diagnose", "minutes", False),
)


def _score(audit: Audit, name: str) -> float | None:
    match name:
        case "score":
            return audit.score
        case "coverage":
            return audit.coverage
        case "completeness":
            return audit.completeness.total.ratio if audit.completeness else None
        case "timing explained":
            return audit.timing.explained if audit.timing else None
        case "external calls":
            return audit.external_calls.share if audit.external_calls else None
    return audit.diagnosis.minutes if audit.diagnosis else None


def _instances(audit: Audit) -> int:
    return sum(workflow.instances for workflow in audit.workflows)


def _success(before: Audit, after: Audit) -> Iterator[ShareChange]:
    """Workflows of which another share of instances succeeded."""
    earlier = {workflow.name: workflow for workflow in before.workflows}
    for new in after.workflows:
        if old := earlier.get(new.name):
            counts = (old.ok, old.ok + old.failed), (new.ok, new.ok + new.failed)
            moved = _share_moved(*counts)
            if moved:
                direction: Direction = "better" if moved[0] else "worse"
                yield ShareChange(new.name, "succeeded", *counts, direction, moved[1])


def _failures(
    before: dict[StepName, StepDurations], after: dict[StepName, StepDurations]
) -> Iterator[ShareChange]:
    """Steps of which another share of spans failed."""
    for name in sorted(before.keys() & after.keys()):
        old, new = before[name], after[name]
        counts = (old.errors, old.count), (new.errors, new.count)
        if moved := _share_moved(*counts):
            direction: Direction = "worse" if moved[0] else "better"
            subject = f"{name[1]} {name[2]} ({name[0]})"
            yield ShareChange(subject, "failed", *counts, direction, moved[1])


def _share_moved(before: tuple[int, int], after: tuple[int, int]) -> tuple[bool, bool] | None:
    """Whether the share rose, and whether that is tentative; None: it did not move."""
    if not before[1] or not after[1]:
        return None
    difference = after[0] / after[1] - before[0] / before[1]
    if abs(difference) < LEAST_PART:
        return None
    if min(before[1], after[1]) < FEW:
        return difference > 0, True
    old, new = _wilson(*before), _wilson(*after)
    apart = old[1] < new[0] or new[1] < old[0]
    return (difference > 0, False) if apart else None


def _wilson(part: int, whole: int) -> tuple[float, float]:
    """Wilson's interval of a share, which holds the true one with 99 %."""
    share, z2 = part / whole, CONFIDENCE**2
    middle = (share + z2 / (2 * whole)) / (1 + z2 / whole)
    half = CONFIDENCE * sqrt(share * (1 - share) / whole + z2 / (4 * whole**2)) / (1 + z2 / whole)
    return middle - half, middle + half


def _steps(
    before: dict[StepName, StepDurations], after: dict[StepName, StepDurations]
) -> Iterator[StepChange]:
    """Quantiles that moved, the largest movement first."""
    moved = [
        change
        for name in before.keys() & after.keys()
        for change in _quantiles(name, before[name], after[name])
    ]
    yield from sorted(
        moved,
        key=lambda change: (
            change.is_tentative,
            -abs(change.after.ms - change.before.ms),
            change.step,
            change.measure,
        ),
    )


def _quantiles(name: StepName, before: StepDurations, after: StepDurations) -> Iterator[StepChange]:
    pairs: tuple[tuple[Literal["p50", "p95"], Quantile | None, Quantile | None], ...] = (
        ("p50", before.p50, after.p50),
        ("p95", before.p95, after.p95),
    )
    for measure, old, new in pairs:
        if old is None or new is None:
            continue
        difference = new.ms - old.ms
        if abs(difference) < max(LEAST_MS, LEAST_PART * old.ms):
            continue
        apart = _apart(old, new)
        if apart is False:
            continue
        yield StepChange(
            step=name,
            measure=measure,
            before=old,
            after=new,
            counts=(before.count, after.count),
            direction="worse" if difference > 0 else "better",
            is_tentative=apart is None,
        )


def _apart(before: Quantile, after: Quantile) -> bool | None:
    """Whether the intervals do not touch; None where a side has none."""
    if before.low is None or before.high is None or after.low is None or after.high is None:
        return None
    return before.high < after.low or after.high < before.low
