"""Give every incoming record its identity: a hash of what it says, after decoding.

A span's identity covers its ids, everything it carries, its scope and its resource; so a request
that is sent again is recognised, whether it came as JSON or protobuf, before or after a restart.
"""

from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

from tracejury.store.identities import Hashes
from tracejury.telemetry.batch import Batch


@dataclass(frozen=True, slots=True)
class Incoming:
    """A batch whose tables have more columns.

    All have `row`; resources and scopes `id`; spans and log records `resource_id`, `scope_id` and
    `identity`.
    """

    batch: Batch


def identify(connection: duckdb.DuckDBPyConnection, batch: Batch) -> Incoming:
    """The batch with its identities; `connection` only lends its hash function."""
    resources = _numbered(batch.resources)
    resource_ids = _hashes(
        connection,
        "resource",
        incoming_resource=resources,
        incoming_resource_attribute=batch.resource_attributes,
    )
    scopes = _numbered(batch.scopes)
    scope_ids = _hashes(
        connection, "scope", incoming_scope=scopes, incoming_scope_attribute=batch.scope_attributes
    )
    spans = _placed(batch.spans, resource_ids, scope_ids)
    events, links = _numbered(batch.events), _numbered(batch.links)
    span_hashes = _hashes(
        connection,
        "span",
        incoming_span=spans,
        incoming_span_attribute=batch.span_attributes,
        incoming_event=events,
        incoming_event_attribute=batch.event_attributes,
        incoming_link=links,
        incoming_link_attribute=batch.link_attributes,
    )
    logs = _placed(batch.logs, resource_ids, scope_ids)
    log_hashes = _hashes(
        connection, "log", incoming_log=logs, incoming_log_attribute=batch.log_attributes
    )
    return Incoming(
        replace(
            batch,
            resources=resources.append_column("id", pa.array(resource_ids)),
            scopes=scopes.append_column("id", pa.array(scope_ids)),
            spans=spans.append_column("identity", pa.array(span_hashes)),
            events=events,
            links=links,
            logs=logs.append_column("identity", pa.array(log_hashes)),
        )
    )


def _numbered(table: pa.Table) -> pa.Table:
    return table.append_column("row", pa.array(np.arange(table.num_rows, dtype=np.int64)))


def _placed(records: pa.Table, resource_ids: Hashes, scope_ids: Hashes) -> pa.Table:
    return (
        _numbered(records)
        .append_column("resource_id", pa.array(resource_ids[records["resource"].to_numpy()]))
        .append_column("scope_id", pa.array(scope_ids[records["scope"].to_numpy()]))
    )


def _hashes(connection: duckdb.DuckDBPyConnection, name: str, **tables: pa.Table) -> Hashes:
    if not tables[f"incoming_{name}"].num_rows:
        return np.empty(0, dtype=np.uint64)
    for table, rows in tables.items():
        connection.register(table, rows)
    try:
        ids = connection.execute(_STATEMENTS[name]).fetchnumpy()["id"]
    finally:
        for table in tables:
            connection.unregister(table)
    return np.asarray(ids, dtype=np.uint64)


def _statements() -> dict[str, str]:
    text = files("tracejury.store").joinpath("ingest.sql").read_text(encoding="utf-8")
    parts = (part.partition("\n") for part in text.split("-- name: ")[1:])
    return {name.strip(): body.strip().removesuffix(";") for name, _, body in parts}


_STATEMENTS: Final = _statements()
