"""Diagnose workflow instances one by one: where each failed one failed, and what held a slow one.

Instances whose first cause is the same place are told once, with how many there are.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tracejury.scorecard.difficulty import BLOCKERS
from tracejury.scorecard.suspicion.wording import shortened
from tracejury.store.reader import Reader
from tracejury.telemetry.numbers import counted
from tracejury.workflow.diagnosis_effort import Around, around, effort, search_of
from tracejury.workflow.failure_points import (
    LOST_BELOW,
    Candidate,
    FailedInstance,
    failure_points,
)
from tracejury.workflow.slow_instances import Excess, SlowInstance, slow_instances

_SHOWN: Final = 10
_CANDIDATES: Final = 5


@dataclass(frozen=True, slots=True)
class Cause:
    """A place where one workflow instance may have failed or lost its time, and how that shows.

    `service` and `step` are '' where no span was recorded. `evidence`: (trace_id, span_id), few.
    """

    service: str
    step: str
    says: str
    evidence: tuple[tuple[str, str], ...]

    @property
    def where(self) -> str:
        """Service and step, in words."""
        if not self.service and not self.step:
            return "between spans"
        return f"{shortened(self.service)}, {shortened(self.step)}"


@dataclass(frozen=True, slots=True)
class DiagnosedInstance:
    """One failed or slow workflow instance, its causes the likeliest or the largest first.

    `alike` others have the same first cause. `says` is the instance's own sentence.
    """

    workflow: str
    correlation_id: str
    trace_id: str  # of its entry, as is span_id
    span_id: str
    says: str
    alike: int
    causes: tuple[Cause, ...]


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """Of `total` instances one for each of `places` first causes, as far as they are shown."""

    total: int
    places: int
    shown: tuple[DiagnosedInstance, ...]

    @property
    def not_shown(self) -> int:
        """How many instances are neither shown nor alike one that is."""
        return self.total - sum(1 + one.alike for one in self.shown)


@dataclass(frozen=True, slots=True)
class DiagnosedInstances:
    """Failed and slow instances: of all that `ran`, or that ran while the fault `fault_id` lasted.

    `compared` and `not_compared` are those that did not fail: whether there was enough to tell a
    slow one by, in the baseline if `by_baseline`. Of `unknown_end` nobody knows whether they did:
    they lack their root or their end, or handed work on that is not known to be done.
    """

    ran: int
    unknown_end: int
    failed: Diagnosed
    slow: Diagnosed
    compared: int
    not_compared: int
    by_baseline: bool
    fault_id: str | None = None

    @property
    def about_failed(self) -> str:
        """How many failed, and in how many places."""
        if not self.ran:
            return f"No workflow instance ran{' while it lasted' if self.fault_id else ''}."
        unknown = f"; of {self.unknown_end:,} it is not known" if self.unknown_end else ""
        if not self.failed.total:
            return f"None of {counted(self.ran, 'workflow instance')} failed{unknown or '.'}"
        many, places = counted(self.failed.total, "workflow instance"), self.failed.places
        return f"{many} failed, in {counted(places, 'place')}{unknown}"

    @property
    def about_slow(self) -> str:
        """How many took far longer than is usual, of how many."""
        whose = "those of the clean run" if self.by_baseline else "the others of their workflow"
        if self.fault_id is not None and not self.by_baseline:
            whose = "those of their workflow that ran while no fault lasted"
        if not self.compared:
            return "No workflow instance could be compared with others of its kind."
        of = f"of {counted(self.compared, 'workflow instance')}, compared with {whose}"
        if not self.slow.total:
            return f"Nothing stands out: {of}, none took far longer."
        return f"{self.slow.total:,} {of}, took far longer, in {counted(self.slow.places, 'step')}"

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the comparison cannot tell."""
        said = []
        if self.not_compared:
            said.append(f"{self.not_compared:,} could not be compared: too few of their kind.")
        if self.compared and not self.by_baseline and self.fault_id is None:
            said.append("What all of them waste does not show; a clean run as --baseline tells it.")
        return tuple(said)


def diagnosed_instances(reader: Reader, fault_id: str | None = None) -> DiagnosedInstances:
    """The failed instances by their failure point, and the slow ones by what held them.

    With `fault_id` only those that ran while that fault lasted.
    """
    [ran] = reader.rows(_RAN, {"fault": fault_id})
    slow = slow_instances(reader, _SHOWN, fault_id=fault_id)
    numbers = set(ran["failed"])
    failed = tuple(one for one in failure_points(reader) if one.instance_no in numbers)
    return DiagnosedInstances(
        ran=ran["ran"],
        unknown_end=ran["unknown_end"],
        failed=by_place(failed, around(reader, failed)),
        slow=Diagnosed(slow.slow, slow.groups, tuple(map(_slow_instance, slow.instances))),
        compared=slow.judged,
        not_compared=slow.not_judged,
        by_baseline=slow.by_baseline,
        fault_id=fault_id,
    )


def by_place(failed: Iterable[FailedInstance], run: Around) -> Diagnosed:
    """One failed instance for each workflow and likeliest candidate, the most frequent first."""
    groups: dict[tuple[str, ...], list[FailedInstance]] = defaultdict(list)
    for instance in failed:
        groups[instance.workflow, *_place(instance)].append(instance)
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    return Diagnosed(
        total=sum(map(len, groups.values())),
        places=len(groups),
        shown=tuple(_hardest(group, run) for _, group in ordered[:_SHOWN]),
    )


def _place(instance: FailedInstance) -> tuple[str, ...]:
    if not instance.candidates:
        return ()
    first = instance.candidates[0]
    return first.service, first.step, first.target, first.error_type


def _hardest(group: list[FailedInstance], run: Around) -> DiagnosedInstance:
    """The one of a group that takes longest to diagnose speaks for all of it."""
    minutes, _, instance = max(
        (sum(effort(search_of(one, run)).values()), -one.instance_no, one) for one in group
    )
    candidates = instance.candidates
    says = [f"failed, at least {minutes:.1f} minutes to diagnose"]
    if candidates:
        many = "candidate" if f"{instance.effective:.1f}" == "1.0" else "candidates"
        says.append(f"{instance.effective:.1f} effective {many}")
    says += [BLOCKERS[blocker] for blocker in instance.blockers]
    if instance.lost_below:
        says.append(BLOCKERS[LOST_BELOW])
    return DiagnosedInstance(
        workflow=instance.workflow,
        correlation_id=instance.correlation_id,
        trace_id=instance.entry[0],
        span_id=instance.entry[1],
        says="; ".join(says),
        alike=len(group) - 1,
        causes=tuple(map(_candidate, candidates[:_CANDIDATES])),
    )


def _candidate(one: Candidate) -> Cause:
    error = ": ".join(filter(None, (shortened(one.error_type), shortened(one.message))))
    says = [f"{error or 'an error without type or message'} (weight {one.weight:.2g})"]
    if one.count > 1:
        says.append(f"{counted(one.count, 'time')}")
    if one.target:
        says.append(f"calling {shortened(one.target)}")
    if one.slowest_below:
        says.append(f"it waited for {shortened(one.slowest_below)}, {_ms(one.slowest_ms)}")
    return Cause(one.service, one.step, "; ".join(says), one.evidence)


def _slow_instance(one: SlowInstance) -> DiagnosedInstance:
    return DiagnosedInstance(
        workflow=one.workflow,
        correlation_id=one.correlation_id,
        trace_id=one.entry[0],
        span_id=one.entry[1],
        says=(
            f"took {_ms(one.took_ms)}, usually {_ms(one.usual_ms)} (median of {one.compared_with})"
        ),
        alike=one.alike,
        causes=tuple(map(_excess, one.excess)),
    )


def _excess(one: Excess) -> Cause:
    says = f"{_held(one)}: {_ms(one.took_ms)}, usually {_ms(one.usual_ms)}"
    # The mean of the usual counts is no whole number where the step is optional or repeated.
    if one.part == "own" and one.spans > max(1.5 * one.usual_spans, 1):
        says += f"; {counted(one.spans, 'time')}, usually {one.usual_spans:.2g}"
    return Cause(one.service, one.step, says, (one.span,) if one.span else ())


def _held(one: Excess) -> str:
    if one.part == "between":
        return "nothing was running"
    target = shortened(one.target)
    if one.part == "after":
        return f"after it, until {target or 'what came of it'} was done"
    return f"waiting for {target}" if target else "its own time"


def _ms(milliseconds: float) -> str:
    if milliseconds < 999.5:
        return f"{milliseconds:.3g} ms"
    if milliseconds < 119_500:
        return f"{milliseconds / 1000:.3g} s"
    return f"{milliseconds / 60_000:.3g} min"


_RAN: Final = """
    SELECT
        count(*) AS ran,
        count(*) FILTER (outcome = 'unknown') AS unknown_end,
        coalesce(list(instance_no) FILTER (outcome = 'failed'), []) AS failed
    FROM workflow_instance AS instance
    WHERE NOT background
        AND (
            $fault IS NULL
            OR instance_no IN (
                SELECT instance_no FROM fault_phase WHERE fault_id = $fault AND phase = 'during'
            )
        )
"""
