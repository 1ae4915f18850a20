"""The words of the screens in the theme's colours, on which no meaning hangs alone."""

from typing import Final

from tracejury.scorecard import words
from tracejury.scorecard.words import Word, styled, word_of

OUTCOMES: Final = styled(
    words.OUTCOMES,
    {
        "pass": "$text-success",
        "fail": "bold $text-error",
        "partial": "$text-warning",
        "not-observed": "$text-warning",
        "not-applicable": "$text-muted",
        "manual": "$text-accent",
        "error": "bold $text-error",
        "not-run": "$text-muted",
    },
)

VERDICTS: Final = styled(
    words.VERDICTS,
    {
        "PASS": "bold $text-success",
        "FAIL": "bold $text-error",
        "PARTIAL": "bold $text-warning",
        "CANNOT_JUDGE": "bold $text-warning",
    },
)


def outcome_word(outcome: str) -> Word:
    """How an outcome is written; one that this version does not know stands for itself."""
    return word_of(OUTCOMES, outcome)
