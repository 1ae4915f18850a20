"""The audit's queue architecture table: nine aspects, each with what was seen, or the question."""

from dataclasses import dataclass
from typing import Final

from tracejury.scorecard.decidable import would_decide
from tracejury.scorecard.result import Audit, CheckResult, CutOffs, Outcome, QueueFacts
from tracejury.telemetry.numbers import counted

_ASPECTS: Final = (
    ("Persistence", "Q-01", "Do messages survive a restart of the broker?"),
    ("Delivery guarantee", "Q-04", "At most once, at least once, or exactly once?"),
    ("Visibility timeout", "Q-03", "What is configured, and how long is the longest job?"),
    ("Maximum of redeliveries", "Q-05", "After how many is a message put aside?"),
    ("Dead letter queue", "Q-05", "Where do poison messages go, and who looks there?"),
    ("Priority levels", "Q-07", "Which work goes first?"),
    ("Backpressure", "Q-06", "What happens when more comes than is worked off?"),
    ("Monitoring", "Q-08", "Are depth, rate and error rate stored as metrics?"),
    ("Alerting", "OBS-12", "Who is told of a growing queue, dead letters, no workers?"),
)


@dataclass(frozen=True, slots=True)
class QueueAspect:
    """One row of the table. `question` is for a person, where nothing decided it."""

    aspect: str
    seen: str
    outcome: Outcome
    check: str
    question: str
    would_decide: str


def queue_table(audit: Audit) -> tuple[QueueAspect, ...]:
    """Give the nine aspects; none where nothing was judged."""
    if not audit.checks:
        return ()
    checks = {check.id: check for check in audit.checks}
    visibility = next((row for row in audit.cut_offs if row.id == "visibility"), None)
    seen = _seen(audit.queue, visibility) if audit.queue else {}
    return tuple(
        _row(aspect, name, question, checks.get(name), seen.get(aspect, ""))
        for aspect, name, question in _ASPECTS
    )


def _row(
    aspect: str, name: str, question: str, check: CheckResult | None, seen: str
) -> QueueAspect:
    outcome: Outcome = check.outcome if check else "not-observed"
    is_open = outcome not in ("pass", "fail", "not-applicable")
    if check and check.outcome == "fail" and check.findings:
        seen = "; ".join(filter(None, (seen, check.findings[0].message)))
    return QueueAspect(
        aspect=aspect,
        seen=seen or (check.note if check and not is_open else ""),
        outcome=outcome,
        check=name,
        question=question if is_open else "",
        would_decide=would_decide(check) if check else "",
    )


def _seen(facts: QueueFacts, visibility: CutOffs | None) -> dict[str, str]:
    """What was counted, by aspect."""
    most = facts.most_deliveries
    earliest = visibility.shortest_s if visibility else None
    again = "came again, the first delivery not stored"
    once = f"{facts.redelivered:,} {again}" if facts.redelivered else "none came again"
    return {
        "Persistence": f"{facts.unprocessed:,} of {counted(facts.sent, 'message')} not seen to be"
        " processed",
        "Delivery guarantee": f"{facts.redelivered:,} of {facts.deliveries:,} came again",
        "Visibility timeout": ""
        if earliest is None
        else f"delivered again after {earliest:.1f} s at the earliest",
        "Maximum of redeliveries": f"one message was delivered {counted(most, 'time')}"
        if most > 1
        else once,
        "Dead letter queue": ", ".join(facts.dead_letters) or "no destination of such a name",
    }
