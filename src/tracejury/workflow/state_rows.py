"""Rows of the system's own database: what it says of the state of its jobs, as a CSV file."""

import csv
import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, TextIO

import pyarrow as pa

from tracejury.errors import InputError
from tracejury.telemetry.numbers import counted
from tracejury.telemetry.semconv import FINAL_STATES, STATES
from tracejury.workflow.moment import LAST_NS, moment_ns

COLUMNS: Final = ("unit", "status", "updated_at", "items_done", "items_failed", "worker")
_NEEDED: Final = COLUMNS[:3]

SCHEMA: Final = pa.schema(
    [
        ("row_no", pa.int64()),  # the line of the file
        ("unit", pa.string()),
        ("state", pa.string()),
        ("is_final", pa.bool_()),
        ("said", pa.string()),  # the status as it stands there
        ("updated_ns", pa.int64()),
        ("items_done", pa.int64()),  # null: not said
        ("items_failed", pa.int64()),
        ("worker", pa.string()),  # '': not said
    ]
)


def read_state_rows(path: Path) -> pa.Table:
    """The rows of the CSV file at `path`. Raises `InputError` that names the line at fault.

    A unit may have several rows, one for each state it was in.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(_rows(file, path))
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}.", next_step="Name the file of rows itself."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text.", next_step="Export the rows as CSV.") from error
    if not rows:
        raise InputError(
            f"{path} has no row below its header.", next_step="`audit` prints a query for them."
        )
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def no_state_rows() -> pa.Table:
    """What there is where nobody brought rows."""
    return SCHEMA.empty_table()


def _rows(file: TextIO, path: Path) -> Iterator[dict[str, object]]:
    lines = csv.reader(file, strict=True)
    header: list[str] = []
    try:
        for cells in lines:
            where = f"{path}:{lines.line_num}"
            if not header:
                header = _header(cells, where)
            elif any(cell.strip() for cell in cells):
                if len(cells) != len(header):
                    raise InputError(
                        f"{where} has {counted(len(cells), 'cell')}, and the header {len(header)}.",
                        next_step="Quote cells that hold a comma.",
                    )
                yield _row(dict(zip(header, cells, strict=True)), where, lines.line_num)
    except csv.Error as error:
        raise InputError(
            f"{path}:{lines.line_num} is no CSV: {error}.",
            next_step="Separate the cells by commas, and quote those that hold one.",
        ) from error


def _header(cells: list[str], where: str) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    for name in names:
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, n=1, cutoff=0)
            raise InputError(
                f'{where} has an unknown column "{name}".',
                next_step=f'Did you mean "{near[0]}"? The columns are {",".join(COLUMNS)}.',
            )
    for name in COLUMNS:
        if names.count(name) > 1:
            raise InputError(f'{where} has "{name}" twice.', next_step="Leave one of them out.")
        if name in _NEEDED and name not in names:
            raise InputError(
                f'{where} has no column "{name}".',
                next_step=f"The columns are {','.join(COLUMNS)}; the first three are needed.",
            )
    return names


def _row(cells: Mapping[str, str], where: str, line: int) -> dict[str, object]:
    unit = cells["unit"].strip()
    if not unit:
        raise InputError(f"{where} names no unit.", next_step="It is the ID of the job.")
    state = _state(cells["status"], where)
    return {
        "row_no": line,
        "unit": unit,
        "state": state,
        "is_final": state in FINAL_STATES,
        "said": cells["status"].strip(),
        "updated_ns": _moment(cells["updated_at"].strip(), f"{where}: updated_at"),
        "items_done": _count(cells, "items_done", where),
        "items_failed": _count(cells, "items_failed", where),
        "worker": cells.get("worker", "").strip(),
    }


def _state(said: str, where: str) -> str:
    word = re.sub("[- ]", "_", said.strip().lower())
    if word not in STATES:
        near = difflib.get_close_matches(word, STATES, n=1, cutoff=0.6)
        hint = f'Did you mean "{near[0]}"? ' if near else ""
        states = ", ".join(sorted(set(STATES.values())))
        raise InputError(
            f'{where}: status "{said.strip()}" is none that is known.',
            next_step=f"{hint}Map it to one of {states} in the query.",
        )
    return STATES[word]


def _moment(said: str, where: str) -> int:
    return moment_ns(int(said) if re.fullmatch("[0-9]{1,19}", said) else said, where)


def _count(cells: Mapping[str, str], name: str, where: str) -> int | None:
    said = cells.get(name, "").strip()
    if not said:
        return None
    if not re.fullmatch("[0-9]{1,19}", said) or int(said) > LAST_NS:
        raise InputError(
            f"{where}: {name} must be a whole number, not {said!r}.",
            next_step="Leave it empty where it is not known.",
        )
    return int(said)
