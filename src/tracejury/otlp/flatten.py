"""Nested Arrow columns of requests as the flat tables of a `Batch`, whatever they were read from.

What differs between the encodings is `Columns`: how fields and attributes are read.
"""

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracejury.otlp.metric_tables import metric_tables
from tracejury.otlp.nested import (
    Columns,
    Rows,
    attributes,
    inner,
    is_id,
    numbers,
    table,
    texts,
    zeros,
)
from tracejury.otlp.signals import Signal
from tracejury.otlp.size_limits import check_records
from tracejury.otlp.values import Read
from tracejury.telemetry import batch
from tracejury.telemetry.batch import Batch
from tracejury.telemetry.numbers import counted

_NAMES: Final = {
    Signal.TRACES: ("scope_spans", "spans"),
    Signal.LOGS: ("scope_logs", "log_records"),
    Signal.METRICS: ("scope_metrics", "metrics"),
}

# A signal has its own tables, and of the others none has a row.
_NOTHING: Final = {
    "spans": batch.SPANS.empty_table(),
    "span_attributes": batch.ATTRIBUTES.empty_table(),
    "events": batch.EVENTS.empty_table(),
    "event_attributes": batch.ATTRIBUTES.empty_table(),
    "links": batch.LINKS.empty_table(),
    "link_attributes": batch.ATTRIBUTES.empty_table(),
    "logs": batch.LOGS.empty_table(),
    "log_attributes": batch.ATTRIBUTES.empty_table(),
    "rejections": batch.REJECTIONS.empty_table(),
}


def flatten(signal: Signal, requests: pa.Array, columns: Columns) -> Batch:
    """The tables of some requests, each given as the list of its resources."""
    read = columns.field
    scope_list, record_list = _NAMES[signal]
    resources = inner(requests)
    scopes = inner(read(resources.rows, scope_list))
    records = inner(read(scopes.rows, record_list))
    check_records(len(records.rows))
    request = resources.parents.take(scopes.parents).take(records.parents)
    origin = [request, scopes.parents.take(records.parents), records.parents]
    tables = _NOTHING | _TABLES[signal](records.rows, origin, columns)
    resource = read(resources.rows, "resource")
    scope = read(scopes.rows, "scope")
    return Batch(
        requests=len(requests),
        resources=_resources(resources.rows, resource, read),
        resource_attributes=attributes(resource, columns),
        scopes=_scopes(scopes.rows, scope, read),
        scope_attributes=attributes(scope, columns),
        **tables,
    )


def _resources(holders: pa.Array, resources: pa.Array, read: Read) -> pa.Table:
    schema_urls = texts(holders, "schema_url", read)
    dropped = numbers(resources, "dropped_attributes_count", read)
    return table(batch.RESOURCES, [schema_urls, dropped])


def _scopes(holders: pa.Array, scopes: pa.Array, read: Read) -> pa.Table:
    return table(
        batch.SCOPES,
        [
            texts(scopes, "name", read),
            texts(scopes, "version", read),
            texts(holders, "schema_url", read),
            numbers(scopes, "dropped_attributes_count", read),
        ],
    )


def _span_tables(spans: pa.Array, origin: list[pa.Array], columns: Columns) -> dict[str, pa.Table]:
    read = columns.field
    has_trace = is_id(read(spans, "trace_id"), 16)
    has_span = is_id(read(spans, "span_id"), 8)
    rejections = _rejections(origin[0], has_trace, has_span)
    if rejections.num_rows:
        kept = pc.and_(has_trace, has_span)
        spans = spans.filter(kept)
        origin = [column.filter(kept) for column in origin]
    events = inner(read(spans, "events"))
    links = inner(read(spans, "links"))
    return {
        "spans": _spans(spans, origin, read),
        "span_attributes": attributes(spans, columns),
        "events": _events(events, read),
        "event_attributes": attributes(events.rows, columns),
        "links": _links(links, read),
        "link_attributes": attributes(links.rows, columns),
        "rejections": rejections,
    }


def _spans(spans: pa.Array, origin: list[pa.Array], read: Read) -> pa.Table:
    status = read(spans, "status")
    return table(
        batch.SPANS,
        [
            *origin,
            read(spans, "trace_id"),
            _id_number(read(spans, "span_id")),
            _id_number(read(spans, "parent_span_id")),
            texts(spans, "trace_state", read),
            numbers(spans, "flags", read),
            texts(spans, "name", read),
            numbers(spans, "kind", read),
            numbers(spans, "start_time_unix_nano", read),
            numbers(spans, "end_time_unix_nano", read),
            numbers(status, "code", read),
            texts(status, "message", read),
            numbers(spans, "dropped_attributes_count", read),
            numbers(spans, "dropped_events_count", read),
            numbers(spans, "dropped_links_count", read),
        ],
    )


def _events(events: Rows, read: Read) -> pa.Table:
    return table(
        batch.EVENTS,
        [
            events.parents,
            numbers(events.rows, "time_unix_nano", read),
            texts(events.rows, "name", read),
            numbers(events.rows, "dropped_attributes_count", read),
        ],
    )


def _links(links: Rows, read: Read) -> pa.Table:
    return table(
        batch.LINKS,
        [
            links.parents,
            pc.fill_null(read(links.rows, "trace_id"), b""),
            pc.fill_null(read(links.rows, "span_id"), b""),
            texts(links.rows, "trace_state", read),
            numbers(links.rows, "flags", read),
            numbers(links.rows, "dropped_attributes_count", read),
        ],
    )


def _log_tables(records: pa.Array, origin: list[pa.Array], columns: Columns) -> dict[str, pa.Table]:
    return {
        "logs": _logs(records, origin, columns),
        "log_attributes": attributes(records, columns),
    }


def _logs(records: pa.Array, origin: list[pa.Array], columns: Columns) -> pa.Table:
    read = columns.field
    body_types, bodies = columns.values(read(records, "body"))
    trace_ids = read(records, "trace_id")
    return table(
        batch.LOGS,
        [
            *origin,
            numbers(records, "time_unix_nano", read),
            numbers(records, "observed_time_unix_nano", read),
            numbers(records, "severity_number", read),
            texts(records, "severity_text", read),
            texts(records, "event_name", read),
            body_types,
            bodies,
            pc.if_else(is_id(trace_ids, 16), trace_ids, pa.scalar(None, pa.binary())),
            _id_number(read(records, "span_id")),
            numbers(records, "flags", read),
            numbers(records, "dropped_attributes_count", read),
        ],
    )


def _id_number(ids: pa.Array) -> pa.Array:
    """Ids of eight bytes as numbers; null for what is none."""
    are_ids = is_id(ids, 8)
    raw = pc.if_else(are_ids, ids, zeros(8)).cast(pa.binary(8))
    as_numbers = raw.view(pa.uint64()).to_numpy().view(">u8").astype(np.uint64)
    return pc.if_else(are_ids, pa.array(as_numbers), pa.scalar(None, pa.uint64()))


def _rejections(requests: pa.Array, has_trace: pa.Array, has_span: pa.Array) -> pa.Table:
    """Per request with spans whose ids are none: how many, and why."""
    kept = pc.and_(has_trace, has_span)
    if pc.all(kept).as_py() is not False:
        return batch.REJECTIONS.empty_table()
    sizes = np.bincount(requests.to_numpy())
    traceless = np.bincount(requests.filter(pc.invert(has_trace)).to_numpy(), minlength=len(sizes))
    rejected = np.bincount(requests.filter(pc.invert(kept)).to_numpy(), minlength=len(sizes))
    rows = [
        {
            "request": int(request),
            "rejected": int(rejected[request]),
            "reason": _reason(*(int(counts[request]) for counts in (rejected, sizes, traceless))),
        }
        for request in np.flatnonzero(rejected)
    ]
    return pa.Table.from_pylist(rows, schema=batch.REJECTIONS)


def _reason(rejected: int, sent: int, traceless: int) -> str:
    whys: dict[str, Any] = {
        "without a trace_id of 16 bytes that are not all zero": traceless,
        "without a span_id of 8 bytes that are not all zero": rejected - traceless,
    }
    named = " and ".join(f"{count} {why}" for why, count in whys.items() if count)
    return f"{rejected} of {counted(sent, 'span')} left out: {named}."


_TABLES: Final = {
    Signal.TRACES: _span_tables,
    Signal.LOGS: _log_tables,
    Signal.METRICS: metric_tables,
}
