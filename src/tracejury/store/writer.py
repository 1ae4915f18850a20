"""Write batches to a store: one transaction a commit, durable when it returns."""

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import astuple, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final, Self

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracejury import __version__
from tracejury.config import Keeping
from tracejury.errors import StoreError
from tracejury.store.acknowledged import (
    Acknowledged,
    is_of_another_store,
    missing_records,
    stored_records,
)
from tracejury.store.attribute_keys import AttributeKeys
from tracejury.store.combine import combine
from tracejury.store.connection import FORMAT_VERSION, connect
from tracejury.store.identify import Incoming, identify
from tracejury.store.identities import Hashes, Identities
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

# Where a record stands in its batch.
_PLACES: Final = dict.fromkeys(["row", "request", "resource", "scope", "metric"])

# Where it comes from, in the order of the tables' columns.
_ORIGIN: Final = dict.fromkeys(["resource_id", "scope_id", "metric_id"])

# The number that comes after all that are stored. Notifications are numbered among the requests.
_NEXT_NUMBERS: Final = """
    SELECT name, coalesce(max(number) + 1, 0)
    FROM (
        SELECT 'span_no' AS name, max(span_no) AS number FROM stored.span
        UNION ALL
        SELECT 'event_no', max(event_no) FROM stored.span_event
        UNION ALL
        SELECT 'link_no', max(link_no) FROM stored.span_link
        UNION ALL
        SELECT 'log_no', max(log_no) FROM stored.log_record
        UNION ALL
        SELECT 'point_no', max(point_no) FROM stored.metric_point
        UNION ALL
        SELECT 'exemplar_no', max(exemplar_no) FROM stored.exemplar
        UNION ALL
        SELECT 'alert_no', max(alert_no) FROM stored.alert
        UNION ALL
        SELECT 'request_no', max(request_no) FROM stored.span
        UNION ALL
        SELECT 'request_no', max(request_no) FROM stored.log_record
        UNION ALL
        SELECT 'request_no', max(request_no) FROM stored.metric_point
        UNION ALL
        SELECT 'request_no', max(notification_no) FROM stored.alert
    )
    GROUP BY name
"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Committed:
    """What became of one batch. Counts are of spans, log records, points and alerts together."""

    received: int
    stored: int
    duplicates: int
    rejected: int


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
        self._next = dict(connection.execute(_NEXT_NUMBERS).fetchall())
        self._spans = Identities(_column(connection, "span", "identity"))
        self._logs = Identities(_column(connection, "log_record", "identity"))
        self._points = Identities(_column(connection, "metric_point", "identity"))
        self._alerts = Identities(_column(connection, "alert", "identity"))
        self._metrics = set(_column(connection, "metric", "metric_id").tolist())
        self._resources = set(_column(connection, "resource", "resource_id").tolist())
        self._scopes = set(_column(connection, "scope", "scope_id").tolist())
        self._keys = AttributeKeys(connection)
        self._store_id, self._records = stored_records(connection)
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
        with self._lock, self._transaction():
            incoming = identify(combine(cleaned))
            batch = incoming.batch
            kept = _Kept(
                spans=_first_of_their_kind(batch.spans, self._spans),
                logs=_new_to_earlier_requests(batch.logs, self._logs),
                points=_new_to_earlier_requests(batch.points, self._points),
                alerts=_first_of_their_kind(batch.alerts, self._alerts),
            )
            self._insert_origins(incoming)
            self._insert_spans(batch, kept.spans, received_ns)
            self._insert_logs(batch, kept.logs, received_ns)
            self._insert_points(batch, kept.points, received_ns)
            self._append_records("alert", "alert_no", batch.alerts, kept.alerts, received_ns)
            self._append("attribute_key", self._keys.added())
            committed = self._record_delivery(batches, kept, received_ns, source)
            self._record_redaction(redacted, received_ns)
        self._remember(incoming, kept)
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
        with self._lock, self._transaction():
            removed = remove(self._connection, doomed, now_ns)
        if removed is not None:
            self._spans.remove(removed.spans)
            self._logs.remove(removed.logs)
            self._points.remove(removed.points)
            self._alerts.remove(removed.alerts)
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
                self._keys.discard()
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

    def _insert_origins(self, incoming: Incoming) -> None:
        batch = incoming.batch
        self._insert_origin("resource", batch.resources, batch.resource_attributes, self._resources)
        self._insert_origin("scope", batch.scopes, batch.scope_attributes, self._scopes)
        self._insert_origin("metric", batch.metrics, batch.metric_attributes, self._metrics)

    def _insert_origin(
        self, kind: str, rows: pa.Table, attributes: pa.Table, known: set[int]
    ) -> None:
        """Store the resources, scopes or metrics that are new, each once."""
        ids, first = np.unique(rows["id"].to_numpy(), return_index=True)
        is_new = np.array([int(id_) not in known for id_ in ids], dtype=bool)
        chosen = np.sort(first[is_new])
        if not len(chosen):
            return
        columns = [name for name in rows.column_names if name != "row"]
        order = ["id", *(name for name in columns if name != "id")]
        self._append(kind, rows.take(pa.array(chosen)).select(order))
        owners = attributes["owner"].to_numpy()
        kept = attributes.filter(pa.array(np.isin(owners, chosen)))
        owner_ids = rows["id"].to_numpy()[kept["owner"].to_numpy()]
        self._append(f"{kind}_attribute", kept.set_column(0, "id", pa.array(owner_ids)))

    def _insert_spans(self, batch: Batch, is_kept: Mask, received_ns: int) -> None:
        self._append_records("span", "span_no", batch.spans, is_kept, received_ns)
        if not is_kept.all():
            again = batch.spans.filter(pa.array(~is_kept)).select(["identity"])
            received = pa.array(np.full(again.num_rows, received_ns, dtype=np.uint64))
            self._append("duplicate_span", again.append_column("received_ns", received))
        self._append_attributes("span", batch.span_attributes, is_kept)
        self._insert_parts("event", batch.events, batch.event_attributes, is_kept)
        self._insert_parts("link", batch.links, batch.link_attributes, is_kept)

    def _insert_parts(
        self, kind: str, parts: pa.Table, attributes: pa.Table, is_kept: Mask
    ) -> None:
        """Store the events or links of the spans that are kept."""
        if not parts.num_rows:
            return
        first = self._next[f"{kind}_no"]
        of_kept = is_kept[parts["owner"].to_numpy()]
        kept = _owned(parts.drop_columns("row"), is_kept, self._next["span_no"])
        numbers = first + np.flatnonzero(of_kept)
        self._append(f"span_{kind}", kept.add_column(0, f"{kind}_no", pa.array(numbers)))
        self._append_attributes(kind, attributes, of_kept)

    def _insert_logs(self, batch: Batch, is_kept: Mask, received_ns: int) -> None:
        self._append_records("log_record", "log_no", batch.logs, is_kept, received_ns)
        self._append_attributes("log", batch.log_attributes, is_kept)

    def _insert_points(self, batch: Batch, is_kept: Mask, received_ns: int) -> None:
        if not batch.points.num_rows:
            return
        self._append_records("metric_point", "point_no", batch.points, is_kept, received_ns)
        self._append_attributes("point", batch.point_attributes, is_kept)
        of_kept = is_kept[batch.exemplars["owner"].to_numpy()]
        exemplars = _owned(batch.exemplars.drop_columns("row"), is_kept, self._next["point_no"])
        numbers = pa.array(self._next["exemplar_no"] + np.flatnonzero(of_kept))
        self._append("exemplar", exemplars.add_column(0, "exemplar_no", numbers))
        self._append_attributes("exemplar", batch.exemplar_attributes, of_kept)

    def _append_attributes(self, kind: str, attributes: pa.Table, is_kept: Mask) -> None:
        """Store the attributes of the rows of one kind that are kept."""
        if not attributes.num_rows:
            return
        kept = _owned(attributes, is_kept, self._next[f"{kind}_no"])
        numbers = self._keys.numbers(kept)
        columns = [kept["owner"], numbers, kept["value"]]
        self._append(f"{kind}_value", pa.table(columns, ["owner", "key_no", "value"]))

    def _append_records(
        self, table: str, number: str, records: pa.Table, is_kept: Mask, received_ns: int
    ) -> None:
        """Store the spans, log records, data points or alerts that are kept."""
        kept = records if is_kept.all() else records.filter(pa.array(is_kept))
        if not kept.num_rows:
            return
        placed = {
            number: kept["row"].to_numpy() + self._next[number],
            "request_no": kept["request"].to_numpy() + np.int64(self._next["request_no"]),
            "received_ns": np.full(kept.num_rows, received_ns, dtype=np.uint64),
        }
        origin = [name for name in _ORIGIN if name in kept.column_names]
        content = [name for name in kept.column_names if name not in _ORIGIN | _PLACES]
        named = {name: kept[name] for name in [*origin, *content]}
        self._append(table, pa.table(placed | named))

    def _append(self, table: str, rows: pa.Table) -> None:
        """Insert `rows` by position."""
        if rows.num_rows:
            # DuckDB finds `rows` here by its name. The table's is one of this file.
            self._connection.execute(f"INSERT INTO stored.{table} FROM rows")

    def _record_delivery(
        self, batches: Sequence[Batch], kept: "_Kept", received_ns: int, source: str
    ) -> list[Committed]:
        committed = []
        ends = {"traces": 0, "logs": 0, "metrics": 0, "alerts": 0}
        for batch in batches:
            outcomes = []
            for signal, rows, is_kept in kept.by_signal(batch):
                start, ends[signal] = ends[signal], ends[signal] + rows.num_rows
                rejected = _rejected(batch) if signal == "traces" else 0
                outcome = _outcome(is_kept[start : ends[signal]], rejected)
                outcomes.append(astuple(outcome))
                if outcome.received:
                    self._connection.execute(
                        "INSERT INTO stored.delivery VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        [
                            self._session,
                            received_ns,
                            source,
                            signal,
                            batch.requests,
                            *astuple(outcome),
                        ],
                    )
            committed.append(Committed(*np.sum(outcomes, axis=0).tolist()))
        return committed

    def _record_redaction(self, redacted: int, received_ns: int) -> None:
        if redacted:
            self._connection.execute(
                "INSERT INTO stored.redaction VALUES (?, ?)", [received_ns, redacted]
            )

    def _acknowledge(self) -> None:
        """Note outside of the store what is in it, before anybody is told."""
        if self._acknowledged is not None:
            self._acknowledged.write(self._store_id, self._records)

    def _remember(self, incoming: Incoming, kept: "_Kept") -> None:
        """Take what is committed into account for what comes next."""
        batch = incoming.batch
        self._keys.settle()
        self._spans.add(batch.spans["identity"].to_numpy()[kept.spans])
        self._logs.add(batch.logs["identity"].to_numpy()[kept.logs])
        self._points.add(batch.points["identity"].to_numpy()[kept.points])
        self._alerts.add(batch.alerts["identity"].to_numpy()[kept.alerts])
        self._resources.update(batch.resources["id"].to_pylist())
        self._scopes.update(batch.scopes["id"].to_pylist())
        self._metrics.update(batch.metrics["id"].to_pylist())
        self._next["span_no"] += batch.spans.num_rows
        self._next["event_no"] += batch.events.num_rows
        self._next["link_no"] += batch.links.num_rows
        self._next["log_no"] += batch.logs.num_rows
        self._next["point_no"] += batch.points.num_rows
        self._next["exemplar_no"] += batch.exemplars.num_rows
        self._next["alert_no"] += batch.alerts.num_rows
        self._next["request_no"] += batch.requests
        self._records += kept.records
        self._acknowledge()


@dataclass(frozen=True, slots=True)
class _Kept:
    """Which records of a commit are new."""

    spans: Mask
    logs: Mask
    points: Mask
    alerts: Mask

    @property
    def records(self) -> int:
        masks = (self.spans, self.logs, self.points, self.alerts)
        return sum(int(mask.sum()) for mask in masks)

    def by_signal(self, batch: Batch) -> tuple[tuple[str, pa.Table, Mask], ...]:
        """Each signal with its records in `batch`, and which of the whole commit are kept."""
        return (
            ("traces", batch.spans, self.spans),
            ("logs", batch.logs, self.logs),
            ("metrics", batch.points, self.points),
            ("alerts", batch.alerts, self.alerts),
        )


def _first_of_their_kind(records: pa.Table, known: Identities) -> Mask:
    """Which spans or alerts are stored neither already nor earlier in this commit."""
    identity = records["identity"].to_numpy()
    is_first = np.zeros(len(identity), dtype=bool)
    is_first[np.unique(identity, return_index=True)[1]] = True
    return is_first & ~known.among(identity)


def _new_to_earlier_requests(records: pa.Table, known: Identities) -> Mask:
    """Which log records or data points no earlier request held.

    Services do repeat themselves inside one request, and mean it.
    """
    identity, request = records["identity"].to_numpy(), records["request"].to_numpy()
    _, group = np.unique(identity, return_inverse=True)
    earliest = np.full(len(identity), np.iinfo(np.int64).max)
    np.minimum.at(earliest, group, request.astype(np.int64))
    is_new: Mask = (request == earliest[group]) & ~known.among(identity)
    return is_new


def _owned(rows: pa.Table, is_kept: Mask, first: int) -> pa.Table:
    """The rows whose owner is kept, with the owner's number in the store."""
    owners = rows["owner"].to_numpy()
    if not is_kept.all():
        of_kept = is_kept[owners]
        rows, owners = rows.filter(pa.array(of_kept)), owners[of_kept]
    numbers = owners.astype(np.int64) + first
    return rows.set_column(rows.schema.get_field_index("owner"), "owner", pa.array(numbers))


def _rejected(batch: Batch) -> int:
    return int(batch.rejections["rejected"].to_numpy().sum())


def _outcome(is_kept: Mask, rejected: int) -> Committed:
    kept = int(is_kept.sum())
    return Committed(len(is_kept) + rejected, kept, len(is_kept) - kept, rejected)


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


def _column(connection: duckdb.DuckDBPyConnection, table: str, column: str) -> Hashes:
    hashes = connection.execute(f"SELECT {column} FROM stored.{table}").fetchnumpy()[column]
    return np.asarray(hashes, dtype=np.uint64)


def _write_error(error: duckdb.Error) -> StoreError:
    reason = str(error).splitlines()[0]
    if "No space left" in str(error):
        return StoreError("The disk is full.", next_step="Free some space; nothing stored is lost.")
    return StoreError(
        f"The store could not be written: {reason}.", next_step="Nothing of this request is stored."
    )
