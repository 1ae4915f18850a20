"""The words of reports, and the marks beside them: a mark never stands without its word."""

from dataclasses import dataclass
from typing import NamedTuple


class Word(NamedTuple):
    """How an outcome is written: a mark for the eye, a word for everyone, a colour beside both."""

    mark: str
    text: str
    style: str


@dataclass(frozen=True, slots=True)
class Mark:
    """An outcome in a table: mark and word, which a writer may colour."""

    outcome: str
    said: str = ""  # in place of the outcome's own word

    def __str__(self) -> str:
        known = OUTCOMES.get(self.outcome, Word("?", self.outcome.upper(), ""))
        return f"{known.mark} {self.said or known.text}"


OUTCOMES = {
    "pass": Word("✓", "PASS", "green"),
    "fail": Word("✗", "FAIL", "bold red"),
    "partial": Word("~", "PARTIAL", "yellow"),
    "not-observed": Word("?", "NOT OBSERVED", "yellow"),
    "not-applicable": Word("-", "NOT APPLICABLE", "dim"),
    "manual": Word("☐", "MANUAL", "cyan"),
    "error": Word("!", "ERROR", "bold magenta"),
    "not-run": Word("·", "NOT RUN", "dim"),
}

VERDICTS = {
    "PASS": Word("✓", "PASS", "bold green"),
    "FAIL": Word("✗", "FAIL", "bold red"),
    "PARTIAL": Word("~", "PARTIAL", "bold yellow"),
    "CANNOT_JUDGE": Word("?", "CANNOT JUDGE", "bold yellow"),
}

SEVERITY_STYLES = {"critical": "bold red", "high": "bold", "medium": "", "info": "dim"}

TASKS = {
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
EVIDENCE_TASK = "Evidence the audit rests on"

REASONS = {
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
    # Outcomes that are their own reason.
    "manual": "only a person can answer",
    "error": "the check itself failed; please report it",
}


def reason_sentence(reason: str) -> str:
    """Say why something was not observed; a code that nobody explained stands for itself."""
    return REASONS.get(reason, reason.replace("-", " ") or "no reason was recorded")


def task_title(task: int) -> str:
    """Name a task of the audit; checks of no task judge the evidence itself."""
    return TASKS.get(task, EVIDENCE_TASK)
