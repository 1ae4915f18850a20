"""Read a store: the public views, and the tables that are derived from it on demand.

A store that `serve` is writing is read through a snapshot, with the same code.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Self

import duckdb
import pyarrow as pa

from tracejury.errors import DamagedStoreError, StoreError
from tracejury.store.acknowledged import missing_records
from tracejury.store.connection import FORMAT_VERSION, StoreHeldError, connect, format_of, quiet
from tracejury.store.migration import migrate_file
from tracejury.store.snapshot import discard_snapshot, request_snapshot
from tracejury.store.writer import Store

Row = dict[str, Any]

# How DuckDB says that bytes of the file are missing or not what was written.
_DAMAGE: Final = re.compile(r"Could not read|Corrupt|checksum|FATAL|INTERNAL", re.IGNORECASE)

_AS_WRITTEN: Final = "-- joins: as written"

# What a SELECT reads, its own CTEs among them.
_TABLE_NAME: Final = re.compile(r"\b(?:FROM|JOIN)\s+([a-z_]+)")


@dataclass(frozen=True, slots=True)
class Definition:
    """One file of views/: a SELECT, and whether its rows are kept or made anew at every use.

    `is_as_written`: of every join the right side is the one to look up in. DuckDB takes the result
    of several outer joins for far smaller than it is, and would then turn the whole run into a hash
    table to look up a few rows.
    """

    name: str
    is_table: bool
    is_as_written: bool
    header: str
    select: str
    reads: tuple[str, ...]


@cache
def definitions() -> dict[str, Definition]:
    """Every view by name, in the order in which they build on each other."""
    found = {}
    folder = files("tracejury.store").joinpath("views")
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        text = file.read_text(encoding="utf-8")
        lines = text.splitlines()
        kind, _, name = lines[0].removeprefix("-- ").partition(": ")
        header = [line for line in lines if line.startswith("--")]
        found[name] = Definition(
            name,
            kind == "table",
            _AS_WRITTEN in lines,
            "\n".join(header),
            text,
            tuple(dict.fromkeys(_TABLE_NAME.findall(text))),
        )
    return found


# What makes each view, as DuckDB parsed it: an audit derives most of them for the run and again for
# its baseline, and to parse one takes a fifth of the time.
_CREATIONS: Final[dict[str, duckdb.Statement]] = {}


def _creation(connection: duckdb.DuckDBPyConnection, definition: Definition) -> duckdb.Statement:
    """The statement that makes a view or its table; one is of no connection."""
    if definition.name not in _CREATIONS:
        kind = "TABLE" if definition.is_table else "VIEW"
        sql = f"CREATE OR REPLACE TEMP {kind} {definition.name} AS\n{definition.select}"
        [_CREATIONS[definition.name]] = connection.extract_statements(sql)
    return _CREATIONS[definition.name]


class Reader:
    """An open store, read-only. Closes what it opened, and removes the snapshot it asked for."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        snapshot: Path | None = None,
        *,
        missing: int = 0,
    ) -> None:
        self._connection = connection
        self._snapshot = snapshot
        self._promised: dict[str, Callable[[], None]] = {}
        self.missing = missing  # records that were acknowledged, and that no writer missed yet

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the store at `path`, or a snapshot of it while a server writes it.

        Raises `StoreError` when it cannot be read.
        """
        snapshot = None
        try:
            connection = connect(path, read_only=True)
        except StoreHeldError:
            snapshot = request_snapshot(path)
            if snapshot is None:
                raise
            connection = connect(snapshot, read_only=True)
        try:
            if format_of(connection, path) < FORMAT_VERSION:
                connection.close()
                migrate_file(snapshot or path)
                connection = connect(snapshot or path, read_only=True)
            missing = missing_records(connection, path) if snapshot is None else 0
        except StoreError:
            connection.close()
            if snapshot is not None:
                discard_snapshot(snapshot)
            raise
        return cls(connection, snapshot, missing=missing)

    @classmethod
    def of(cls, store: Store) -> Self:
        """Read a store through its writer's connection."""
        with _reading():
            return cls(quiet(store.connection().cursor()))

    @property
    def is_snapshot(self) -> bool:
        """Whether a server goes on writing the store that this is a copy of."""
        return self._snapshot is not None

    def promise(self, name: str, make: Callable[[], None]) -> None:
        """Have `make` make the view or table `name` before something is read from it."""
        self._promised[name] = make

    def fulfil(self, names: Iterable[str]) -> None:
        """Make those of `names` that are promised and were not read from yet."""
        for name in names:
            if make := self._promised.pop(name, None):
                make()

    def derive(self, name: str) -> None:
        """Make the view or table `name` of views/; what it builds on must be there or promised."""
        definition = definitions()[name]
        self.fulfil(definition.reads)
        with _reading():
            if definition.is_as_written:
                self._connection.execute("SET disabled_optimizers = 'build_side_probe_side'")
            self._connection.execute(_creation(self._connection, definition))
            if definition.is_as_written:
                self._connection.execute("RESET disabled_optimizers")

    def define(self, name: str, select: str) -> None:
        """Make the view `name` of a SELECT of this program."""
        with _reading():
            self._connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {select}")

    def register(self, name: str, registered: pa.Table) -> None:
        """Keep `registered` as the table `name`."""
        self._promised.pop(name, None)
        with _reading():
            # DuckDB finds `registered` here by its name.
            self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM registered")

    def arrow(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> pa.Table:
        """The result of one query as an Arrow table."""
        self._fulfil_for(sql)
        with _reading():
            return self._connection.sql(sql, params=parameters or None).to_arrow_table()

    def rows(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> list[Row]:
        """The rows of one query by column name: for answers, not for spans by the million."""
        self._fulfil_for(sql)
        with _reading():
            cursor = self._connection.execute(sql, parameters if parameters else None)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def value(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> Any:
        """The first column of the first row; None where there is none."""
        self._fulfil_for(sql)
        with _reading():
            cursor = self._connection.execute(sql, parameters if parameters else None)
            rows = cursor.fetchall()
        return rows[0][0] if rows else None

    def connection(self) -> duckdb.DuckDBPyConnection:
        """The connection itself, for `tracejury.store.query` alone."""
        return self._connection

    def interrupt(self) -> None:
        """Make what another thread reads here fail with a `StoreError`; it may have ended."""
        with suppress(duckdb.Error):
            self._connection.interrupt()

    def close(self) -> None:
        """Close the file; remove the snapshot if it was one."""
        self._connection.close()
        if self._snapshot is not None:
            discard_snapshot(self._snapshot)

    def _fulfil_for(self, sql: str) -> None:
        if self._promised:
            self.fulfil(_TABLE_NAME.findall(sql))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def _reading() -> Iterator[None]:
    """Say of DuckDB's errors what they mean."""
    try:
        yield
    except duckdb.Error as error:
        text = str(error)
        if "KeyboardInterrupt" in text:
            raise KeyboardInterrupt from error
        reason = text.splitlines()[0].removesuffix(".")
        if _DAMAGE.search(text):
            raise DamagedStoreError(
                f"The store is damaged: {reason}.",
                next_step="Restore it from a copy, with its .wal if it has one.",
            ) from error
        raise StoreError(
            f"The store could not be read: {reason}.",
            next_step="Try again; if it stays so, report it with this sentence.",
        ) from error
    except RuntimeError as error:
        # DuckDB's words for a Ctrl-C while it works.
        if str(error) == "Query interrupted":
            raise KeyboardInterrupt from error
        raise
