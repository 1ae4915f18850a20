"""How hard each fault and each workflow was to diagnose, as rows."""

from collections.abc import Iterator
from typing import NamedTuple

from tracejury.scorecard.difficulty import BLOCKERS, CAUSES
from tracejury.scorecard.result import Audit, Difficulty
from tracejury.telemetry.numbers import short

HEADER = (
    "At least",
    "Fault or workflow",
    "Candidates",
    "Most of it",
    "In the way",
    "Would save most",
    "Rank of the target",
)


class DifficultyRow(NamedTuple):
    """What HEADER says, in its order; '' where there is nothing to say."""

    minutes: str
    name: str
    candidates: str
    dearest: str
    blockers: str
    fix: str
    rank: str


def difficulty_rows(audit: Audit) -> list[DifficultyRow]:
    """Give a row for each fault, then one for each workflow that failed."""
    return [*_faults(audit), *_workflows(audit)]


def _faults(audit: Audit) -> Iterator[DifficultyRow]:
    for fault in audit.faults:
        if fault.difficulty is not None:
            # A target that is no suspect has no rank, which is worse than any.
            rank = str(fault.rank_of_target or "none") if fault.target else ""
            yield _row(f"fault {fault.id}", fault.difficulty, rank)


def _workflows(audit: Audit) -> Iterator[DifficultyRow]:
    if audit.diagnosis:
        for name, one in audit.diagnosis.by_workflow.items():
            yield _row(name, one, "")


def _row(name: str, one: Difficulty, rank: str) -> DifficultyRow:
    dearest = max(one.breakdown, key=lambda cause: one.breakdown[cause])
    fix = max(one.savings, key=lambda name: one.savings[name], default="")
    return DifficultyRow(
        f"{short(one.minutes)} min",
        name,
        f"{short(one.candidates)} by {one.basis}",
        f"{CAUSES.get(dearest, dearest)} {short(one.breakdown[dearest])}",
        "; ".join(BLOCKERS.get(blocker, blocker) for blocker in one.blockers),
        f"{fix}: {short(one.savings[fix])}" if fix else "",
        rank,
    )
