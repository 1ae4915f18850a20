"""Faults that were injected: read from a JSON or TOML file or a journal of the Chaos Toolkit."""

import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from tracejury.errors import InputError
from tracejury.workflow.chaos_journal import is_journal, journal_entries
from tracejury.workflow.document_lines import Path as Place
from tracejury.workflow.document_lines import lines_of
from tracejury.workflow.moment import LAST_NS, moment_ns

KINDS: Final = (
    "delay",
    "error",
    "hang",
    "kill",
    "restart",
    "partition",
    "flood",
    "storage",
    "bad_item",
    "endless_source",
    "cancel",
    "retry",
    "retry_all",
    "double_retry",
    "message_loss",
    "state_corruption",
)
# What they are called elsewhere: in tools for chaos experiments, and by who sent the signal.
_CALLED: Final = {
    other: kind
    for kind, others in {
        "delay": "latency slow slowdown lag jitter throttle network_delay network_latency",
        "error": "exception fail failure fault http_error abort 5xx",
        "hang": "pause freeze frozen stop stall sigstop suspend timeout blackhole",
        "kill": "crash sigkill terminate shutdown oom outage pod_kill",
        "restart": "reboot",
        "partition": "network_loss packet_loss loss disconnect network",
        "flood": "load stress spike burst",
        "storage": "disk disk_full fill_disk",
    }.items()
    for other in others.split()
}
_KEYS: Final = (
    "id",
    "kind",
    "target",
    "start",
    "end",
    "magnitude",
    "workflow",
    "items_expected",
    "item_injected",
    "test_id",
    "failure_mode",
)
_REQUIRED: Final = ("id", "start", "end")
_TEXTS: Final = ("target", "magnitude", "workflow", "item_injected", "test_id", "failure_mode")
_TEST: Final = re.compile(r"TEST-RR-(T|P|R|RE|SL|Q|S|O)[0-9]{2}")
_SEE_SCHEMA: Final = "See docs/faults.schema.json."

SCHEMA: Final = pa.schema(
    [
        ("id", pa.string()),
        ("kind", pa.string()),
        ("target", pa.string()),
        ("start_ns", pa.int64()),
        ("end_ns", pa.int64()),
        ("magnitude", pa.string()),
        ("workflow", pa.string()),
        ("items_expected", pa.int64()),
        ("item_injected", pa.string()),
        ("test_id", pa.string()),
        ("failure_mode", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One injected fault. Times are nanoseconds since 1970; '' and None: not said."""

    id: str
    start_ns: int
    end_ns: int
    kind: str = ""
    target: str = ""
    magnitude: str = ""
    workflow: str = ""
    items_expected: int | None = None
    item_injected: str = ""
    test_id: str = ""
    failure_mode: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a fault file, on which line, and what to do about it."""

    line: int
    message: str
    next_step: str


def read_faults(path: Path) -> tuple[Fault, ...]:
    """The faults of the file at `path`. Raises `InputError` that names the first line at fault."""
    faults, problems = check_faults(path)
    for problem in problems:
        raise InputError(f"{path}:{problem.line}: {problem.message}", next_step=problem.next_step)
    return faults


def check_faults(path: Path) -> tuple[tuple[Fault, ...], tuple[Problem, ...]]:
    """The faults of the file at `path` that are as they should be, and what is wrong with the rest.

    Raises `InputError` where it is no fault file at all.
    """
    document, lines = _document(path)
    if is_journal(document):
        document, lines = {"faults": journal_entries(document)}, {}
    entries = document.get("faults") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise InputError(f'{path} has no list "faults".', next_step=_SEE_SCHEMA)
    read = [_Entry(entry, number, lines) for number, entry in enumerate(entries)]
    faults = [fault for entry in read if (fault := entry.fault()) is not None]
    problems = [problem for entry in read for problem in entry.problems]
    problems += _shared_ids(read)
    return tuple(faults), tuple(sorted(problems, key=lambda problem: problem.line))


def _document(path: Path) -> tuple[Any, dict[Place, int]]:
    is_toml = path.suffix == ".toml"
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text) if is_toml else json.loads(text)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}.", next_step="Name the fault file itself."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not text.", next_step="A fault file is JSON or TOML."
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path}{_broken_line(error)} is not valid: {error}.",
            next_step="It is read as TOML if its name ends in .toml, else as JSON.",
        ) from error
    return document, lines_of(text, is_toml=is_toml)


def _broken_line(error: Exception) -> str:
    """`:LINE` as far as the parser tells; Python's for TOML says it in words alone."""
    said = re.search(r"\bline (\d+)", str(error))
    return f":{said[1]}" if said else ""


def _shared_ids(read: "list[_Entry]") -> list[Problem]:
    first: dict[str, _Entry] = {}
    found = []
    for entry in read:
        name = entry.text("id", quietly=True)
        if name and (other := first.setdefault(name, entry)) is not entry:
            message = f'two faults have the id "{name}", the other on line {other.line_of("id")}.'
            found.append(Problem(entry.line_of("id"), message, "Give each its own."))
    return found


def with_own_ids(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """The faults of one run, of which no two may have the same id. Raises `InputError`."""
    named: dict[str, Fault] = {}
    for fault in faults:
        if named.setdefault(fault.id, fault) is not fault:
            raise InputError(
                f'Two faults have the id "{fault.id}".', next_step="Give each its own."
            )
    return tuple(named.values())


def as_table(faults: tuple[Fault, ...]) -> pa.Table:
    """The faults as the table `fault`, one row each."""
    return pa.Table.from_pylist(
        [{name: getattr(fault, name) for name in SCHEMA.names} for fault in faults], schema=SCHEMA
    )


class _Entry:
    """One entry of the list, and what is wrong with it."""

    def __init__(self, content: object, number: int, lines: dict[Place, int]) -> None:
        self._content = content if isinstance(content, Mapping) else {}
        self._is_table = isinstance(content, Mapping)
        self._number = number
        self._lines = lines
        self.problems: list[Problem] = []

    def fault(self) -> Fault | None:
        """The fault, or None where a problem was found."""
        if not self._is_table:
            self._complain("", "is no table of keys.", _SEE_SCHEMA)
            return None
        for key in self._content:
            self._one_of(str(key), _KEYS, key, "has an unknown key")
        lacking = [key for key in _REQUIRED if self._content.get(key) in (None, "")]
        if lacking:
            said = " and ".join(f'no "{key}"' for key in lacking)
            self._complain("", f"has {said}.", _SEE_SCHEMA)
        texts = self._texts()
        start, end, items = self._time("start"), self._time("end"), self._count()
        if start and end and end < start:
            self._complain("end", "ends before it starts.", "Exchange its times.")
        if self.problems:
            return None
        return Fault(start_ns=start, end_ns=end, items_expected=items, **texts)

    def _texts(self) -> dict[str, str]:
        texts = {name: self.text(name) for name in ("id", "kind", *_TEXTS)}
        if texts["kind"]:
            self._one_of(texts["kind"], KINDS, "kind", "has an unknown kind")
        if texts["test_id"] and not _TEST.fullmatch(texts["test_id"]):
            wrong = f'has an unknown test "{texts["test_id"]}".'
            self._complain("test_id", wrong, "Write it as TEST-RR-T01.")
        return texts

    def line_of(self, key: str) -> int:
        """The line of `key`, or where the entry begins if it has no such key."""
        place = ("faults", self._number)
        return self._lines.get((*place, key)) or self._lines.get(place) or 1

    def text(self, name: str, *, quietly: bool = False) -> str:
        """A text, or a number that stands for one, such as an item's; '' where there is none."""
        value = self._content.get(name)
        if value is None:
            return ""
        wrong = ""
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            wrong = f"{name} must be a text, not {value!r}."
        elif any("\ud800" <= letter <= "\udfff" for letter in str(value)):
            wrong = f"{name} is not valid Unicode."
        if wrong and not quietly:
            self._complain(name, wrong, _SEE_SCHEMA)
        return "" if wrong else str(value)

    def _count(self) -> int | None:
        value = self._content.get("items_expected")
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LAST_NS:
            return value
        wrong = f"items_expected must be a whole number, not {value!r}."
        self._complain("items_expected", wrong, _SEE_SCHEMA)
        return None

    def _time(self, key: str) -> int:
        """Nanoseconds since 1970; 0 where it is missing or wrong."""
        value = self._content.get(key)
        if value in (None, ""):
            return 0
        try:
            return moment_ns(value, key)
        except InputError as error:
            self._complain(key, error.message, error.next_step)
            return 0

    def _one_of(self, name: str, known: tuple[str, ...], key: str, wrong: str) -> None:
        if name in known:
            return
        meant = _CALLED.get(name.lower().replace("-", "_"), "")
        near = [meant] if meant in known else difflib.get_close_matches(name, known, n=1)
        hint = f'Did you mean "{near[0]}"?' if near else f"Choose one of {', '.join(known)}."
        self._complain(key, f'{wrong} "{name}".', hint)

    def _complain(self, key: str, message: str, next_step: str) -> None:
        said = f"fault {self._number + 1} {message}"
        self.problems.append(Problem(self.line_of(key), said, next_step))
