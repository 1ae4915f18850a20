"""What an audit says, counted: by task, by tier, by reason. Every writer counts the same way."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tracejury.checks.check import Severity
from tracejury.report.words import OUTCOMES
from tracejury.scorecard.result import Audit, CheckResult, Criterion, Outcome
from tracejury.scorecard.words import TASKS, task_title

SEVERITIES = tuple(Severity)
UNDECIDED: tuple[Outcome, ...] = ("not-observed", "manual", "error")


@dataclass(frozen=True, slots=True)
class TaskTally:
    """The checks of one task of the audit and what became of them together."""

    task: int  # 0: the evidence itself
    title: str
    checks: tuple[CheckResult, ...]

    @property
    def counts(self) -> Counter[Outcome]:
        """How many checks have each outcome."""
        return Counter(check.outcome for check in self.checks)

    @property
    def outcome(self) -> Outcome:
        """What became of the checks together."""
        return together(self.counts)

    @property
    def open(self) -> int:
        """How many checks nothing decided."""
        return sum(self.counts[outcome] for outcome in UNDECIDED)


def tasks(audit: Audit) -> list[TaskTally]:
    """Count the ten tasks in order, and last the evidence where checks judge it."""
    of_task: dict[int, list[CheckResult]] = {task: [] for task in (*TASKS, 0)}
    for check in audit.checks:
        of_task[check.task if check.task in TASKS else 0].append(check)
    return [
        TaskTally(task, task_title(task), tuple(checks))
        for task, checks in of_task.items()
        if task or checks
    ]


def together(counts: Counter[Outcome]) -> Outcome:
    """Roll up as everywhere: one failure fails all, and nothing undecided ever passes."""
    if counts["fail"]:
        return "fail"
    if any(counts[outcome] for outcome in UNDECIDED) or not counts.total():
        return "not-observed"
    return "pass" if counts["pass"] else "not-applicable"


def failing(audit: Audit) -> list[CheckResult]:
    """Give the checks that fail, the most severe first."""
    failed = [check for check in audit.checks if check.outcome == "fail"]
    return sorted(failed, key=lambda check: SEVERITIES.index(check.severity))


def undecided(audit: Audit) -> dict[str, list[CheckResult]]:
    """Give the checks that nothing decided by reason, the most frequent reason first.

    What a person must answer stands under `manual`, what broke under `error`.
    """
    groups: dict[str, list[CheckResult]] = {}
    for check in audit.checks:
        if check.outcome in UNDECIDED:
            groups.setdefault(undecided_reason(check), []).append(check)
    return dict(sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])))


def undecided_reason(check: CheckResult) -> str:
    """Give the code of why nothing decided it; `manual` and `error` are their own."""
    return check.reason if check.outcome == "not-observed" else check.outcome


def outcomes_counted(criteria: Iterable[Criterion], tier: Severity | None = None) -> str:
    """Count the outcomes of criteria, of one tier or of all: `3 pass, 1 fail`."""
    counts = Counter[str](
        criterion.outcome for criterion in criteria if tier is None or criterion.tier == tier
    )
    parts = [f"{counts[o]} {known.text.lower()}" for o, known in OUTCOMES.items() if counts[o]]
    return ", ".join(parts) or "none"
