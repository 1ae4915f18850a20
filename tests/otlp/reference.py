"""What decoding must give, told by protobuf's own classes and plain loops over them."""

import base64
import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

Rows = dict[str, list[tuple[Any, ...]]]

TABLES = (
    "resources",
    "resource_attributes",
    "scopes",
    "scope_attributes",
    "spans",
    "span_attributes",
    "events",
    "event_attributes",
    "links",
    "link_attributes",
    "logs",
    "log_attributes",
    "rejections",
    "metrics",
    "metric_attributes",
    "points",
    "point_attributes",
    "exemplars",
    "exemplar_attributes",
    "alerts",
)


def rows_of_traces(requests: Sequence[Any]) -> Rows:
    rows: Rows = {table: [] for table in TABLES}
    for number, request in enumerate(requests):
        rejected = Counter[str]()
        sent = 0
        for holder in request.resource_spans:
            resource = add_resource(rows, holder)
            for scope_holder in holder.scope_spans:
                scope = add_scope(rows, scope_holder)
                for span in scope_holder.spans:
                    sent += 1
                    if not is_id(span.trace_id, 16):
                        rejected["trace"] += 1
                    elif not is_id(span.span_id, 8):
                        rejected["span"] += 1
                    else:
                        _add_span(rows, (number, resource, scope), span)
        if rejected:
            rows["rejections"].append((number, rejected.total(), _reason(rejected, sent)))
    return rows


def rows_of_logs(requests: Sequence[Any]) -> Rows:
    rows: Rows = {table: [] for table in TABLES}
    for number, request in enumerate(requests):
        for holder in request.resource_logs:
            resource = add_resource(rows, holder)
            for scope_holder in holder.scope_logs:
                scope = add_scope(rows, scope_holder)
                for record in scope_holder.log_records:
                    _add_log(rows, (number, resource, scope), record)
    return rows


def _reason(rejected: Counter[str], sent: int) -> str:
    parts = []
    if rejected["trace"]:
        parts.append(f"{rejected['trace']} without a trace_id of 16 bytes that are not all zero")
    if rejected["span"]:
        parts.append(f"{rejected['span']} without a span_id of 8 bytes that are not all zero")
    spans = "span" if sent == 1 else "spans"
    return f"{rejected.total()} of {sent} {spans} left out: {' and '.join(parts)}."


def add_resource(rows: Rows, holder: Any) -> int:
    row = len(rows["resources"])
    rows["resources"].append((holder.schema_url, holder.resource.dropped_attributes_count))
    add_attributes(rows["resource_attributes"], row, holder.resource.attributes)
    return row


def add_scope(rows: Rows, holder: Any) -> int:
    row = len(rows["scopes"])
    scope = holder.scope
    rows["scopes"].append(
        (scope.name, scope.version, holder.schema_url, scope.dropped_attributes_count)
    )
    add_attributes(rows["scope_attributes"], row, scope.attributes)
    return row


def _add_span(rows: Rows, origin: tuple[int, int, int], span: Any) -> None:
    row = len(rows["spans"])
    rows["spans"].append(
        (
            *origin,
            span.trace_id,
            int.from_bytes(span.span_id, "big"),
            _id_number(span.parent_span_id),
            span.trace_state,
            span.flags,
            span.name,
            span.kind,
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            span.status.code,
            span.status.message,
            span.dropped_attributes_count,
            span.dropped_events_count,
            span.dropped_links_count,
        )
    )
    add_attributes(rows["span_attributes"], row, span.attributes)
    for event in span.events:
        add_attributes(rows["event_attributes"], len(rows["events"]), event.attributes)
        rows["events"].append(
            (row, event.time_unix_nano, event.name, event.dropped_attributes_count)
        )
    for link in span.links:
        add_attributes(rows["link_attributes"], len(rows["links"]), link.attributes)
        dropped = link.dropped_attributes_count
        rows["links"].append(
            (row, link.trace_id, link.span_id, link.trace_state, link.flags, dropped)
        )


def _add_log(rows: Rows, origin: tuple[int, int, int], record: Any) -> None:
    row = len(rows["logs"])
    rows["logs"].append(
        (
            *origin,
            record.time_unix_nano,
            record.observed_time_unix_nano,
            record.severity_number,
            record.severity_text,
            record.event_name,
            *typed_text(record.body),
            record.trace_id if is_id(record.trace_id, 16) else None,
            _id_number(record.span_id),
            record.flags,
            record.dropped_attributes_count,
        )
    )
    add_attributes(rows["log_attributes"], row, record.attributes)


def add_attributes(rows: list[tuple[Any, ...]], owner: int, attributes: Any) -> None:
    rows.extend((owner, entry.key, *typed_text(entry.value)) for entry in attributes)


def is_id(raw: bytes, size: int) -> bool:
    return len(raw) == size and any(raw)


def _id_number(raw: bytes) -> int | None:
    return int.from_bytes(raw, "big") if is_id(raw, 8) else None


def typed_text(value: Any) -> tuple[str, str | None]:
    field = value.WhichOneof("value")
    if field is None:
        return "empty", None
    content = getattr(value, field)
    texts: dict[str, Callable[[], str]] = {
        "string_value": lambda: content,
        "bool_value": lambda: "true" if content else "false",
        "int_value": lambda: str(content),
        "double_value": lambda: same_double(content),
        "bytes_value": lambda: base64.b64encode(content).decode(),
        "array_value": lambda: _json(_plain(value)),
        "kvlist_value": lambda: _json(_plain(value)),
    }
    return field.removesuffix("_value"), texts[field]()


def same_double(number: float) -> str:
    """One spelling per double; which one is not what these tests compare."""
    if math.isfinite(number):
        return repr(number)
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _json(plain: Any) -> str:
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    match value.WhichOneof("value"):
        case "array_value":
            return [_plain(item) for item in value.array_value.values]
        case "kvlist_value":
            return _plain_entries(
                [(entry.key, _plain(entry.value)) for entry in value.kvlist_value.values]
            )
        case "bytes_value":
            return {"$bytes": base64.b64encode(value.bytes_value).decode()}
        case "double_value" if not math.isfinite(value.double_value):
            return {"$double": same_double(value.double_value)}
        case field:
            return getattr(value, field) if field else {"$empty": True}


def _plain_entries(entries: list[tuple[str, Any]]) -> Any:
    keys = [key for key, _ in entries]
    if len(set(keys)) < len(keys) or any(key.startswith("$") for key in keys):
        return {"$kvlist": [list(entry) for entry in entries]}
    return dict(entries)
