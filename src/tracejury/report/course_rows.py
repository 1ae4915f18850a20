"""How each workflow fared before, during and after each fault, and how soon it was noticed."""

from collections.abc import Iterator

from tracejury.report.numbers import duration
from tracejury.scorecard.result import FaultResult
from tracejury.telemetry.numbers import percent

HEADER = ("Fault", "Workflow", "Instances", "Success", "p95", "Since")


def course_rows(faults: tuple[FaultResult, ...]) -> Iterator[tuple[str, str, str, str, str, str]]:
    """Give a row for each fault and workflow; three figures are before, during and after."""
    for fault in faults:
        for course in fault.workflows:
            shares = (percent(share) if share is not None else "-" for share in course.success)
            yield (
                fault.id,
                course.workflow,
                " → ".join(f"{count:,}" for count in course.instances),
                " → ".join(shares),
                " → ".join(map(duration, course.p95_ms)),
                course.became,
            )


def noticed(fault: FaultResult) -> str:
    """Say how soon a fault was seen: by an alert, and by the first error that was recorded."""
    alert, error = fault.detected_after_s, fault.first_error_after_s
    said = "no alert seen" if alert is None else f"alert after {duration(1000 * alert)}"
    return said + ("" if error is None else f", first error after {duration(1000 * error)}")
