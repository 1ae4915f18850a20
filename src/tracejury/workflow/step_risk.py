"""How risky each step of a workflow is, by what was seen of it: the audit's risk matrix."""

from dataclasses import dataclass
from typing import Final, Literal

from tracejury.store.reader import Reader, Row

Rank = Literal["CRITICAL", "HIGH", "MEDIUM"]

FORMULA: Final = "risk = impact * (failure probability + detection difficulty), each from 1 to 3"


@dataclass(frozen=True, slots=True)
class StepRisk:
    """One step. The factors are from 1 to 3; `flags` are the high-risk indicators seen."""

    service: str
    name: str
    kind: str
    workflows: tuple[str, ...]
    spans: int
    impact: int
    probability: int
    difficulty: int
    flags: tuple[str, ...]

    @property
    def risk(self) -> int:
        """From 2 to 18."""
        return self.impact * (self.probability + self.difficulty)

    @property
    def rank(self) -> Rank:
        """The risk in a word."""
        if self.risk >= 12:
            return "CRITICAL"
        return "HIGH" if self.risk >= 9 else "MEDIUM"


def step_risks(reader: Reader) -> tuple[StepRisk, ...]:
    """Every step of a workflow, the one with the highest risk first."""
    rows = reader.rows("FROM step_risk ORDER BY risk DESC, service, name, kind")
    return tuple(
        StepRisk(
            service=row["service"],
            name=row["name"],
            kind=row["kind"],
            workflows=tuple(row["workflows"]),
            spans=row["spans"],
            impact=row["impact"],
            probability=row["probability"],
            difficulty=row["difficulty"],
            flags=tuple(_flags(row)),
        )
        for row in rows
    )


def workflow_ranks(risks: tuple[StepRisk, ...]) -> dict[str, StepRisk]:
    """The worst step of each workflow, by the workflow's name."""
    worst: dict[str, StepRisk] = {}
    for step in risks:
        for workflow in step.workflows:
            if workflow not in worst or step.risk > worst[workflow].risk:
                worst[workflow] = step
    return worst


def _flags(row: Row) -> list[str]:
    failed = f"failed {row['usual_failures']} of {row['usual']}" if row["usual_failures"] else ""
    flags = {
        "external": row["is_external"],
        "changes something": row["is_mutating"],
        "over 10 s": row["is_long"],
        "in a loop": row["is_in_loop"],
        "no answer seen": row["is_unanswered"],
        failed: bool(failed),
        "never tried again": row["is_untried"],
        "no timeout seen": row["is_untimed"],
    }
    return [flag for flag, is_set in flags.items() if is_set]
