"""Failures whose cause takes longer to find than a customer waits.

What: The time from the alert to the right root cause is below 15 minutes, measured with a clock by
a person. Nothing here measures it: the look-ups that the evidence forces on whoever searches are
counted and priced, which is the least that it takes and never a pass. It fails where that least is
15 minutes or more even without the prices that are assumed (waiting for answers, ruling out a
candidate, asking after a hop that nobody recorded). Where no alert fires in a fault, the clock has
no start.

Why: Half of an outage is finding out what it is.

Fix: What costs most stands beside the estimate: one failure point instead of several, specific
errors, both halves of internal calls, the entity's id on the span that failed.

Source: the audit's test of the time to diagnose; Card, Moran and Newell's keystroke-level model
(1980); Brysbaert on reading rates (2019).
"""

from typing import Final

from tracejury.checks.check import Check, Finding, Judgement, Reference, Severity, Unit
from tracejury.checks.evidence import Evidence
from tracejury.workflow.diagnosis_effort import PUBLISHED, Around, around, effort, search_of
from tracejury.workflow.failure_points import FailedInstance, failure_points

_LIMIT_MINUTES: Final = 15.0

# The largest slow-down that was measured where logs lack evidence: a rationale, and no proof.
_AT_MOST: Final = 3.0

_TERMS: Final = {
    "find": "finding the trace",
    "localise": "ruling out candidates",
    "explain": "reading what happened",
    "dark": "hops that nobody recorded",
    "entity": "finding out what it happened to",
}


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow that failed: the instances that take too long in any case."""
    failed = failure_points(evidence.reader)
    run = around(evidence.reader, failed)
    workflows = sorted({instance.workflow for instance in failed})
    units = tuple(
        _unit(name, [one for one in failed if one.workflow == name], run) for name in workflows
    )
    return Judgement(units, note=_note(evidence, failed, run), reason="estimated" if failed else "")


def _unit(workflow: str, failed: list[FailedInstance], run: Around) -> Unit:
    slow = [
        (minutes, instance)
        for instance in failed
        if (minutes := sum(effort(search_of(instance, run), PUBLISHED).values())) >= _LIMIT_MINUTES
    ]
    if not slow:
        return Unit(workflow, 0)
    minutes, worst = max(slow, key=lambda pair: (pair[0], pair[1].correlation_id))
    trace_id, span_id = worst.entry
    return Unit(
        workflow,
        len(slow),
        (
            Finding(
                f"Of {len(slow)} failures of `{workflow}` nobody can find the cause within"
                f" {_LIMIT_MINUTES:.0f} minutes; `{worst.correlation_id}` takes {minutes:.1f} at"
                " least.",
                subject=workflow,
                instance=worst.correlation_id,
                evidence=(Reference(trace_id, span_id),),
            ),
        ),
    )


def _note(evidence: Evidence, failed: tuple[FailedInstance, ...], run: Around) -> str:
    if not failed:
        return ""
    costs = [effort(search_of(instance, run)) for instance in failed]
    worst = max(costs, key=lambda cost: sum(cost.values()))
    least = sum(worst.values())
    term = _TERMS[max(worst, key=lambda cause: worst[cause])]
    said = (
        f"Estimated: at least {least:.1f} minutes, perhaps {_AT_MOST * least:.0f}, most of it"
        f" {term}. Nobody measured it."
    )
    silent = evidence.rows(_SILENT)[0]["silent"]
    return said + (" No alert fired in a fault, so the clock has no start." if silent else "")


_SILENT: Final = """
    SELECT count(*) > 0 AS silent
    FROM fault
    WHERE NOT EXISTS (SELECT 1 FROM fault_alert WHERE fault_alert.fault_id = fault.id)
"""

CHECK = Check(
    id="OBS-13",
    title="A failure is diagnosed within 15 minutes",
    severity=Severity.HIGH,
    task=10,
    serves=("TEST-RR-O01",),
    judge=judge,
    remedy="Give every failure one place, a specific error, both halves of calls and its entity.",
)
