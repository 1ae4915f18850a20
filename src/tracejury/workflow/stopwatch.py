"""How long a person took to find the root of a failure: a line for each time, beside the store.

It is a file of its own because `serve` may hold the store, and because files of telemetry, which
can be browsed as well, are never written.
"""

import json
import os
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from tracejury.errors import InputError, StoreError

SUFFIX: Final = ".stopwatch.jsonl"
_LONGEST_MINUTES: Final = 60 * 24 * 366


SCHEMA: Final = pa.schema(
    [
        ("fault", pa.string()),
        ("started_at", pa.string()),
        ("minutes", pa.float64()),
        ("service", pa.string()),
        ("step", pa.string()),
        ("trace_id", pa.string()),
        ("span_id", pa.string()),
        ("is_right", pa.bool_()),
    ]
)


@dataclass(frozen=True, slots=True)
class Measurement:
    """From the alert to the span that a person took for the root.

    `fault` is the id of the fault that was searched for; '': of none that is known. `is_right` is
    None where no fault file names the target.
    """

    fault: str
    started_at: str  # RFC 3339
    minutes: float
    service: str
    step: str
    trace_id: str
    span_id: str
    is_right: bool | None


def stopwatch_file(browsed: Path) -> Path:
    """Where the measurements of a store, or of the first of several files, are kept."""
    return browsed.with_name(browsed.name + SUFFIX)


def as_table(measured: tuple[Measurement, ...]) -> pa.Table:
    """The measurements as the table `measured_diagnosis`, one row each."""
    return pa.Table.from_pylist([asdict(one) for one in measured], schema=SCHEMA)


def is_root(target: str, names: Collection[str]) -> bool | None:
    """Whether a span that goes by `names` is at a fault's target; None: the target is not known."""
    if not target:
        return None
    known = {name.lower() for name in names if name}
    # An address names its host, too.
    return target.lower() in known | {name.split(":")[0] for name in known}


def keep(file: Path, measured: Measurement) -> None:
    """Append a line, readable for its owner alone. Raises `StoreError` where none can be."""
    line = json.dumps(asdict(measured), allow_nan=False) + "\n"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(line.encode())
    except OSError as error:
        raise StoreError(
            f"{file} cannot be written: {error.strerror}.",
            next_step="Copy the store to a folder that you may write to.",
        ) from error


def measurements(file: Path) -> tuple[Measurement, ...]:
    """Every line of `file`, oldest first; none where there is no such file."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read.", next_step="Move it away.") from error
    return tuple(
        _measurement(line, f"{file}: line {number}") for number, line in enumerate(lines, 1)
    )


_TYPES: Final[dict[str, tuple[type, ...]]] = {
    **{field.name: (str,) for field in fields(Measurement)},
    "minutes": (int, float),
    "is_right": (bool, type(None)),
}


def _is_one(entry: dict[str, Any]) -> bool:
    if not all(isinstance(entry.get(name, ...), kinds) for name, kinds in _TYPES.items()):
        return False
    # Python's reader of JSON takes NaN and Infinity, too, and true is a number to Python.
    minutes = entry["minutes"]
    return not isinstance(minutes, bool) and 0 <= minutes <= _LONGEST_MINUTES


def _measurement(line: str, where: str) -> Measurement:
    try:
        entry: Any = json.loads(line)
    except (ValueError, RecursionError):
        entry = None
    if not isinstance(entry, dict) or not _is_one(entry):
        raise InputError(f"{where} is no measurement.", next_step="Delete the line.")
    return Measurement(**{name: entry[name] for name in _TYPES})
