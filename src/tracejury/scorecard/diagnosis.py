"""How hard the failures are to diagnose from what was recorded: candidates and minutes."""

import math
from statistics import mean

from tracejury.scorecard.result import Diagnosis
from tracejury.store.reader import Reader
from tracejury.workflow.diagnosis_effort import effort, ideal
from tracejury.workflow.failure_points import failure_points
from tracejury.workflow.stopwatch import Measurement


def diagnosis(reader: Reader, measured: tuple[Measurement, ...] = ()) -> Diagnosis:
    """The mean over the failed workflow instances; no estimate without a failure."""
    failed = failure_points(reader)
    if not failed:
        return Diagnosis(None, None, {}, {}, 0, measured)
    costs = [effort(instance) for instance in failed]
    causes = {cause: mean(cost[cause] for cost in costs) for cause in costs[0]}
    effective = [instance.effective for instance in failed if instance.candidates]
    return Diagnosis(
        candidates=mean(effective) if effective else None,
        minutes=sum(causes.values()),
        breakdown=causes,
        savings=_savings(causes),
        failed_instances=len(failed),
        measured=measured,
    )


def _savings(causes: dict[str, float]) -> dict[str, float]:
    """Minutes that each fix would save, for those that would save any."""
    least = ideal()
    fixes = {
        "one failure point instead of several": causes["localise"] - least["localise"],
        "specific error types and messages": causes["explain"] - least["explain"],
        "instrument the callee at a dark boundary": causes["dark"],
        "put the entity's id on the failing span": causes["entity"],
    }
    return {fix: saved for fix, saved in fixes.items() if saved > 0.05 and not math.isnan(saved)}
