"""What outcomes, verdicts, reasons and tasks are called, in every report and on every screen."""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Word(NamedTuple):
    """How something is written: a mark for the eye, a word for everyone, a style beside both.

    A mark never stands without its word, and no meaning hangs on a colour alone.
    """

    mark: str
    text: str
    style: str = ""


OUTCOMES: Final = {
    "pass": Word("✓", "PASS"),
    "fail": Word("✗", "FAIL"),
    "partial": Word("~", "PARTIAL"),
    "not-observed": Word("?", "NOT OBSERVED"),
    "not-applicable": Word("-", "NOT APPLICABLE"),
    "manual": Word("☐", "MANUAL"),
    "error": Word("!", "ERROR"),
    "not-run": Word("·", "NOT RUN"),
}

VERDICTS: Final = {
    "PASS": Word("✓", "PASS"),
    "FAIL": Word("✗", "FAIL"),
    "PARTIAL": Word("~", "PARTIAL"),
    "CANNOT_JUDGE": Word("?", "CANNOT JUDGE"),
}

TASKS: Final = {
    1: "Map every long-running workflow",
    2: "Identify high-risk steps",
    3: "Timeout behaviour",
    4: "Partial completion",
    5: "Retry safety",
    6: "Resume behaviour",
    7: "Sequential-loop safeguards",
    8: "Queue resilience",
    9: "State accuracy",
    10: "Observability",
}
EVIDENCE_TASK: Final = "Evidence the audit rests on"

REASONS: Final = {
    "no-exposure": "nothing was seen that puts it to the test",
    "sampled": "traces were sampled, or may have been, so what is absent proves nothing",
    "dropped": "telemetry was dropped on the way",
    "unsettled": "the run ended too soon to tell, or spans may still arrive",
    "uninstrumented": "nothing tells of what it judges",
    "no-item-identity": "no attribute names the item that was worked on",
    "no-correlation": "no correlation ID joins the records of a workflow",
    "needs-declaration": "it needs a declaration in tracejury.toml or the fault file",
    "needs-baseline": "it needs the telemetry of a clean run",
    "export-lag": "what a killed process had not sent yet may be missing",
    "estimated": "there are only statistical signs of it",
    "units": "only some of what it names was tested",
    # Outcomes that are their own reason.
    "manual": "only a person can answer",
    "error": "the check itself failed; please report it",
}


def styled(words: Mapping[str, Word], styles: Mapping[str, str]) -> dict[str, Word]:
    """Give each of `words` the style of its name."""
    return {name: word._replace(style=styles[name]) for name, word in words.items()}


def word_of(words: Mapping[str, Word], name: str) -> Word:
    """Give the word of `name`; one that this version does not know stands for itself."""
    return words.get(name) or Word("?", name.upper())


def reason_sentence(reason: str) -> str:
    """Say why something was not observed; a code that nobody explained stands for itself."""
    return REASONS.get(reason, reason.replace("-", " ") or "no reason was recorded")


def task_title(task: int) -> str:
    """Name a task of the audit; checks of no task judge the evidence itself."""
    return TASKS.get(task, EVIDENCE_TASK)
