"""Failures whose cause takes longer to find than a customer waits.

What: The time from the alert to the right root cause is below 15 minutes, measured with a clock by
a person: with the stopwatch of the terminal UI, for every workflow that failed, the last time whose
root could be compared with a fault's target. Where nobody measured, the look-ups that the evidence
forces on whoever searches are counted and priced, which is the least that it takes and never a
pass. It fails where a measured time, or that least even without the prices that are assumed
(waiting for answers, ruling out a candidate, asking after a hop that nobody recorded), is 15
minutes or more. Where no alert fires in a fault, the clock has no start, and a time that was
measured is no answer.

Why: Half of an outage is finding out what it is.

Fix: What costs most stands beside the estimate: one failure point instead of several, specific
errors, both halves of internal calls, the entity's id on the span that failed.

Source: the audit's test of the time to diagnose; Card, Moran and Newell's keystroke-level model
(1980); Brysbaert on reading rates (2019).
"""

from collections.abc import Iterable, Mapping
from typing import Final

from tracejury.checks.check import Check, Finding, Judgement, Reference, Severity, Unit
from tracejury.checks.evidence import Evidence
from tracejury.store.reader import Row
from tracejury.telemetry.numbers import counted
from tracejury.workflow.diagnosis_effort import PUBLISHED, Around, around, effort, search_of
from tracejury.workflow.failure_points import FailedInstance, failure_points

_LIMIT_MINUTES: Final = 15.0

# The largest slow-down that was measured where logs lack evidence: a rationale, and no proof.
_AT_MOST: Final = 3.0

_TERMS: Final = {
    "find": "finding the trace",
    "localise": "ruling out candidates",
    "explain": "reading what happened",
    "dark": "calls not recorded on both sides",
    "entity": "finding out what it happened to",
}


def judge(evidence: Evidence) -> Judgement:
    """One unit a workflow that failed: the instances that take too long in any case."""
    failed = failure_points(evidence.reader)
    run = around(evidence.reader, failed)
    workflows = sorted({instance.workflow for instance in failed})
    times = {
        row["workflow"]: row for row in evidence.rows(_MEASURED) if row["workflow"] in workflows
    }
    units = tuple(
        _unit(_estimated(name, [one for one in failed if one.workflow == name], run), times)
        for name in workflows
    )
    is_measured = any(row["is_right"] for row in times.values())
    return Judgement(
        units,
        note=_note(failed, run) + _clock(evidence, times.values()) if failed else "",
        reason="estimated" if failed and not is_measured else "",
    )


def _unit(estimated: Unit, times: Mapping[str, Row]) -> Unit:
    """Add what was measured, if the root was right: one more occasion."""
    measured = times.get(estimated.name)
    if measured is None or not measured["is_right"]:
        return estimated
    found = estimated.findings
    if measured["minutes"] >= _LIMIT_MINUTES:
        said = (
            f"It took {measured['minutes']:.1f} minutes to find the root of `{estimated.name}`:"
            f" `{measured['step']}` of `{measured['service']}`."
        )
        place = Reference(measured["trace_id"], measured["span_id"])
        found = (Finding(said, subject=estimated.name, evidence=(place,)), *found)
    return Unit(estimated.name, estimated.exposures + 1, found)


def _estimated(workflow: str, failed: list[FailedInstance], run: Around) -> Unit:
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
                f"Of {counted(len(slow), 'failure')} of `{workflow}` nobody can find the cause"
                f" within {_LIMIT_MINUTES:.0f} minutes; `{worst.correlation_id}` takes"
                f" {minutes:.1f} at least.",
                subject=workflow,
                instance=worst.correlation_id,
                evidence=(Reference(trace_id, span_id),),
            ),
        ),
    )


def _note(failed: tuple[FailedInstance, ...], run: Around) -> str:
    costs = [effort(search_of(instance, run)) for instance in failed]
    worst = max(costs, key=lambda cost: sum(cost.values()))
    least = sum(worst.values())
    term = _TERMS[max(worst, key=lambda cause: worst[cause])]
    return (
        f"Estimated: at least {least:.1f} minutes, perhaps {_AT_MOST * least:.0f}, most of it"
        f" {term}."
    )


def _clock(evidence: Evidence, measured: Iterable[Row]) -> str:
    """Say what was measured, and whether something was there to start the clock."""
    said = "".join(
        f" Measured for `{row['workflow']}`: {row['minutes']:.1f} minutes"
        + ("." if row["is_right"] else ", and the root was wrong.")
        for row in measured
    )
    said = said or " Nobody measured it."
    silent = evidence.rows(_SILENT)[0]["silent"]
    return said + (" No alert fired in a fault, so the clock has no start." if silent else "")


# A search that no alert began has no time from the alert.
_MEASURED: Final = """
    SELECT
        instance.workflow, measured.minutes, measured.is_right, measured.service, measured.step,
        measured.trace_id, measured.span_id
    FROM measured_diagnosis AS measured
    JOIN trace ON lower(hex(trace.trace_id)) = measured.trace_id
    JOIN trace_instance USING (trace_no)
    JOIN workflow_instance AS instance USING (instance_no)
    WHERE measured.is_right IS NOT NULL
        AND measured.fault IN (SELECT fault_id FROM fault_alert)
    QUALIFY row_number() OVER (
        PARTITION BY instance.workflow
        ORDER BY measured.started_at DESC, measured.minutes DESC, measured.span_id
    ) = 1
    ORDER BY instance.workflow
"""

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
