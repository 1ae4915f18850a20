"""A campaign of several runs in rows: the runs, and from which of them each outcome is."""

from collections.abc import Iterator

from tracejury.report.words import VERDICTS
from tracejury.scorecard.result import Audit, Seen
from tracejury.telemetry.numbers import percent, points

RUNS = ("Until (UTC)", "Run", "Verdict", "Score", "Coverage", "Completeness", "Spans", "Faults")
EVIDENCE = ("Test or criterion", "Asks", "Outcome", "Evidence of (UTC)", "Run")


def run_rows(audit: Audit) -> list[tuple[str, ...]]:
    """Give every run, the newest first."""
    return [
        (
            _minute(run.ran.last if run.ran else ""),
            ", ".join(run.inputs),
            VERDICTS[run.verdict].text,
            "-" if run.score is None else points(run.score),
            percent(run.coverage),
            percent(run.completeness),
            f"{run.trust.spans:,}",
            ", ".join(run.faults) or "none",
        )
        for run in audit.runs
    ]


def evidence_rows(audit: Audit) -> Iterator[tuple[str, str, str, str, str]]:
    """Give every test and criterion that a run decided: what it is, its outcome, when and where."""
    if audit.runs:
        for test in audit.tests:
            if test.seen:
                yield test.id, test.title, test.outcome, when_seen(test.seen), test.seen.run
        for found in audit.criteria:
            if found.seen:
                yield found.id, found.title, found.outcome, when_seen(found.seen), found.seen.run


def seen_in_words(seen: Seen | None) -> str:
    """Say where evidence is from; '' where only one run was judged."""
    return f"evidence of {when_seen(seen)} in {seen.run}" if seen else ""


def when_seen(seen: Seen) -> str:
    """Say when the run of some evidence ended, and whether that is long ago."""
    return f"{_minute(seen.when)}{' STALE' if seen.is_stale else ''}"


def _minute(moment: str) -> str:
    """Shorten RFC 3339 in UTC to the minute."""
    return moment[:16].replace("T", " ") or "unknown"
