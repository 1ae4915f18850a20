"""Write an audit as CSV for sheets: the verdict, then a row for each finding.

A check without findings has one row, for a check that is not listed would look as if it passed.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from itertools import chain
from numbers import Number

from tracejury.checks.check import Finding, Reference
from tracejury.report.answered import answered_in_full
from tracejury.report.campaign_rows import seen_in_words
from tracejury.report.headlines import verdict_sentence
from tracejury.report.words import VERDICTS
from tracejury.scorecard.result import Audit, CheckResult
from tracejury.telemetry.safe_text import safe_text

HEADER = (
    "check",
    "title",
    "severity",
    "task",
    "outcome",
    "reason",
    "exposures",
    "units",
    "units_exposed",
    "serves",
    "finding",
    "subject",
    "instance",
    "fault",
    "evidence",
    "remedy",
    "note",
)

# What makes a spreadsheet compute a cell; the wide forms do where input is East Asian.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")  # noqa: RUF001


def render_csv(audit: Audit) -> str:
    """Write every finding of the audit, and what became of every check."""
    blank = [""] * (len(HEADER) - 5)
    verdict = ("VERDICT", verdict_sentence(audit), "", "", VERDICTS[audit.verdict].text, *blank)
    answers = [
        (
            item.id,
            item.title,
            item.tier.value,
            "",
            item.outcome,
            *blank[:-1],
            answered_in_full(item.answer),
        )
        for item in audit.criteria
        if item.answer
    ]
    return csv_table(HEADER, chain([verdict], answers, *map(_rows, audit.checks)))


def csv_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write rows as RFC 4180 has it, lines ending in LF; no text becomes a formula."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(formula_safe(name) for name in header)
    for row in rows:
        writer.writerow(_cell(cell) for cell in row)
    return target.getvalue()


def formula_safe(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would take for a formula."""
    visible = safe_text(text)
    return f"'{visible}" if text.lstrip(" ").startswith(_FORMULA) else visible


def _cell(cell: object) -> object:
    return cell if cell is None or isinstance(cell, Number) else formula_safe(str(cell))


def _rows(check: CheckResult) -> Iterable[tuple[object, ...]]:
    for finding in check.findings or (Finding(message="", subject=""),):
        yield (
            check.id,
            check.title,
            check.severity.value,
            check.task,
            check.outcome,
            check.reason,
            check.exposures,
            check.units_total,
            check.units_exposed,
            " ".join(check.serves),
            finding.message,
            finding.subject,
            finding.instance,
            finding.fault,
            " ".join(_place(reference) for reference in finding.evidence),
            check.remedy,
            _notes(check),
        )


def _notes(check: CheckResult) -> str:
    said = (check.note, answered_in_full(check.answer), seen_in_words(check.seen))
    return " ".join(filter(None, said))


def _place(reference: Reference) -> str:
    # Joined by a slash, for a sheet reads an id of digits as a number and rounds it.
    if reference.log is not None:
        return f"log/{reference.log}"
    if reference.alert is not None:
        return f"alert/{reference.alert}"
    if reference.row is not None:
        return f"row/{reference.row}"
    return "/".join(filter(None, (reference.trace_id, reference.span_id)))
