"""The words of the screens, and the marks beside them: no meaning hangs on a colour alone."""

from typing import Final, NamedTuple


class Word(NamedTuple):
    """How something is written: a mark for the eye, a word for everyone, a style beside both."""

    mark: str
    text: str
    style: str


OUTCOMES: Final = {
    "pass": Word("✓", "PASS", "$text-success"),
    "fail": Word("✗", "FAIL", "bold $text-error"),
    "partial": Word("~", "PARTIAL", "$text-warning"),
    "not-observed": Word("?", "NOT OBSERVED", "$text-warning"),
    "not-applicable": Word("-", "NOT APPLICABLE", "$text-muted"),
    "manual": Word("☐", "MANUAL", "$text-accent"),
    "error": Word("!", "ERROR", "bold $text-error"),
    "not-run": Word("·", "NOT RUN", "$text-muted"),
}

VERDICTS: Final = {
    "PASS": Word("✓", "PASS", "bold $text-success"),
    "FAIL": Word("✗", "FAIL", "bold $text-error"),
    "PARTIAL": Word("~", "PARTIAL", "bold $text-warning"),
    "CANNOT_JUDGE": Word("?", "CANNOT JUDGE", "bold $text-warning"),
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
    0: "Evidence the audit rests on",
}

REASONS: Final = {
    "no-exposure": "nothing was seen that puts it to the test",
    "sampled": "the traces were sampled, so what is absent proves nothing",
    "dropped": "telemetry was dropped on the way",
    "unsettled": "spans may still arrive",
    "uninstrumented": "what it judges sends no telemetry",
    "no-item-identity": "no attribute names the item that was worked on",
    "no-correlation": "no correlation ID joins the records of a workflow",
    "needs-declaration": "it needs a declaration in tracejury.toml or the fault file",
    "needs-baseline": "it needs the telemetry of a clean run",
    "export-lag": "the exporter sends too late to tell",
    "estimated": "there are only statistical signs of it",
    "units": "only some of what it names was tested",
}


def outcome_word(outcome: str) -> Word:
    """How an outcome is written; one that this version does not know stands for itself."""
    return OUTCOMES.get(outcome) or Word("?", outcome.upper(), "")
