"""Which tasks of the audit to take first: by the kind of system, and by six questions."""

from dataclasses import dataclass
from typing import Final, Literal

from tracejury.scorecard.result import Audit, Outcome

SYSTEM_TYPES: Final = {
    "media": ("AI or media pipeline", (3, 5, 4, 10)),
    "saas": ("SaaS", (9, 8, 6, 10)),
    "ecommerce": ("e-commerce", (5, 9, 3, 8)),
}

LONG_MS: Final = 30_000.0
LONG_DIAGNOSIS_MINUTES: Final = 30.0

Answer = Literal["yes", "no", "not observed"]


@dataclass(frozen=True, slots=True)
class Question:
    """One of the six questions, answered as far as telemetry tells."""

    asks: str
    answer: Answer
    seen: str
    tasks: tuple[int, ...]  # to take first, if the answer is yes


def questions(audit: Audit) -> tuple[Question, ...]:
    """The six questions in the template's order."""
    return (
        _long(audit),
        _paid(audit),
        _by_checks(audit, "Are stuck or lost jobs reported?", ("ST-01", "ST-09", "Q-01"), (9, 6)),
        _diagnosis(audit),
        _by_checks(audit, "Do whole batches fail on one item?", ("PAR-01",), (4, 7)),
        _queue(audit),
    )


def first_tasks(audit: Audit) -> tuple[int, ...]:
    """The tasks to take first: those of the declared kind of system, else of what was seen."""
    if audit.system_type in SYSTEM_TYPES:
        return SYSTEM_TYPES[audit.system_type][1]
    wanted = [task for q in questions(audit) if q.answer == "yes" for task in q.tasks]
    return tuple(dict.fromkeys(wanted))


def _long(audit: Audit) -> Question:
    slow = [w for w in audit.workflows if w.p95_ms is not None and w.p95_ms > LONG_MS]
    known = [w.p95_ms for w in audit.workflows if w.p95_ms is not None]
    longest = f"the slowest workflow has a p95 of {max(known) / 1000:.1f} s" if known else ""
    answer: Answer = "yes" if slow else "no" if known else "not observed"
    return Question("Do workflows take longer than 30 s?", answer, longest, (1, 3))


def _paid(audit: Audit) -> Question:
    calls = audit.external_calls
    names = sorted({t.target for t in calls.targets if t.is_external}) if calls else []
    seen = f"calls to {len(names):,} that send no telemetry; whether they cost, a person knows"
    return Question(
        "Are paid external APIs called?",
        "yes"
        if names
        else "no"
        if calls and calls.calls and not calls.unrecorded
        else "not observed",
        seen if names else "",
        (5, 7),
    )


def _by_checks(audit: Audit, asks: str, ids: tuple[str, ...], tasks: tuple[int, ...]) -> Question:
    outcomes: dict[str, Outcome] = {c.id: c.outcome for c in audit.checks if c.id in ids}
    relevant = [outcome for outcome in outcomes.values() if outcome != "not-applicable"]
    answer: Answer = "not observed"
    if "fail" in relevant:
        answer = "yes"
    elif relevant and all(outcome == "pass" for outcome in relevant):
        answer = "no"
    seen = ", ".join(f"{name} {outcome}" for name, outcome in outcomes.items())
    return Question(asks, answer, seen, tasks)


def _diagnosis(audit: Audit) -> Question:
    minutes = audit.diagnosis.minutes if audit.diagnosis else None
    asks = "Does debugging take longer than 30 minutes?"
    if minutes is None:
        return Question(asks, "not observed", "no failed instance to diagnose", (10,))
    seen = f"at least {minutes:.1f} minutes; nobody measured it"
    # The minutes are a lower bound: below the limit they say nothing.
    answer: Answer = "yes" if minutes > LONG_DIAGNOSIS_MINUTES else "not observed"
    return Question(asks, answer, seen, (10,))


def _queue(audit: Audit) -> Question:
    asks = "Is it queue-based?"
    if audit.queue is None:
        return Question(asks, "not observed", "no message was seen", (8,))
    seen = f"deliveries: {audit.queue.deliveries:,}, queues: {len(audit.queue.destinations):,}"
    return Question(asks, "yes", seen, (8,))
