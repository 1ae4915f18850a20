"""The words of reports in their colours, which add nothing but colour."""

from dataclasses import dataclass

from tracejury.scorecard import words
from tracejury.scorecard.words import styled, word_of

OUTCOMES = styled(
    words.OUTCOMES,
    {
        "pass": "green",
        "fail": "bold red",
        "partial": "yellow",
        "not-observed": "yellow",
        "not-applicable": "dim",
        "manual": "cyan",
        "error": "bold magenta",
        "not-run": "dim",
    },
)

VERDICTS = styled(
    words.VERDICTS,
    {
        "PASS": "bold green",
        "FAIL": "bold red",
        "PARTIAL": "bold yellow",
        "CANNOT_JUDGE": "bold yellow",
    },
)

SEVERITY_STYLES = {"critical": "bold red", "high": "bold", "medium": "", "info": "dim"}


@dataclass(frozen=True, slots=True)
class Mark:
    """An outcome in a table: mark and word, which a writer may colour."""

    outcome: str
    said: str = ""  # in place of the outcome's own word

    def __str__(self) -> str:
        known = word_of(OUTCOMES, self.outcome)
        return f"{known.mark} {self.said or known.text}"
