"""Read a store: the public views, and the tables that are derived from it on demand.

A store that `serve` is writing is read through a snapshot, with the same code. What is derived
stands in a database of its own, so that several threads can read it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from threading import Lock, RLock, local
from typing import Any, Final, Self, TypeVar

import duckdb
import pyarrow as pa

from tracejury.errors import DamagedStoreError, StoreError
from tracejury.store.acknowledged import missing_records
from tracejury.store.connection import FORMAT_VERSION, StoreHeldError, connect, format_of, quiet
from tracejury.store.migration import migrate_file
from tracejury.store.snapshot import discard_snapshot, request_snapshot
from tracejury.store.writer import Store

Row = dict[str, Any]
Answer = TypeVar("Answer")

# How DuckDB says that bytes of the file are missing or not what was written.
_DAMAGE: Final = re.compile(r"Could not read|Corrupt|checksum|FATAL|INTERNAL", re.IGNORECASE)

_AS_WRITTEN: Final = "-- joins: as written"

# What a SELECT reads, its own CTEs among them.
_TABLE_NAME: Final = re.compile(r"\b(?:FROM|JOIN)\s+([a-z_]+)")

# The queries of this program as DuckDB parsed them. It is a sixth of what an audit of a few spans
# costs, and most are asked again: of a baseline, of another store, by a screen that looks again. A
# statement is of no connection.
_PARSED: Final[dict[str, duckdb.Statement]] = {}

# How many threads of a crew read at once: where one waits for the end of a query on one core, the
# other keeps the rest busy. More would take more memory for no time.
_CREW: Final = 2
_INTERRUPT_AGAIN_S: Final = 0.1


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


@dataclass
class _Seat:
    """One thread's connection, with the views that were made in it by their SELECTs."""

    connection: duckdb.DuckDBPyConnection
    views: dict[str, str] = field(default_factory=dict)
    finds_derived: bool = False


@dataclass
class _Promise:
    """What makes a table, by one thread while others wait for it."""

    make: Callable[[], None]
    lock: RLock = field(default_factory=RLock)
    is_kept: bool = False


class Crew:
    """A few threads that read one store side by side, each through a connection of its own."""

    def __init__(self, reader: "Reader", pool: ThreadPoolExecutor) -> None:
        self._reader = reader
        self._pool = pool
        self._seats: SimpleQueue[_Seat] = SimpleQueue()
        self.futures: list[Future[Any]] = []
        for seat in reader.seats(_CREW):
            self._seats.put(seat)

    def submit(self, work: Callable[[], Answer]) -> Future[Answer]:
        """Have a thread do `work`, which may read from the reader; in the order of submission."""
        future = self._pool.submit(self._seated, work)
        self.futures.append(future)
        return future

    def _seated(self, work: Callable[[], Answer]) -> Answer:
        seat = self._seats.get()
        try:
            with self._reader.from_seat(seat):
                return work()
        finally:
            self._seats.put(seat)


class Reader:
    """An open store, read-only. Closes what it opened, and removes the snapshot it asked for."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        snapshot: Path | None = None,
        *,
        missing: int = 0,
        folder: Path | None = None,
    ) -> None:
        """`folder`: where to keep what is derived; None: in memory."""
        self._connection = connection
        self._snapshot = snapshot
        self._folder = folder
        self._derived = ""  # the database of what is derived, once there is one
        self._main = _Seat(connection)
        self._extra: list[_Seat] = []
        self._thread = local()
        self._promised: dict[str, _Promise] = {}
        self._views: dict[str, str] = {}
        self._attaching = Lock()
        self._planning = Lock()
        self._is_stopped = False
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
        return cls(connection, snapshot, missing=missing, folder=path.parent)

    @classmethod
    def of(cls, store: Store) -> Self:
        """Read a store through its writer's connection."""
        with _reading():
            return cls(quiet(store.connection().cursor()))

    @property
    def is_snapshot(self) -> bool:
        """Whether a server goes on writing the store that this is a copy of."""
        return self._snapshot is not None

    def promise(self, make: Callable[[], None], *names: str) -> None:
        """Have `make` make the views or tables `names` before something is read from them."""
        promise = _Promise(make)
        self._promised.update(dict.fromkeys(names, promise))

    def fulfil(self, names: Iterable[str]) -> None:
        """Make those of `names` that are promised and were not read from yet."""
        for name in names:
            if promise := self._promised.get(name):
                with promise.lock:
                    if not promise.is_kept:
                        promise.make()
                        promise.is_kept = True
                self._promised.pop(name, None)
            if name in self._views:
                self._make_view(name)

    def derive(self, name: str) -> None:
        """Make the view or table `name` of views/; what it builds on must be there or promised."""
        definition = definitions()[name]
        if not definition.is_table:
            self.define(name, definition.select)
            return
        self.fulfil(definition.reads)
        seat = self._seat_to_derive()
        sql = f"CREATE OR REPLACE TABLE {self._derived}.{name} AS\n{definition.select}"
        with _reading():
            statement = _parsed(seat.connection, sql)
            if not definition.is_as_written:
                seat.connection.execute(statement)
                return
            # The setting is that of all connections: what others plan meanwhile may be slower.
            with self._planning:
                seat.connection.execute("SET disabled_optimizers = 'build_side_probe_side'")
                try:
                    seat.connection.execute(statement)
                finally:
                    seat.connection.execute("RESET disabled_optimizers")

    def define(self, name: str, select: str) -> None:
        """Make the view `name` of a SELECT of this program; each connection makes it for itself."""
        self._views[name] = select
        self._make_view(name)

    def register(self, name: str, registered: pa.Table) -> None:
        """Keep `registered` as the table `name`."""
        seat = self._seat_to_derive()
        with _reading():
            if self._views.pop(name, None) is not None and seat.views.pop(name, None) is not None:
                seat.connection.execute(f"DROP VIEW temp.{name}")
            # DuckDB finds `registered` here by its name.
            seat.connection.execute(
                f"CREATE OR REPLACE TABLE {self._derived}.{name} AS FROM registered"
            )
        self._promised.pop(name, None)

    @contextmanager
    def crew(self) -> Iterator[Crew]:
        """Threads to read with. Waits for all that was submitted, and stops it where one breaks."""
        pool = ThreadPoolExecutor(_CREW)
        crew = Crew(self, pool)
        try:
            yield crew
            pool.shutdown()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            while under_way := [future for future in crew.futures if not future.done()]:
                self.interrupt()
                wait(under_way, timeout=_INTERRUPT_AGAIN_S)
            raise
        finally:
            while self._extra:
                self._extra.pop().connection.close()

    def seats(self, number: int) -> list[_Seat]:
        """More connections to the same store, until the crew ends."""
        with _reading():
            added = [_Seat(quiet(self._connection.cursor())) for _ in range(number)]
        self._extra += added
        return added

    @contextmanager
    def from_seat(self, seat: _Seat) -> Iterator[None]:
        """Have what this thread reads go through `seat`."""
        self._thread.seat = seat
        try:
            yield
        finally:
            del self._thread.seat

    def arrow(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> pa.Table:
        """The result of one query as an Arrow table."""
        seat = self._seat_for(sql)
        with _reading():
            return seat.connection.sql(sql, params=parameters or None).to_arrow_table()

    def rows(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> list[Row]:
        """The rows of one query by column name: for answers, not for spans by the million."""
        seat = self._seat_for(sql)
        with _reading():
            cursor = seat.connection.execute(_parsed(seat.connection, sql), parameters or None)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def value(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> Any:
        """The first column of the first row; None where there is none."""
        seat = self._seat_for(sql)
        with _reading():
            cursor = seat.connection.execute(_parsed(seat.connection, sql), parameters or None)
            rows = cursor.fetchall()
        return rows[0][0] if rows else None

    def connection(self) -> duckdb.DuckDBPyConnection:
        """The connection itself, for `tracejury.store.query` alone."""
        return self._connection

    def interrupt(self) -> None:
        """Make what another thread reads here fail with a `StoreError`; it may have ended."""
        for seat in (self._main, *self._extra):
            with suppress(duckdb.Error):
                seat.connection.interrupt()

    def stop(self) -> None:
        """Make all that is read here from now on fail with a `StoreError`, as `interrupt` does.

        What another thread was about to read escapes it: to be said again until that has ended.
        """
        self._is_stopped = True
        self.interrupt()

    def close(self) -> None:
        """Close the file; remove the snapshot if it was one."""
        if self._derived:
            with suppress(duckdb.Error):  # closed already
                self._connection.execute(f"DETACH {self._derived}")
        self._connection.close()
        if self._snapshot is not None:
            discard_snapshot(self._snapshot)

    def _seat_for(self, sql: str) -> _Seat:
        """This thread's connection, in which all is made that `sql` reads."""
        if self._promised or self._views:
            self.fulfil(_TABLE_NAME.findall(sql))
        return self._seat()

    def _seat(self) -> _Seat:
        if self._is_stopped:
            raise StoreError("Nobody waits for the answer.", next_step="")
        seat: _Seat = getattr(self._thread, "seat", self._main)
        if self._derived and not seat.finds_derived:
            with _reading():
                [(store,)] = seat.connection.execute("SELECT current_database()").fetchall()
                path = f"{_quoted(store)}.main,{self._derived}.main".replace("'", "''")
                seat.connection.execute(f"SET search_path = '{path}'")
            seat.finds_derived = True
        return seat

    def _seat_to_derive(self) -> _Seat:
        """This thread's connection, with a place to keep what is derived."""
        with self._attaching, _reading():
            if not self._derived:
                self._derived = _attach(self._connection, self._folder)
        return self._seat()

    def _make_view(self, name: str) -> None:
        select = self._views[name]
        seat = self._seat_for(select)
        if seat.views.get(name) != select:
            sql = f"CREATE OR REPLACE TEMP VIEW {name} AS\n{select}"
            with _reading():
                seat.connection.execute(_parsed(seat.connection, sql))
            seat.views[name] = select

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _attach(connection: duckdb.DuckDBPyConnection, folder: Path | None) -> str:
    """The name of a new database to keep what is derived in."""
    for number in count(1):
        # All who have the same file open in this process see each other's databases.
        name = f"derived_{number}"
        try:
            _attach_as(name, connection, folder)
            break
        except duckdb.BinderException as error:
            if "already exists" not in str(error):
                raise
    return name


def _attach_as(name: str, connection: duckdb.DuckDBPyConnection, folder: Path | None) -> None:
    """Make a database in a file in `folder`, or in memory where that cannot be.

    A file is written as it is filled, and takes a quarter of the memory. It loses its name at once,
    so that it is gone when it is closed, however that comes.
    """
    if folder is not None:
        with suppress(OSError, duckdb.IOException), _nameless(folder) as path:
            file = str(path).replace("'", "''")
            how = "READ_WRITE, RECOVERY_MODE NO_WAL_WRITES"
            connection.execute(f"ATTACH '{file}' AS {name} ({how})")
            return
    connection.execute(f"ATTACH ':memory:' AS {name} (READ_WRITE)")


@contextmanager
def _nameless(folder: Path) -> Iterator[Path]:
    """A path in `folder` for a file that is open afterwards, and that nobody finds any more."""
    with TemporaryDirectory(prefix=".tracejury-", dir=folder, ignore_cleanup_errors=True) as place:
        yield Path(place, "derived.duckdb")


def _parsed(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    if sql not in _PARSED:
        [_PARSED[sql]] = connection.extract_statements(sql)
    return _PARSED[sql]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


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
        if "No space left" in text:
            raise StoreError(
                "The disk of the store is full, and there is no room to judge the run.",
                next_step="Free some space there: a million spans take about 300 MB.",
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
