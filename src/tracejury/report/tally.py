"""What an audit says, counted: by task, by tier, by reason. Every writer counts the same way."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tracejury.checks.check import Severity
from tracejury.report.words import OUTCOMES, TASKS, task_title
from tracejury.scorecard.result import Audit, CheckResult, Criterion, Outcome

SEVERITIES = tuple(Severity)
UNDECIDED: tuple[Outcome, ...] = ("not-observed", "manual", "error")


@dataclass(frozen=True, slots=True)
class TaskTally:
    """The checks of one task of the audit and what became of them together."""

    task: int  # 0: the evidence itself
    title: str
    outcome: Outcome
    counts: Counter[Outcome]

    @property
    def open(self) -> int:
        """How many checks nothing decided."""
        return sum(self.counts[outcome] for outcome in UNDECIDED)


def tasks(audit: Audit) -> list[TaskTally]:
    """Count the ten tasks in order, and last the evidence where checks judge it."""
    counts: dict[int, Counter[Outcome]] = {task: Counter() for task in (*TASKS, 0)}
    for check in audit.checks:
        counts[check.task if check.task in TASKS else 0][check.outcome] += 1
    return [
        TaskTally(task, task_title(task), together(count), count)
        for task, count in counts.items()
        if task or count
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
            reason = check.reason if check.outcome == "not-observed" else check.outcome
            groups.setdefault(reason, []).append(check)
    return dict(sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])))


def outcomes_counted(criteria: Iterable[Criterion], tier: Severity | None = None) -> str:
    """Count the outcomes of criteria, of one tier or of all: `3 pass, 1 fail`."""
    counts = Counter[str](
        criterion.outcome for criterion in criteria if tier is None or criterion.tier == tier
    )
    parts = [f"{counts[o]} {known.text.lower()}" for o, known in OUTCOMES.items() if counts[o]]
    return ", ".join(parts) or "none"
