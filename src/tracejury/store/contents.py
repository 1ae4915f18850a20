"""What a store holds, as far as whoever adds to it must know, and how a batch is added."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracejury.store.acknowledged import stored_records
from tracejury.store.attribute_keys import AttributeKeys
from tracejury.store.combine import combine
from tracejury.store.identify import Incoming, identify
from tracejury.store.identities import Hashes, Identities
from tracejury.store.removal import Removed
from tracejury.telemetry.batch import Batch

Mask = NDArray[np.bool_]

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


@dataclass(frozen=True, slots=True)
class Committed:
    """What became of one batch. Counts are of spans, log records, points and alerts together."""

    received: int
    stored: int
    duplicates: int
    rejected: int


class Contents:
    """What one connection adds to, in a transaction of its owner; for one thread at a time.

    After `insert` comes `settle` where the transaction was committed, else `discard`.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._next = dict(connection.execute(_NEXT_NUMBERS).fetchall())
        self._spans = Identities(_column(connection, "span", "identity"))
        self._logs = Identities(_column(connection, "log_record", "identity"))
        self._points = Identities(_column(connection, "metric_point", "identity"))
        self._alerts = Identities(_column(connection, "alert", "identity"))
        self._metrics = set(_column(connection, "metric", "metric_id").tolist())
        self._resources = set(_column(connection, "resource", "resource_id").tolist())
        self._scopes = set(_column(connection, "scope", "scope_id").tolist())
        self._keys = AttributeKeys(connection)
        self.store_id, self.records = stored_records(connection)
        self._inserted: tuple[Incoming, _Kept] | None = None

    def insert(
        self, batches: Sequence[Batch], session: int, *, received_ns: int, source: str
    ) -> list[Committed]:
        """Add what is new in `batches`, later ones as later requests; what became of each.

        `received_ns` is nanoseconds since 1970; `source` names where the bytes came from.
        """
        incoming = identify(combine(batches))
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
        self._inserted = incoming, kept
        return self._record_delivery(batches, kept, (session, received_ns, source))

    def settle(self) -> None:
        """What was inserted is committed: take it into account for what comes next."""
        assert self._inserted is not None
        incoming, kept = self._inserted
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
        self.records += kept.records
        self._inserted = None

    def discard(self) -> None:
        """What was inserted is not committed."""
        self._keys.discard()
        self._inserted = None

    def forget(self, removed: Removed) -> None:
        """What was removed is new where it comes again."""
        self._spans.remove(removed.spans)
        self._logs.remove(removed.logs)
        self._points.remove(removed.points)
        self._alerts.remove(removed.alerts)

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
        self, batches: Sequence[Batch], kept: "_Kept", delivery: tuple[int, int, str]
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
                        [*delivery, signal, batch.requests, *astuple(outcome)],
                    )
            committed.append(Committed(*np.sum(outcomes, axis=0).tolist()))
        return committed


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


def _column(connection: duckdb.DuckDBPyConnection, table: str, column: str) -> Hashes:
    hashes = connection.execute(f"SELECT {column} FROM stored.{table}").fetchnumpy()[column]
    return np.asarray(hashes, dtype=np.uint64)
