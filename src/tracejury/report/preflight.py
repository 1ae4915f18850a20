"""Write the outlook of every check before a chaos run: what would help, then check by check."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import RenderableType

from tracejury import __version__
from tracejury.report.drawing import bullet, grid, heading, joined, text
from tracejury.report.json import json_text
from tracejury.report.terminal import PLAIN, Terminal, draw
from tracejury.scorecard.foresight.conditions import Condition
from tracejury.scorecard.foresight.key_candidates import Candidate
from tracejury.scorecard.foresight.preflight import Outlook, Preflight, Standing
from tracejury.telemetry.numbers import counted

SCHEMA: Final = "tracejury.preflight/1"

_STANDINGS: Final[dict[Standing, str]] = {
    "blocked": "Could not decide before something changes",
    "fault": "Could decide once a fault is injected",
    "later": "Could decide later",
    "person": "A person must answer",
    "decided": "Decide already",
    "absent": "Do not apply",
}


def render_preflight(
    outlook: Preflight,
    format: str,  # noqa: A002
    *,
    inputs: Sequence[str],
    terminal: Terminal = PLAIN,
) -> str:
    """`json` as docs/preflight.schema.json has it; `text` for people."""
    if format == "json":
        return json_text(_document(outlook, inputs))
    return draw(_parts(outlook), terminal)


def _document(outlook: Preflight, inputs: Sequence[str]) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "tracejury": __version__,
        "inputs": list(inputs),
        "conditions": [
            {
                "id": condition.need.value,
                "met": condition.met,
                "seen": condition.seen,
                "change": condition.change if condition.met is False else "",
                "checks_waiting": waiting,
                "candidates": [_candidate(found) for found in condition.candidates],
            }
            for condition, waiting in outlook.conditions
        ],
        "checks": [_check(check) for check in outlook.checks],
    }


def _candidate(found: Candidate) -> dict[str, object]:
    return {"key": found.key, "covered": found.covered, "of": found.of}


def _check(check: Outlook) -> dict[str, object]:
    return {
        "id": check.result.id,
        "title": check.result.title,
        "severity": check.result.severity.value,
        "could_decide": check.could_decide,
        "standing": check.standing,
        "line": check.line,
        "needs": [need.value for need in check.needs],
        "faults": [
            {"kind": stress.kind, "targets": [target.name for target in hit]}
            for stress, hit in check.faults
        ],
        "today": {"outcome": check.result.outcome, "reason": check.result.reason},
    }


def _parts(outlook: Preflight) -> Iterator[RenderableType]:
    able = sum(check.could_decide for check in outlook.checks)
    yield joined(
        text(
            f"{able} of {counted(len(outlook.checks), 'check')} could decide with this telemetry.",
            "bold",
        )
    )
    if outlook.unmet:
        yield heading("What would help", "and how many checks wait for it")
        yield grid(
            [
                (condition.need.value, str(waiting), condition.change)
                for condition, waiting in outlook.unmet
            ],
            right=(1,),
        )
    yield from _candidates(outlook)
    yield heading("What the telemetry carries")
    for condition, _ in outlook.conditions:
        yield bullet(_mark(condition), joined(condition.need.value, condition.seen, separator="  "))
    yield from _checks(outlook)


def _mark(condition: Condition) -> str:
    return {True: "✓", False: "✗", None: "?"}[condition.met]


def _candidates(outlook: Preflight) -> Iterator[RenderableType]:
    rows = [
        (condition.need.value, found.key, f"{found.covered:,} of {found.of:,}")
        for condition, _ in outlook.conditions
        for found in condition.candidates
    ]
    if rows:
        yield heading("Keys that may be meant", "and how many carry them")
        yield grid(rows)


def _checks(outlook: Preflight) -> Iterator[RenderableType]:
    for standing, title in _STANDINGS.items():
        checks = [check for check in outlook.checks if check.standing == standing]
        if checks:
            yield heading(title, str(len(checks)))
            yield grid([(check.result.id, _said(check)) for check in checks])


def _said(check: Outlook) -> str:
    if check.result.answer is not None:
        return f"{check.result.title}: {check.line}"
    if check.standing == "decided":
        return f"{check.result.title}: {check.result.outcome}"
    if check.needs:
        return f"{check.result.title}: waits for {', '.join(check.needs)}"
    return check.line
