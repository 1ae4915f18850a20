"""Write batches to a store: one transaction a commit, durable when it returns."""

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final, Self

import duckdb
import numpy as np
from numpy.typing import NDArray

from tracejury import __version__
from tracejury.config import Keeping
from tracejury.errors import StoreError
from tracejury.store.acknowledged import (
    Acknowledged,
    is_of_another_store,
    missing_records,
)
from tracejury.store.connection import FORMAT_VERSION, connect
from tracejury.store.contents import Committed, Contents
from tracejury.store.migration import migrate
from tracejury.store.redaction import Redactor
from tracejury.store.removal import Removed, Slice, forget_old_traces, remove
from tracejury.telemetry.batch import Batch

Mask = NDArray[np.bool_]

# A commit is one fdatasync of the log. The larger the log may grow, the rarer a checkpoint holds up
# the commits behind it, and the longer; each also leaves a megabyte of the file half empty.
_CHECKPOINT_THRESHOLD: Final = "64MB"
# Where nobody waits, it is moved into the file before a commit must do so.
_CHECKPOINT_AT_LEISURE: Final = 24 * 10**6

# Of a table's parts, so many may be joined in one go where they are not full: after a pruning, and
# at the end. At every checkpoint it would compress most of what came since the last one again.
_JOINED_PARTS: Final = 16

# A log that a reader of a snapshot reads in well under a second.
_LOG_A_READER_REPLAYS: Final = 32 * 2**20

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Frozen:
    """A store at one moment: so much of its file, and so much of its log.

    Whoever reads the file in this process must use its descriptor: closing any other one of the
    same file would give up DuckDB's lock on it, as POSIX has it.
    """

    path: Path
    file: int
    size: int
    log: int  # -1: there is none
    log_size: int


class Store:
    """The one writer of a store file. Safe to call from several threads.

    Raises `StoreError` when the file cannot be opened, is held by another program, or cannot be
    written; a failed commit stores nothing. After an error that made DuckDB give the file up (a
    full disk at a checkpoint), whatever is asked next opens it again first.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        path: Path | None,
        kind: str,
        keeping: Keeping | None = None,
    ) -> None:
        self._redactor = Redactor((keeping or Keeping()).redaction)
        self._lock = threading.RLock()
        self.path = path
        self._file = None if path is None else os.open(path, os.O_RDONLY)
        self._acknowledged = None if path is None else _account_for_losses(connection, path)
        self._is_given_up = False
        self._openings = 0
        self._checkpointing = threading.RLock()  # taken before the other one
        self._log_limit = _CHECKPOINT_THRESHOLD
        self._attach(connection)
        [(self._session,)] = connection.execute(
            """
            INSERT INTO stored.session
            SELECT coalesce(max(session_no) + 1, 0), $kind, $now, NULL FROM stored.session
            RETURNING session_no
            """,
            {"kind": kind, "now": time.time_ns()},
        ).fetchall()

    def _attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Go on with what is stored, over `connection`."""
        self._connection = connection
        connection.execute(f"SET checkpoint_threshold = '{self._log_limit}'")
        connection.execute("SET max_vacuum_tasks = 0")
        if self.path is not None:
            # Several share out what a commit writes, and put it in order again, for a tenth more
            # work; there is a thread that decodes what comes next.
            connection.execute("SET threads = 1")
        self._contents = Contents(connection)
        self._acknowledge()

    @classmethod
    def open(cls, path: Path, *, kind: str = "serve", keeping: Keeping | None = None) -> Self:
        """Open or create the store at `path`. `kind` names the session: 'serve' or 'import'.

        `keeping` says what is taken out before anything is stored; None: the defaults.
        """
        connection = connect(path, read_only=False)
        try:
            if _is_empty(connection):
                create(connection)
            else:
                migrate(connection, path)
            return cls(connection, path, kind, keeping)
        except duckdb.Error as error:
            connection.close()
            raise _write_error(error) from error

    @classmethod
    def in_memory(cls, *, keeping: Keeping | None = None) -> Self:
        """A store that lives as long as this object."""
        connection = duckdb.connect(":memory:")
        create(connection)
        return cls(connection, None, "import", keeping)

    def commit(self, batches: Sequence[Batch], *, received_ns: int, source: str) -> list[Committed]:
        """Store `batches` in one transaction; what is returned is on disk.

        `received_ns` is nanoseconds since 1970 by this machine's clock; `source` names where the
        bytes came from. Later batches are later requests.
        """
        cleaned, redacted = self._redacted(batches)
        with self._lock:
            with self._transaction():
                committed = self._contents.insert(
                    cleaned, self._session, received_ns=received_ns, source=source
                )
                self._record_redaction(redacted, received_ns)
            self._contents.settle()
            self._acknowledge()
        return committed

    def _redacted(self, batches: Sequence[Batch]) -> tuple[list[Batch], int]:
        redacted = [self._redactor.redact(batch) for batch in batches]
        return [batch for batch, _ in redacted], sum(count for _, count in redacted)

    def record_unread(
        self, source: str, records: int, position: str, reason: str, received_ns: int
    ) -> None:
        """Remember that so many records of `source` could not be read; of the first, where and why.

        A file that is loaded again replaces what was said of it.
        """
        with self._lock, self._transaction():
            self._connection.execute("DELETE FROM stored.unread WHERE source = ?", [source])
            if records:
                self._connection.execute(
                    "INSERT INTO stored.unread VALUES (?, ?, ?, ?, ?)",
                    [received_ns, source, records, position, reason],
                )

    @property
    def has_deliveries(self) -> bool:
        """Whether anything was ever committed."""
        with self._lock, self._writing():
            found = self._connection.execute("SELECT 1 FROM stored.delivery LIMIT 1").fetchone()
        return found is not None

    def checkpoint(self) -> None:
        """Move what the log holds into the file itself, and give free what removed rows took."""
        with self._checkpointing, self._lock, self._writing():
            self._connection.execute(f"SET max_vacuum_tasks = {_JOINED_PARTS}")
            self._connection.execute("CHECKPOINT")
            self._connection.execute("SET max_vacuum_tasks = 0")

    def limit_log(self, mebibytes: int) -> None:
        """Let a commit move the log into the file when it has become so large."""
        with self._lock, self._writing():
            self._log_limit = f"{mebibytes}MiB"
            self._connection.execute(f"SET checkpoint_threshold = '{self._log_limit}'")

    def shorten_log(self) -> None:
        """Move what the log holds into the file where that is due soon."""
        if self.path is None or _size(_log_of(self.path)) < _CHECKPOINT_AT_LEISURE:
            return
        if not self._checkpointing.acquire(blocking=False):
            return
        try:
            with self._lock, self._writing():
                self._move_log()
        finally:
            self._checkpointing.release()

    def _move_log(self) -> None:
        """Move what the log holds into the file, on all cores: whoever commits waits for it."""
        self._connection.execute("RESET threads")
        self._connection.execute("CHECKPOINT")
        self._connection.execute("SET threads = 1")

    def used_size(self) -> int:
        """The bytes in use: of the file without its free blocks, and of its log."""
        with self._lock, self._writing():
            [(in_file,)] = self._connection.execute(
                "SELECT (block_size * used_blocks)::BIGINT FROM pragma_database_size() "
                "WHERE database_name = current_database()"
            ).fetchall()
        log = 0 if self.path is None else _size(_log_of(self.path))
        return int(in_file) + log

    def prune(self, doomed: Slice, *, now_ns: int) -> Removed | None:
        """Remove what a `Slice` says in one transaction; None, and nothing: it has grown since."""
        with self._lock:
            with self._transaction():
                removed = remove(self._connection, doomed, now_ns)
            if removed is not None:
                self._contents.forget(removed)
        return removed

    def forget_old_traces(self) -> None:
        """Keep in mind only the last of the traces that were pruned."""
        with self._lock, self._transaction():
            forget_old_traces(self._connection)

    @contextmanager
    def frozen(self) -> Iterator["Frozen"]:
        """The store as it is now, in files that stay so until the block ends; commits go on.

        DuckDB changes what its file says only at a checkpoint, and otherwise appends to the log: so
        checkpoints wait, and the lock is held only while the log's length is read. What it writes
        ahead of a commit goes into blocks that are free. Raises `StoreError`, also at the end: when
        the file had to be opened again meanwhile.
        """
        if self.path is None or self._file is None:
            raise StoreError("A store in memory has no file.", next_step="Read it where it is.")
        with self._checkpointing, ExitStack() as files:
            with self._lock:
                log = _log_of(self.path)
                with self._writing():
                    if _size(log) > _LOG_A_READER_REPLAYS:
                        self._move_log()
                    self._connection.execute("SET checkpoint_threshold = '1TB'")
                opening = self._openings
                size, log_size = os.fstat(self._file).st_size, _size(log)
                # The log's descriptor may be closed again: only the file itself is locked.
                opened = files.enter_context(log.open("rb")).fileno() if log_size else -1
            try:
                yield Frozen(self.path, self._file, size, opened, log_size)
            finally:
                with self._lock, self._writing():
                    self._connection.execute(f"SET checkpoint_threshold = '{self._log_limit}'")
            # The next commit need not do it alone; what is wrong with the store, it says.
            with suppress(StoreError):
                self.shorten_log()
            if opening != self._openings:
                raise StoreError(
                    "The store was opened again while it was copied.", next_step="Try again."
                )

    def connection(self) -> duckdb.DuckDBPyConnection:
        """The connection itself, to read a store that is open for writing."""
        return self._connection

    def close(self) -> None:
        """End the session cleanly: everything is in the file, and the log is gone."""
        is_clean = False
        with self._checkpointing, self._lock:
            try:
                with self._writing():
                    self._connection.execute(
                        "UPDATE stored.session SET ended_ns = ? WHERE session_no = ?",
                        [time.time_ns(), self._session],
                    )
                self.checkpoint()
                is_clean = True
            finally:
                if self._file is not None:
                    self._connection.close()
                    os.close(self._file)
                if self._acknowledged is not None:
                    self._acknowledged.close(is_clean=is_clean)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._writing():
            try:
                self._connection.execute("BEGIN")
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                # A failed COMMIT has closed the transaction already.
                with suppress(duckdb.Error):
                    self._connection.execute("ROLLBACK")
                self._contents.discard()
                raise

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Say of DuckDB's errors what they mean, and open a file again that it gave up."""
        self._must_be_in_place()
        if self._is_given_up:
            self._open_again()
        try:
            yield
        except duckdb.Error as error:
            self._is_given_up = isinstance(error, duckdb.FatalException)
            raise _write_error(error) from error

    def _must_be_in_place(self) -> None:
        """Refuse to write into a file that nobody can find any more: it ends with this process."""
        if self.path is None or self._file is None:
            return
        with suppress(OSError):
            if os.path.samestat(self.path.stat(), os.fstat(self._file)):
                return
        raise StoreError(
            f"The store {self.path} is gone.",
            next_step="Start again, with it or with another --store.",
        )

    def _open_again(self) -> None:
        assert self.path is not None
        with suppress(duckdb.Error):
            self._connection.close()
        connection = connect(self.path, read_only=False)
        self._attach(connection)
        self._openings += 1
        self._is_given_up = False

    def _record_redaction(self, redacted: int, received_ns: int) -> None:
        if redacted:
            self._connection.execute(
                "INSERT INTO stored.redaction VALUES (?, ?)", [received_ns, redacted]
            )

    def _acknowledge(self) -> None:
        """Note outside of the store what is in it, before anybody is told."""
        if self._acknowledged is not None:
            self._acknowledged.write(self._contents.store_id, self._contents.records)


def _is_empty(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the file is new, or its first writer was killed before it wrote anything."""
    query = "SELECT count(*) = 0 FROM duckdb_schemas() WHERE NOT internal"
    no_schema = bool(connection.execute(query).fetchall()[0][0])
    query = "SELECT count(*) = 0 FROM duckdb_tables()"
    return no_schema and bool(connection.execute(query).fetchall()[0][0])


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Lay an empty store out in the database that `connection` is at."""
    connection.execute("BEGIN")
    # One by one: a script as a whole takes DuckDB twice as long.
    schema = files("tracejury.store").joinpath("schema.sql").read_text(encoding="utf-8")
    for statement in connection.extract_statements(schema):
        connection.execute(statement)
    connection.execute(
        "INSERT INTO stored.format VALUES (?, ?, uuid()::VARCHAR)", [FORMAT_VERSION, __version__]
    )
    connection.execute("COMMIT")


def _account_for_losses(connection: duckdb.DuckDBPyConnection, path: Path) -> Acknowledged:
    """Say and store which acknowledged records are missing, and go on counting."""
    missing = missing_records(connection, path)
    if missing:
        connection.execute("INSERT INTO stored.loss VALUES (?, ?)", [time.time_ns(), missing])
        _log.error(
            "%s lacks %d records that had been acknowledged: its log was damaged or removed.",
            path,
            missing,
        )
    elif is_of_another_store(connection, path):
        _log.warning("%s is not the store that was written here last; that one is gone.", path)
    return Acknowledged(path)


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _write_error(error: duckdb.Error) -> StoreError:
    reason = str(error).splitlines()[0]
    if "No space left" in str(error):
        return StoreError("The disk is full.", next_step="Free some space; nothing stored is lost.")
    return StoreError(
        f"The store could not be written: {reason}.", next_step="Nothing of this request is stored."
    )
