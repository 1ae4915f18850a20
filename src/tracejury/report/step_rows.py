"""What shortening a step would save, which budgets are held, and what nothing explains, as rows."""

from collections.abc import Sequence

from tracejury.report.numbers import duration
from tracejury.scorecard.result import Gap, GapLine, StepTiming
from tracejury.telemetry.numbers import percent

WHAT_IF_HEADER = ("Halved", "Gone", "Share", "Step", "Workflow")
LINE_SHOWN = 80

GAP_HEADER = ("Longest", "Times", "In all", "Step", "Between these log lines")
BUDGET_HEADER = ("Budget", "p95", "Over", "Spans", "Step", "Workflow")


def what_if_rows(steps: Sequence[StepTiming]) -> list[tuple[str, str, str, str, str]]:
    """Give what each step's own time costs its workflow, that of the largest share first."""
    saving = [step for step in steps if step.removed_saves_ms]
    saving.sort(key=lambda step: -(step.removed_saves_share or 0))
    return [
        (
            duration(step.halved_saves_ms),
            duration(step.removed_saves_ms),
            percent(step.removed_saves_share),
            f"{step.service} {step.name}",
            step.workflow,
        )
        for step in saving
    ]


def budget_rows(steps: Sequence[StepTiming]) -> list[tuple[str, str, str, str, str, str]]:
    """Give every step with a declared budget, the one that is most over it first."""
    budgeted = [step for step in steps if step.budget_ms is not None]
    budgeted.sort(key=lambda step: -(step.p95_ms or 0) / (step.budget_ms or 1))
    return [
        (
            duration(step.budget_ms),
            duration(step.p95_ms),
            f"{step.over_budget or 0:,}",
            f"{step.count:,}",
            f"{step.service} {step.name}",
            step.workflow,
        )
        for step in budgeted
    ]


def gap_rows(gaps: Sequence[Gap]) -> list[tuple[str, str, str, str, str]]:
    """Give the gaps of each step, with the log lines around the longest."""
    return [
        (
            duration(gap.longest_ms),
            f"{gap.times:,}",
            duration(gap.total_ms),
            f"{gap.service} {gap.name}",
            f"{_line(gap.before)} … {_line(gap.after)}",
        )
        for gap in gaps
    ]


def _line(line: GapLine | None) -> str:
    if line is None:
        return "(none)"
    return line.body if len(line.body) <= LINE_SHOWN else f"{line.body[:LINE_SHOWN]}…"
