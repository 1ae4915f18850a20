"""What rests on the answer of a person, and of whom: every report says it."""

from tracejury.scorecard.result import Answer, Audit


def answers_of(audit: Audit) -> tuple[Answer, ...]:
    """The answers that decided something, those to criteria first."""
    said = [*(c.answer for c in audit.criteria), *(check.answer for check in audit.checks)]
    return tuple(answer for answer in said if answer)


def answered(answer: Answer | None) -> str:
    """Say who answered, and when; '' where nobody did."""
    return f"answered by {answer.who} on {answer.when}" if answer else ""


def answered_in_full(answer: Answer | None) -> str:
    """Say who answered, when and why; '' where nobody did."""
    return f"{answered(answer)}: {answer.why}" if answer else ""
