"""The audit template's findings by severity, what is not observed, and what to mend first."""

from collections.abc import Callable
from itertools import groupby

from tracejury.checks.check import Finding
from tracejury.report.drawing import and_more
from tracejury.report.places import places
from tracejury.report.section import Entry, Group, Item, Section, Table
from tracejury.report.tally import failing, undecided
from tracejury.scorecard.decidable import would_decide
from tracejury.scorecard.remediation import WHEN, remedies
from tracejury.scorecard.result import Audit, CheckResult
from tracejury.scorecard.words import reason_sentence
from tracejury.telemetry.numbers import counted, points

FINDINGS_SHOWN = 20
REFERENCES_SHOWN = 5


def _findings(audit: Audit) -> Section:
    groups = groupby(failing(audit), key=lambda check: check.severity)
    return Section(
        "findings",
        "Findings by severity",
        groups=tuple(
            Group(f"{severity.upper()}: {WHEN[severity]}", tuple(map(_entry, checks)))
            for severity, checks in groups
        ),
    )


def _entry(check: CheckResult) -> Entry:
    units = f"{check.units_exposed} of {counted(check.units_total, 'unit')} exposed"
    serves = f" Serves: {', '.join(check.serves)}." if check.serves else ""
    items = [_item(finding) for finding in check.findings[:FINDINGS_SHOWN]]
    if more := and_more(FINDINGS_SHOWN, len(check.findings)):
        items.append(Item(f"{more}: --format json has all"))
    return Entry(
        title=f"{check.id} {check.title}",
        about=f"{units}, {counted(check.exposures, 'exposure')}.{serves}",
        items=tuple(items),
        note=check.note,
        remedy=check.remedy,
    )


def _item(finding: Finding) -> Item:
    return Item(finding.message, tuple(places(finding, REFERENCES_SHOWN)))


def _remediation(audit: Audit) -> Section:
    rows = tuple(
        (
            f"{remedy.check.id} {remedy.check.title}",
            remedy.check.severity.upper(),
            remedy.when,
            f"{remedy.effort}: {remedy.why}",
            f"+{points(remedy.recovers)}",
            remedy.check.remedy,
        )
        for remedy in remedies(audit)
    )
    return Section(
        "remediation",
        "Remediation",
        says=(
            "By the score that each recovers, and of equals the smaller first. Effort is the usual"
            " size of such a change (S: a place, M: a component, L: a design); who knows the code"
            " knows better.",
        ),
        tables=(
            Table(
                "What to mend",
                ("Check", "Severity", "When", "Effort, and why", "Score recovered", "Remedy"),
                rows,
            ),
        ),
    )


def _undecided(audit: Audit) -> Section:
    rows = tuple(
        (
            f"{check.id} {check.title}",
            check.severity.upper(),
            f"{reason}: {reason_sentence(reason)}",
            f"{check.units_exposed} of {check.units_total}" if check.units_total else "",
            would_decide(check),
            check.note,
        )
        for reason, checks in undecided(audit).items()
        for check in checks
    )
    header = ("Check", "Severity", "Why it cannot be told", "Units exposed")
    return Section(
        "undecided",
        "Not observed, and what would decide it",
        says=("None of this passed, and none of it failed.",),
        tables=(Table("What nothing decided", (*header, "What would decide it", "Notes"), rows),),
    )


FINDINGS: tuple[Callable[[Audit], Section], ...] = (_findings, _remediation)
UNDECIDED: tuple[Callable[[Audit], Section], ...] = (_undecided,)
