"""Give every incoming record its identity: a hash of what it says, after decoding.

A span's identity covers its ids, everything it carries, its scope and its resource; so a request
that is sent again is recognised, whether it came as JSON or protobuf, before or after a restart.
Attributes, events and links count in any order: their hashes are added up.
"""

from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
import pyarrow as pa

from tracejury.store.content_hash import ContentHashes, Hashes
from tracejury.store.plain_columns import items_of_lists, plain
from tracejury.telemetry.batch import Batch

_TABLES: Final = [
    field.name for field in fields(Batch) if field.name not in {"requests", "rejections"}
]

# Alertmanager repeats an alert while it fires; the rest of what it says may change meanwhile.
_SAME_ALERT: Final = ["fingerprint", "starts_ns", "status", "ends_ns"]

# Where a record stands in its batch says nothing about what it is.
_PLACES: Final = frozenset({"request", "resource", "scope", "metric", "owner"})


@dataclass(frozen=True, slots=True)
class Incoming:
    """A batch whose tables have more columns.

    All have `row`; resources, scopes and metrics `id`; spans, log records and points `resource_id`,
    `scope_id` and `identity`; points `metric_id`; alerts `identity`.
    """

    batch: Batch


def identify(batch: Batch) -> Incoming:
    """The batch with its identities. Safe to call from several threads at once."""
    lists: dict[str, pa.Table] = {}
    if batch.points.num_rows:
        lists = {f"points.{name}": items for name, items in items_of_lists(batch.points)}
    tables = {name: getattr(batch, name) for name in _TABLES} | lists
    tables["alerts"] = batch.alerts.select(_SAME_ALERT)
    content = ContentHashes(
        {name: _content(rows) for name, rows in tables.items() if rows.num_rows}
    )

    def digests(owners: pa.Table, parts: str, *inner: Hashes) -> Hashes:
        return _sums(owners, tables[parts], content.rows(parts, *inner))

    resources, scopes = batch.resources, batch.scopes
    resource_ids = content.rows("resources", digests(resources, "resource_attributes"))
    scope_ids = content.rows("scopes", digests(scopes, "scope_attributes"))
    spans = _placed(batch.spans, resource_ids, scope_ids)
    logs = _placed(batch.logs, resource_ids, scope_ids)
    span_hashes = content.rows(
        "spans",
        *_origins(spans),
        digests(spans, "span_attributes"),
        digests(spans, "events", digests(batch.events, "event_attributes")),
        digests(spans, "links", digests(batch.links, "link_attributes")),
    )
    metrics = batch.metrics
    metric_ids = content.rows("metrics", digests(metrics, "metric_attributes"))
    points = _placed(batch.points, resource_ids, scope_ids).append_column(
        "metric_id", pa.array(metric_ids[batch.points["metric"].to_numpy()])
    )
    point_hashes = content.rows(
        "points",
        *_origins(points),
        points["metric_id"].to_numpy(),
        digests(points, "point_attributes"),
        digests(points, "exemplars", digests(batch.exemplars, "exemplar_attributes")),
        *(digests(points, items) for items in lists),
    )
    log_hashes = content.rows("logs", *_origins(logs), digests(logs, "log_attributes"))
    return Incoming(
        replace(
            batch,
            resources=_numbered(resources).append_column("id", pa.array(resource_ids)),
            scopes=_numbered(scopes).append_column("id", pa.array(scope_ids)),
            spans=spans.append_column("identity", pa.array(span_hashes)),
            events=_numbered(batch.events),
            links=_numbered(batch.links),
            logs=logs.append_column("identity", pa.array(log_hashes)),
            metrics=_numbered(metrics).append_column("id", pa.array(metric_ids)),
            points=points.append_column("identity", pa.array(point_hashes)),
            exemplars=_numbered(batch.exemplars),
            alerts=_numbered(batch.alerts).append_column(
                "identity", pa.array(content.rows("alerts"))
            ),
        )
    )


def _content(rows: pa.Table) -> pa.Table:
    return plain(rows.select([name for name in rows.column_names if name not in _PLACES]))


def _numbered(table: pa.Table) -> pa.Table:
    return table.append_column("row", pa.array(np.arange(table.num_rows, dtype=np.int64)))


def _placed(records: pa.Table, resource_ids: Hashes, scope_ids: Hashes) -> pa.Table:
    return (
        _numbered(records)
        .append_column("resource_id", pa.array(resource_ids[records["resource"].to_numpy()]))
        .append_column("scope_id", pa.array(scope_ids[records["scope"].to_numpy()]))
    )


def _origins(records: pa.Table) -> list[Hashes]:
    return [records["resource_id"].to_numpy(), records["scope_id"].to_numpy()]


def _sums(owners: pa.Table, parts: pa.Table, hashes: Hashes) -> Hashes:
    """For each owner the sum of the hashes of its parts, which may overflow."""
    sums = np.zeros(owners.num_rows, dtype=np.uint64)
    if parts.num_rows:
        np.add.at(sums, parts["owner"].to_numpy(), hashes)
    return sums
