"""Write batches to a store: one transaction a commit, durable when it returns."""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final, Self

import duckdb
import numpy as np
import pyarrow as pa

from tracejury import __version__
from tracejury.errors import StoreError
from tracejury.store.combine import combine
from tracejury.store.connection import FORMAT_VERSION, check_format, connect
from tracejury.telemetry.batch import Batch

# A commit is one fdatasync of the log; the larger the log may grow, the rarer a checkpoint
# holds up the commits behind it.
_CHECKPOINT_THRESHOLD: Final = "256MB"


@dataclass(frozen=True, slots=True)
class Committed:
    """What became of one batch. Counts are of spans and log records together."""

    received: int
    stored: int
    duplicates: int
    rejected: int


class Store:
    """The one writer of a store file. Safe to call from several threads.

    Raises `StoreError` when the file cannot be opened, is held by another program, or cannot be
    written; a failed commit stores nothing.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path | None, kind: str) -> None:
        self._connection = connection
        self._lock = threading.RLock()
        self.path = path
        self._file = None if path is None else os.open(path, os.O_RDONLY)
        connection.execute(f"SET checkpoint_threshold = '{_CHECKPOINT_THRESHOLD}'")
        self._next = {
            column: _next_number(connection, table, column)
            for table, column in (
                ("span", "span_no"),
                ("span_event", "event_no"),
                ("span_link", "link_no"),
                ("log_record", "log_no"),
            )
        }
        self._next_request = max(
            _next_number(connection, "span", "request_no"),
            _next_number(connection, "log_record", "request_no"),
        )
        self._session = _next_number(connection, "session", "session_no")
        connection.execute(
            "INSERT INTO stored.session VALUES (?, ?, ?, NULL)",
            [self._session, kind, time.time_ns()],
        )

    @classmethod
    def open(cls, path: Path, *, kind: str = "serve") -> Self:
        """Open or create the store at `path`. `kind` names the session: 'serve' or 'import'."""
        is_new = not path.exists()
        connection = connect(path, read_only=False)
        try:
            if is_new:
                _create(connection)
            else:
                check_format(connection, path)
            return cls(connection, path, kind)
        except duckdb.Error as error:
            connection.close()
            raise _write_error(error) from error

    @classmethod
    def in_memory(cls) -> Self:
        """A store that lives as long as this object."""
        connection = duckdb.connect(":memory:")
        _create(connection)
        return cls(connection, None, "import")

    def commit(self, batches: Sequence[Batch], *, received_ns: int, source: str) -> list[Committed]:
        """Store `batches` in one transaction; what is returned is on disk.

        `received_ns` is nanoseconds since 1970 by this machine's clock; `source` names where the
        bytes came from. Later batches are later requests.
        """
        with self._lock, self._registered(combine(batches)), self._transaction():
            self._identify()
            self._insert_resources()
            counts = _count(self._connection, batches)
            self._insert_spans(received_ns)
            self._insert_logs(received_ns)
            self._next_request += sum(batch.requests for batch in batches)
            self._record_delivery(batches, counts, received_ns, source)
        return [
            Committed(received, received - duplicates - rejected, duplicates, rejected)
            for received, duplicates, rejected in (
                (sum(c[0] for c in signals), sum(c[1] for c in signals), sum(c[2] for c in signals))
                for signals in counts
            )
        ]

    def count_metrics(self, *, requests: int, points: int, received_ns: int, source: str) -> None:
        """Record that metrics arrived and were not stored."""
        with self._lock, self._transaction():
            self._connection.execute(
                "INSERT INTO stored.delivery VALUES (?, ?, ?, 'metrics', ?, ?, 0, 0, 0)",
                [self._session, received_ns, source, requests, points],
            )

    def checkpoint(self) -> None:
        """Move what the log holds into the file itself."""
        with self._lock:
            try:
                self._connection.execute("CHECKPOINT")
            except duckdb.Error as error:
                raise _write_error(error) from error

    @contextmanager
    def paused(self) -> Iterator[tuple[Path, int]]:
        """The path of the file and a descriptor of it, whole, while no commit can run.

        Whoever reads the file in this process must use the descriptor: closing any other one of
        the same file would give up DuckDB's lock on it, as POSIX has it.
        """
        if self.path is None or self._file is None:
            raise StoreError("A store in memory has no file.")
        with self._lock:
            self.checkpoint()
            yield self.path, self._file

    def connection(self) -> duckdb.DuckDBPyConnection:
        """The connection itself, to read a store in memory."""
        return self._connection

    def close(self) -> None:
        """End the session cleanly: everything is in the file, and the log is gone."""
        with self._lock:
            try:
                self._connection.execute(
                    "UPDATE stored.session SET ended_ns = ? WHERE session_no = ?",
                    [time.time_ns(), self._session],
                )
                self._connection.execute("CHECKPOINT")
            except duckdb.Error as error:
                raise _write_error(error) from error
            finally:
                if self._file is not None:
                    self._connection.close()
                    os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._connection.execute("BEGIN")
            yield
            self._connection.execute("COMMIT")
        except duckdb.Error as error:
            # A failed COMMIT has closed the transaction already.
            with suppress(duckdb.Error):
                self._connection.execute("ROLLBACK")
            raise _write_error(error) from error

    @contextmanager
    def _registered(self, batch: Batch) -> Iterator[None]:
        tables = {
            "incoming_resource": _numbered(batch.resources),
            "incoming_resource_attribute": batch.resource_attributes,
            "incoming_scope": _numbered(batch.scopes),
            "incoming_scope_attribute": batch.scope_attributes,
            "incoming_span": _numbered(batch.spans),
            "incoming_span_attribute": batch.span_attributes,
            "incoming_event": _numbered(batch.events),
            "incoming_event_attribute": batch.event_attributes,
            "incoming_link": _numbered(batch.links),
            "incoming_link_attribute": batch.link_attributes,
            "incoming_log": _numbered(batch.logs),
            "incoming_log_attribute": batch.log_attributes,
        }
        for name, table in tables.items():
            self._connection.register(name, table)
        try:
            yield
        finally:
            for name in tables:
                self._connection.unregister(name)

    def _identify(self) -> None:
        for name, table in (
            ("resource", "resource_of_row"),
            ("scope", "scope_of_row"),
            ("span", "identified_span"),
            ("log", "identified_log"),
        ):
            self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {_INGEST[name]}")

    def _insert_resources(self) -> None:
        for kind, columns in (
            ("resource", "schema_url, dropped_attributes"),
            ("scope", "name, version, schema_url, dropped_attributes"),
        ):
            self._connection.execute(f"""
                CREATE OR REPLACE TEMP TABLE new_{kind} AS
                SELECT {kind}_id, min(row) AS row
                FROM {kind}_of_row
                WHERE {kind}_id NOT IN (SELECT {kind}_id FROM stored.{kind})
                GROUP BY {kind}_id
            """)
            self._connection.execute(f"""
                INSERT INTO stored.{kind}
                SELECT {kind}_id, {columns}
                FROM new_{kind} JOIN incoming_{kind} USING (row)
                ORDER BY row
            """)
            self._connection.execute(f"""
                INSERT INTO stored.{kind}_attribute
                SELECT {kind}_id, key, type, value
                FROM incoming_{kind}_attribute JOIN new_{kind} ON row = owner
            """)

    def _insert_spans(self, received_ns: int) -> None:
        first = self._next["span_no"]
        self._connection.execute(
            """
            INSERT INTO stored.span
            SELECT
                ? + row, ? + request, ?, resource_id, scope_id, trace_id, span_id,
                parent_span_id, trace_state, flags, name, kind, start_ns, end_ns, status_code,
                status_message, dropped_attributes, dropped_events, dropped_links, identity
            FROM incoming_span JOIN identified_span USING (row)
            WHERE NOT is_duplicate
            ORDER BY row
            """,
            [first, self._next_request, received_ns],
        )
        self._connection.execute(
            """
            INSERT INTO stored.duplicate_span
            SELECT identity, ? FROM identified_span WHERE is_duplicate
            """,
            [received_ns],
        )
        self._connection.execute(
            """
            CREATE OR REPLACE TEMP VIEW kept_span AS
            SELECT row FROM identified_span WHERE NOT is_duplicate
            """
        )
        self._connection.execute(
            """
            INSERT INTO stored.span_attribute
            SELECT ? + owner, key, type, value
            FROM incoming_span_attribute
            WHERE owner IN (FROM kept_span)
            """,
            [first],
        )
        self._insert_events()
        self._insert_links()
        self._next["span_no"] += self._size("incoming_span")

    def _insert_events(self) -> None:
        first, first_span = self._next["event_no"], self._next["span_no"]
        self._connection.execute(
            """
            INSERT INTO stored.span_event
            SELECT ? + row, ? + owner, time_ns, name, dropped_attributes
            FROM incoming_event
            WHERE owner IN (FROM kept_span)
            ORDER BY row
            """,
            [first, first_span],
        )
        self._connection.execute(
            """
            INSERT INTO stored.event_attribute
            SELECT ? + owner, key, type, value
            FROM incoming_event_attribute
            WHERE owner IN (SELECT row FROM incoming_event WHERE owner IN (FROM kept_span))
            """,
            [first],
        )
        self._next["event_no"] += self._size("incoming_event")

    def _insert_links(self) -> None:
        first, first_span = self._next["link_no"], self._next["span_no"]
        self._connection.execute(
            """
            INSERT INTO stored.span_link
            SELECT
                ? + row, ? + owner, trace_id, span_id, trace_state, flags, dropped_attributes
            FROM incoming_link
            WHERE owner IN (FROM kept_span)
            ORDER BY row
            """,
            [first, first_span],
        )
        self._connection.execute(
            """
            INSERT INTO stored.link_attribute
            SELECT ? + owner, key, type, value
            FROM incoming_link_attribute
            WHERE owner IN (SELECT row FROM incoming_link WHERE owner IN (FROM kept_span))
            """,
            [first],
        )
        self._next["link_no"] += self._size("incoming_link")

    def _insert_logs(self, received_ns: int) -> None:
        first = self._next["log_no"]
        self._connection.execute(
            """
            INSERT INTO stored.log_record
            SELECT
                ? + incoming.row, ? + incoming.request, ?, resource_id, scope_id, time_ns,
                observed_ns, severity_number, severity_text, event_name, body_type, body,
                trace_id, span_id, flags, dropped_attributes, identity
            FROM incoming_log AS incoming
            JOIN identified_log AS identified ON identified.row = incoming.row
            WHERE NOT is_duplicate
            ORDER BY incoming.row
            """,
            [first, self._next_request, received_ns],
        )
        self._connection.execute(
            """
            INSERT INTO stored.log_attribute
            SELECT ? + owner, key, type, value
            FROM incoming_log_attribute
            WHERE owner IN (SELECT row FROM identified_log WHERE NOT is_duplicate)
            """,
            [first],
        )
        self._next["log_no"] += self._size("incoming_log")

    def _size(self, table: str) -> int:
        return int(self._connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])

    def _record_delivery(
        self,
        batches: Sequence[Batch],
        counts: list[tuple[tuple[int, int, int], tuple[int, int, int]]],
        received_ns: int,
        source: str,
    ) -> None:
        for batch, signals in zip(batches, counts, strict=True):
            for signal, (received, duplicates, rejected) in zip(
                ("traces", "logs"), signals, strict=True
            ):
                if not received:
                    continue
                self._connection.execute(
                    "INSERT INTO stored.delivery VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [
                        self._session,
                        received_ns,
                        source,
                        signal,
                        batch.requests,
                        received,
                        received - duplicates - rejected,
                        duplicates,
                        rejected,
                    ],
                )


def _statements() -> dict[str, str]:
    text = files("tracejury.store").joinpath("ingest.sql").read_text()
    parts = (part.partition("\n") for part in text.split("-- name: ")[1:])
    return {name.strip(): body.strip().removesuffix(";") for name, _, body in parts}


_INGEST: Final = _statements()


def _create(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("BEGIN")
    connection.execute(files("tracejury.store").joinpath("schema.sql").read_text())
    connection.execute("INSERT INTO stored.format VALUES (?, ?)", [FORMAT_VERSION, __version__])
    connection.execute("COMMIT")


def _next_number(connection: duckdb.DuckDBPyConnection, table: str, column: str) -> int:
    query = f"SELECT coalesce(max({column}) + 1, 0) FROM stored.{table}"
    return int(connection.execute(query).fetchall()[0][0])


def _numbered(table: pa.Table) -> pa.Table:
    return table.append_column("row", pa.array(np.arange(table.num_rows, dtype=np.int64)))


def _count(
    connection: duckdb.DuckDBPyConnection, batches: Sequence[Batch]
) -> list[tuple[tuple[int, int, int], tuple[int, int, int]]]:
    """Received, duplicates and rejected of each batch: of its spans, and of its log records."""
    duplicate_rows = {
        kind: connection.execute(
            f"SELECT row FROM identified_{kind} WHERE is_duplicate ORDER BY row"
        ).fetchnumpy()["row"]
        for kind in ("span", "log")
    }
    counts = []
    first_span = first_log = 0
    for batch in batches:
        rejected = int(batch.rejections["rejected"].to_numpy().sum())
        spans, logs = batch.spans.num_rows, batch.logs.num_rows
        span_duplicates = _between(duplicate_rows["span"], first_span, first_span + spans)
        log_duplicates = _between(duplicate_rows["log"], first_log, first_log + logs)
        counts.append(((spans + rejected, span_duplicates, rejected), (logs, log_duplicates, 0)))
        first_span += spans
        first_log += logs
    return counts


def _between(rows: "np.ndarray[tuple[int], np.dtype[np.int64]]", first: int, end: int) -> int:
    return int(np.searchsorted(rows, end) - np.searchsorted(rows, first))


def _write_error(error: duckdb.Error) -> StoreError:
    reason = str(error).splitlines()[0]
    if "No space left" in str(error):
        return StoreError("The disk is full.", next_step="Free some space; nothing stored is lost.")
    return StoreError(f"The store could not be written: {reason}.")
