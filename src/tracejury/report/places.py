"""Where a finding can be looked up, in a line: its workflow instance, its fault, its records."""

from tracejury.checks.check import Finding, Reference
from tracejury.report.drawing import and_more


def place(reference: Reference) -> str:
    """Name a record that a person can open."""
    parts = (("trace", reference.trace_id), ("span", reference.span_id))
    said = [f"{name} {value}" for name, value in parts if value]
    if reference.log is not None:
        said.append(f"log record {reference.log}")
    if reference.alert is not None:
        said.append(f"alert {reference.alert}")
    if reference.row is not None:
        said.append(f"state row in line {reference.row}")
    return " ".join(said)


def places(finding: Finding, most: int) -> list[str]:
    """Name what a finding speaks of and its first records."""
    about = (("workflow instance", finding.instance), ("fault", finding.fault))
    said = [f"{name} {value}" for name, value in about if value]
    said.extend(place(reference) for reference in finding.evidence[:most])
    more = and_more(most, len(finding.evidence))
    return [*said, more] if more else said
