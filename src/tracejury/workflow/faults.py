"""Faults that were injected: read from a JSON or TOML file, checked entry by entry."""

import difflib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from tracejury.errors import InputError
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
_TEXTS: Final = ("target", "magnitude", "workflow", "item_injected", "test_id", "failure_mode")
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


def read_faults(path: Path) -> tuple[Fault, ...]:
    """The faults of the file at `path`. Raises `InputError` that names the entry at fault."""
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
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
            f"{path} is not valid: {error}.",
            next_step="It is read as TOML if its name ends in .toml, else as JSON.",
        ) from error
    entries = document.get("faults") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise InputError(f'{path} has no list "faults".', next_step=_SEE_SCHEMA)
    faults = tuple(_fault(entry, f"{path}: fault {n}") for n, entry in enumerate(entries, 1))
    return with_own_ids(faults, where=f"{path}: ")


def with_own_ids(faults: Iterable[Fault], *, where: str = "") -> tuple[Fault, ...]:
    """The faults of one run, of which no two may have the same id. Raises `InputError`."""
    named: dict[str, Fault] = {}
    for fault in faults:
        if named.setdefault(fault.id, fault) is not fault:
            raise InputError(
                f'{where}two faults have the id "{fault.id}".', next_step="Give each its own."
            )
    return tuple(named.values())


def as_table(faults: tuple[Fault, ...]) -> pa.Table:
    """The faults as the table `fault`, one row each."""
    return pa.Table.from_pylist(
        [{name: getattr(fault, name) for name in SCHEMA.names} for fault in faults], schema=SCHEMA
    )


def _fault(entry: object, where: str) -> Fault:
    if not isinstance(entry, Mapping):
        raise InputError(f"{where} is no table of keys.", next_step=_SEE_SCHEMA)
    for key in entry:
        _one_of(str(key), _KEYS, f"{where} has an unknown key")
    for key in ("id", "start", "end"):
        if entry.get(key) in (None, ""):
            raise InputError(f'{where} has no "{key}".', next_step=_SEE_SCHEMA)
    texts = {name: _text(entry, name, where) for name in ("id", "kind", *_TEXTS)}
    kind = texts.pop("kind")
    if kind:
        _one_of(kind, KINDS, f"{where} has an unknown kind")
    start, end = (moment_ns(entry[name], f"{where}: {name}") for name in ("start", "end"))
    if end < start:
        raise InputError(f"{where} ends before it starts.", next_step="Exchange its times.")
    return Fault(
        start_ns=start,
        end_ns=end,
        kind=kind,
        items_expected=_count(entry.get("items_expected"), where),
        **texts,
    )


def _text(entry: Mapping[str, Any], name: str, where: str) -> str:
    """A text, or a number that stands for one, such as an item's."""
    value = entry.get(name)
    if value is None:
        return ""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise InputError(f"{where}: {name} must be a text, not {value!r}.", next_step=_SEE_SCHEMA)
    text = str(value)
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise InputError(f"{where}: {name} is not valid Unicode.", next_step=_SEE_SCHEMA)
    return text


def _one_of(name: str, known: tuple[str, ...], wrong: str) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0)[0]
        raise InputError(f'{wrong} "{name}".', next_step=f'Did you mean "{near}"?')


def _count(value: object, where: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LAST_NS:
        return value
    raise InputError(
        f"{where}: items_expected must be a whole number, not {value!r}.", next_step=_SEE_SCHEMA
    )
