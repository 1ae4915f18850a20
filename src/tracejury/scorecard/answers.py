"""What persons answer where telemetry cannot tell: read from a file, and put into a result.

An answer decides a criterion or a check that is manual or not observed. What telemetry decided it
never changes: a failure stays a failure, and a pass rests on what was seen.
"""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from tracejury.checks.catalogue import CATALOGUE
from tracejury.errors import InputError
from tracejury.scorecard.audit_items import CRITERIA
from tracejury.scorecard.result import Answer, CheckResult, Criterion

_OUTCOMES: Final = ("pass", "fail", "not-applicable")
_KEYS: Final = ("outcome", "why", "who", "when")
_IDS: Final = (*(name for name, _ in CRITERIA), *(entry.id for entry in CATALOGUE))
_OPEN: Final = ("manual", "not-observed")
_EXAMPLE: Final = (
    'Write [answers."CRITICAL-5"] with outcome = "pass", why = "...", who = "..." and'
    " when = 2026-01-31."
)


def read_answers(path: Path) -> tuple[Answer, ...]:
    """The answers in the TOML file at `path`. Raises `InputError` that names the one at fault."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}.", next_step="Name the file of answers."
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid TOML: {error}.", next_step=_EXAMPLE) from error
    for key in document:
        _one_of(key, ("answers",), f"{path} has an unknown section")
    entries = document.get("answers")
    if not isinstance(entries, Mapping) or not entries:
        raise InputError(f"{path} has no answers.", next_step=_EXAMPLE)
    return tuple(_answer(name, entry, path) for name, entry in entries.items())


def answer_checks(
    checks: tuple[CheckResult, ...], answers: Iterable[Answer]
) -> tuple[CheckResult, ...]:
    """The checks, of which those that are open are decided by their answer."""
    known = {answer.id: answer for answer in answers}
    return tuple(
        replace(check, outcome=known[check.id].outcome, reason="", answer=known[check.id])
        if check.id in known and check.outcome in _OPEN
        else check
        for check in checks
    )


def answer_criteria(
    criteria: tuple[Criterion, ...], answers: Iterable[Answer]
) -> tuple[Criterion, ...]:
    """The criteria, of which those that are open are decided by their answer."""
    known = {answer.id: answer for answer in answers}
    return tuple(
        replace(criterion, outcome=known[criterion.id].outcome, answer=known[criterion.id])
        if criterion.id in known and criterion.outcome in _OPEN
        else criterion
        for criterion in criteria
    )


def unused(
    answers: Iterable[Answer], checks: Iterable[CheckResult], criteria: Iterable[Criterion]
) -> tuple[tuple[Answer, str], ...]:
    """The answers that decided nothing, with what telemetry says."""
    items: dict[str, CheckResult | Criterion] = {}
    items.update((criterion.id, criterion) for criterion in criteria)
    items.update((check.id, check) for check in checks)
    return tuple(
        (answer, items[answer.id].outcome)
        for answer in answers
        if answer.id in items and items[answer.id].answer is None
    )


def _answer(name: str, entry: object, path: Path) -> Answer:
    where = f'{path}: answers."{name}"'
    _one_of(name, _IDS, f"{path} answers what is neither a criterion nor a check:")
    if not isinstance(entry, Mapping):
        raise InputError(f"{where} is no table of keys.", next_step=_EXAMPLE)
    for key in entry:
        _one_of(key, _KEYS, f"{where} has an unknown key")
    said = {key: _text(entry, key, where) for key in _KEYS}
    _one_of(said["outcome"], _OUTCOMES, f"{where} has an unknown outcome")
    return Answer(
        id=name,
        outcome=_OUTCOMES[_OUTCOMES.index(said["outcome"])],
        why=said["why"],
        who=said["who"],
        when=_when(said["when"], where),
    )


def _text(entry: Mapping[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if isinstance(value, date):
        value = value.isoformat()
    if not isinstance(value, str) or not value.strip():
        raise InputError(f'{where} has no "{key}".', next_step=_EXAMPLE)
    return value.strip()


def _when(said: str, where: str) -> str:
    try:
        datetime.fromisoformat(said)
    except ValueError as error:
        raise InputError(
            f"{where}: when is {said!r}.", next_step="Write a date, such as 2026-01-31."
        ) from error
    return said


def _one_of(name: str, known: tuple[str, ...], wrong: str) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0)[0]
        raise InputError(f'{wrong} "{name}".', next_step=f'Did you mean "{near}"?')
