"""How hard the failures are to diagnose from what was recorded: candidates and minutes."""

from tracejury.scorecard.difficulty import by_workflow, of_instances
from tracejury.scorecard.result import Diagnosis
from tracejury.store.reader import Reader
from tracejury.workflow.diagnosis_effort import around
from tracejury.workflow.failure_points import failure_points
from tracejury.workflow.stopwatch import Measurement


def diagnosis(reader: Reader, measured: tuple[Measurement, ...] = ()) -> Diagnosis:
    """The mean over the failed workflow instances; no estimate without a failure."""
    failed = failure_points(reader)
    run = around(reader, failed)
    whole = of_instances(failed, run)
    if whole is None:
        return Diagnosis(None, None, {}, {}, 0, measured)
    effective = [instance.effective for instance in failed if instance.candidates]
    return Diagnosis(
        candidates=sum(effective) / len(effective) if effective else None,
        minutes=whole.minutes,
        breakdown=whole.breakdown,
        savings=whole.savings,
        failed_instances=len(failed),
        measured=measured,
        by_workflow=by_workflow(failed, run),
    )
