"""Failed workflow instances of which nobody can tell where they failed.

What: Every failed workflow instance has one place where it failed: the effective number of
candidates (2 to the power of their entropy) is at most 1.5 for each of its independent failures,
the chain of failed spans from there to the top is whole, and the error says what happened. Attempts
that were repeated, handled errors and cancellations are no candidates. Where a span is missing
below the one that failed, or is known by its log records alone, the failure may have begun in
there.

Why: Each further candidate has to be looked at and ruled out by hand while the failure goes on. A
call to a traced service without that service's half leaves open which of the two failed.

Fix: Set the status of every span from the failing one up to the top, record the exception where it
is raised, and instrument both halves of internal calls. Who hangs or is killed sends no half of
its own: log each request when it is taken, so that it leaves a record, and let a time limit end it.

Source: Shannon entropy over the terminal error spans; the weights are assumed and published in
tracejury.workflow.failure_points.
"""

from typing import Final

from tracejury.checks.check import SHOWN, Check, Finding, Judgement, Reference, Severity, Unit
from tracejury.checks.evidence import Evidence
from tracejury.workflow.failure_points import (
    BROKEN_CHAIN,
    DARK_BOUNDARY,
    NO_CANDIDATE,
    UNEXPLAINED,
    Candidate,
    FailedInstance,
    failure_points,
)

# Spans that only log records name.
_TOLD: Final = "SELECT DISTINCT instance_no FROM ghost WHERE side = 'log'"

_NAMED = 3
_WHY: Final = {
    BROKEN_CHAIN: "a span between the error and the top never arrived",
    DARK_BOUNDARY: "the other half of the call that failed never arrived",
    UNEXPLAINED: "the error says neither its type nor what happened",
}


def judge(evidence: Evidence) -> Judgement:
    """One unit a failed workflow instance."""
    failed = failure_points(evidence.reader)
    limit = evidence.policy.candidates
    told = {row["instance_no"] for row in evidence.rows(_TOLD)}
    return Judgement(
        tuple(Unit(_subject(instance), 1, _findings(instance, limit)) for instance in failed),
        note=_waits(failed),
        # The span that is missing below may be where it began.
        reason="dropped"
        if any(instance.lost_below or instance.instance_no in told for instance in failed)
        else "",
    )


def _waits(failed: tuple[FailedInstance, ...]) -> str:
    """What the timeouts waited for, the slowest first: the cause may lie there."""
    longest: dict[str, float] = {}
    for candidate in (one for instance in failed for one in instance.candidates):
        if step := candidate.slowest_below:
            longest[step] = max(candidate.slowest_ms, longest.get(step, 0.0))
    if not longest:
        return ""
    steps = sorted(longest.items(), key=lambda item: (-item[1], item[0]))[:_NAMED]
    named = ", ".join(f"{step} ({took:.0f} ms)" for step, took in steps)
    return f"A timeout may be the victim; slowest below one: {named}."


def _subject(instance: FailedInstance) -> str:
    return f"{instance.workflow} {instance.correlation_id}"


def _findings(instance: FailedInstance, limit: float) -> tuple[Finding, ...]:
    why = _why(instance, limit)
    if not why:
        return ()
    candidates = instance.candidates
    evidence = [span for candidate in candidates for span in candidate.evidence] or [instance.entry]
    return (
        Finding(
            message=f"`{instance.workflow}` {instance.correlation_id} failed, and {why}.",
            subject=_subject(instance),
            instance=instance.correlation_id,
            evidence=tuple(Reference(trace_id=t, span_id=s) for t, s in evidence[:SHOWN]),
        ),
    )


def _why(instance: FailedInstance, limit: float) -> str:
    if NO_CANDIDATE in instance.blockers:
        return "no span in it says where"
    if instance.effective > limit:
        return (
            f"{instance.effective:.1f} effective candidates could each be the cause:"
            f" {_named(instance.candidates)}"
        )
    reasons = [_WHY[blocker] for blocker in instance.blockers]
    if not reasons:
        return ""
    return f"{' and '.join(reasons)}: {_named(instance.candidates)}"


def _named(candidates: tuple[Candidate, ...]) -> str:
    names = [
        f"`{one.step}` of {one.service or '(no service name)'}"
        + (f" ({one.error_type})" if one.error_type else "")
        for one in candidates
    ]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


CHECK = Check(
    id="OBS-10",
    title="The failure point is unambiguous",
    severity=Severity.HIGH,
    task=10,
    serves=("TEST-RR-O02",),
    judge=judge,
    judges_absence=True,
    remedy="Set the status of every span up to the top, record exceptions where they are raised,"
    " and log each request when it is taken: who hangs sends no span.",
)
