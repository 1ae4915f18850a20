"""Steps with a high risk, and what only a person knows of them.

What: Each step is rated from what was seen of it: whether it calls somebody outside, takes longer
than 10 s, changes something, runs in a loop, gets no answer that is recorded, failed and was never
tried again or given up. Its risk is impact times the sum of probability and difficulty of
detection, each from 1 to 3: 12 and more is CRITICAL, 9 and more HIGH. How often it fails is counted
outside of injected faults. Whether it takes what users type, and whether it can be undone, no
telemetry says, so nothing passes and nothing fails here.

Why: The steps with the highest risk are the ones to inject faults into first.

Fix: Go through the list with those who own the steps, and test from the top.

Source: the audit's second task: high-risk step indicators and risk matrix; the bounds of each
factor are assumed.
"""

from typing import Final

from tracejury.checks.check import Check, Judgement, Severity, Unit
from tracejury.checks.evidence import Evidence
from tracejury.workflow.step_risk import StepRisk, step_risks, workflow_ranks

_LISTED: Final = 10


def judge(evidence: Evidence) -> Judgement:
    """One unit a step: how often it ran."""
    steps = step_risks(evidence.reader)
    units = tuple(Unit(f"{step.service} {step.name} ({step.kind})", step.spans) for step in steps)
    return Judgement(units, note=_note(steps), reason="needs-declaration" if steps else "")


def _note(steps: tuple[StepRisk, ...]) -> str:
    flagged = tuple(step for step in steps if step.flags)
    said = [
        f"{step.rank} {step.risk} `{step.name}` of {step.service} ({', '.join(step.flags)})."
        for step in flagged[:_LISTED]
    ]
    if len(flagged) > _LISTED:
        said.append(f"And {len(flagged) - _LISTED} more.")
    worst = workflow_ranks(flagged)
    if worst:
        ranks = [f"`{name}` {worst[name].rank}" for name in sorted(worst)[:_LISTED]]
        said.append(f"Workflows by their worst step: {', '.join(ranks)}.")
    return " ".join(said)


CHECK = Check(
    id="INV-03",
    title="High-risk steps are flagged",
    severity=Severity.INFO,
    task=2,
    serves=(),
    judge=judge,
    remedy="Go through the list with those who own the steps, and test from the top.",
)
