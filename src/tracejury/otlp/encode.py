"""A `Batch` as lines of OTLP/JSON requests: what `decode` reads, written again.

Reading the lines gives the same batch, but for what a batch cannot place or no longer has:
resources and scopes without records, requests without any, and spans that were left out for their
ids. A request is never split: log records that repeat inside one are meant so.
"""

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa

from tracejury.otlp.signals import Signal
from tracejury.telemetry.batch import Batch

_Row = dict[str, Any]
_ByOwner = dict[int, list[_Row]]


def encode_json_lines(batch: Batch) -> Iterator[str]:
    """One request a line: first all that have spans, then all that have log records."""
    yield from _lines(Signal.TRACES, batch, batch.spans, _span_writer(batch))
    yield from _lines(Signal.LOGS, batch, batch.logs, _log_writer(batch))


def _lines(
    signal: Signal, batch: Batch, table: pa.Table, write: Callable[[int, _Row], _Row]
) -> Iterator[str]:
    envelope = _Envelope(signal, batch)
    by_request: _ByOwner = defaultdict(list)
    for row, record in enumerate(table.to_pylist()):
        written = {name: record[name] for name in ("resource", "scope")}
        by_request[record["request"]].append(written | {"record": write(row, record)})
    for request in sorted(by_request):
        yield _json(envelope.request(by_request[request]))


class _Envelope:
    """The resources and scopes of a batch, to put records back into."""

    def __init__(self, signal: Signal, batch: Batch) -> None:
        noun = "Spans" if signal is Signal.TRACES else "Logs"
        self._names = f"resource{noun}", f"scope{noun}"
        self._records = "spans" if signal is Signal.TRACES else "logRecords"
        self._resources = batch.resources.to_pylist()
        self._resource_attributes = _attributes(batch.resource_attributes)
        self._scopes = batch.scopes.to_pylist()
        self._scope_attributes = _attributes(batch.scope_attributes)

    def request(self, records: list[_Row]) -> _Row:
        resources, _ = self._names
        by_resource = groupby(records, itemgetter("resource"))
        return {resources: [self._resource(row, list(inner)) for row, inner in by_resource]}

    def _resource(self, row: int, records: list[_Row]) -> _Row:
        _, scopes = self._names
        resource = self._resources[row]
        by_scope = groupby(records, itemgetter("scope"))
        return _present(
            {
                "resource": _present(
                    {
                        "attributes": self._resource_attributes[row],
                        "droppedAttributesCount": resource["dropped_attributes"],
                    }
                ),
                scopes: [self._scope(row, list(inner)) for row, inner in by_scope],
                "schemaUrl": resource["schema_url"],
            }
        )

    def _scope(self, row: int, records: list[_Row]) -> _Row:
        scope = self._scopes[row]
        return _present(
            {
                "scope": _present(
                    {
                        "name": scope["name"],
                        "version": scope["version"],
                        "attributes": self._scope_attributes[row],
                        "droppedAttributesCount": scope["dropped_attributes"],
                    }
                ),
                self._records: [record["record"] for record in records],
                "schemaUrl": scope["schema_url"],
            }
        )


def _span_writer(batch: Batch) -> Callable[[int, _Row], _Row]:
    attributes = _attributes(batch.span_attributes)
    events = _events(batch)
    links = _links(batch)

    def write(row: int, span: _Row) -> _Row:
        parent = span["parent_span_id"]
        return _present(
            {
                "traceId": span["trace_id"].hex(),
                "spanId": f"{span['span_id']:016x}",
                "parentSpanId": None if parent is None else f"{parent:016x}",
                "traceState": span["trace_state"],
                "flags": span["flags"],
                "name": span["name"],
                "kind": span["kind"],
                "startTimeUnixNano": _nanoseconds(span["start_ns"]),
                "endTimeUnixNano": _nanoseconds(span["end_ns"]),
                "attributes": attributes[row],
                "droppedAttributesCount": span["dropped_attributes"],
                "events": events[row],
                "droppedEventsCount": span["dropped_events"],
                "links": links[row],
                "droppedLinksCount": span["dropped_links"],
                "status": _present(
                    {"code": span["status_code"], "message": span["status_message"]}
                ),
            }
        )

    return write


def _events(batch: Batch) -> _ByOwner:
    attributes = _attributes(batch.event_attributes)
    events: _ByOwner = defaultdict(list)
    for row, event in enumerate(batch.events.to_pylist()):
        events[event["owner"]].append(
            _present(
                {
                    "timeUnixNano": _nanoseconds(event["time_ns"]),
                    "name": event["name"],
                    "attributes": attributes[row],
                    "droppedAttributesCount": event["dropped_attributes"],
                }
            )
        )
    return events


def _links(batch: Batch) -> _ByOwner:
    attributes = _attributes(batch.link_attributes)
    links: _ByOwner = defaultdict(list)
    for row, link in enumerate(batch.links.to_pylist()):
        links[link["owner"]].append(
            _present(
                {
                    "traceId": link["trace_id"].hex(),
                    "spanId": link["span_id"].hex(),
                    "traceState": link["trace_state"],
                    "flags": link["flags"],
                    "attributes": attributes[row],
                    "droppedAttributesCount": link["dropped_attributes"],
                }
            )
        )
    return links


def _log_writer(batch: Batch) -> Callable[[int, _Row], _Row]:
    attributes = _attributes(batch.log_attributes)

    def write(row: int, log: _Row) -> _Row:
        span_id = log["span_id"]
        return _present(
            {
                "timeUnixNano": _nanoseconds(log["time_ns"]),
                "observedTimeUnixNano": _nanoseconds(log["observed_ns"]),
                "severityNumber": log["severity_number"],
                "severityText": log["severity_text"],
                "eventName": log["event_name"],
                "body": any_value(log["body_type"], log["body"]),
                "attributes": attributes[row],
                "droppedAttributesCount": log["dropped_attributes"],
                "flags": log["flags"],
                "traceId": log["trace_id"].hex() if log["trace_id"] else None,
                "spanId": None if span_id is None else f"{span_id:016x}",
            }
        )

    return write


def _attributes(table: pa.Table) -> _ByOwner:
    attributes: _ByOwner = defaultdict(list)
    for row in table.to_pylist():
        value = any_value(row["type"], row["value"])
        attributes[row["owner"]].append({"key": row["key"], "value": value})
    return attributes


def any_value(kind: str, text: str | None) -> _Row:
    """An attribute's type and text as the `AnyValue` of OTLP/JSON."""
    if kind == "empty" or text is None:
        return {}
    match kind:
        case "bool":
            return {"boolValue": text == "true"}
        case "double":
            return {"doubleValue": _double(float(text))}
        case "array" | "kvlist":
            return _list_value(json.loads(text))
        case _:
            return {f"{kind}Value": text}


def _list_value(plain: Any) -> _Row:
    """What `values.nested_text` wrote, as an `AnyValue`; without recursion, as there."""
    root: _Row = {}
    waiting: list[tuple[Any, _Row]] = [(plain, root)]
    while waiting:
        content, into = waiting.pop()
        if isinstance(content, list):
            values: list[_Row] = [{} for _ in content]
            into["arrayValue"] = {"values": values}
            waiting += zip(content, values, strict=True)
        elif isinstance(content, dict) and (pairs := _pairs(content)) is not None:
            values = [{} for _ in pairs]
            entries = zip(pairs, values, strict=True)
            into["kvlistValue"] = {"values": [{"key": k, "value": v} for (k, _), v in entries]}
            waiting += zip((value for _, value in pairs), values, strict=True)
        else:
            into.update(_leaf(content))
    return root


def _pairs(members: _Row) -> list[tuple[str, Any]] | None:
    """The entries of a kvlist, or None for an object that stands for a single value."""
    match members:
        case {"$kvlist": pairs}:
            return [(key, value) for key, value in pairs]
        case {"$bytes": _} | {"$double": _} | {"$empty": _}:
            return None
        case _:
            return list(members.items())


def _leaf(plain: Any) -> _Row:
    match plain:
        case bool():
            return {"boolValue": plain}
        case int():
            return {"intValue": str(plain)}
        case float():
            return {"doubleValue": plain}
        case {"$double": text}:
            return {"doubleValue": text}
        case {"$bytes": text}:
            return {"bytesValue": text}
        case _:
            return {"stringValue": plain} if isinstance(plain, str) else {}


def _double(number: float) -> float | str:
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else f"{'-' * (number < 0)}Infinity"


def _nanoseconds(time: int) -> str | None:
    return str(time) if time else None


def _present(members: _Row) -> _Row:
    """Only what is not the default, which OTLP/JSON leaves out."""
    return {name: value for name, value in members.items() if value or value is False}


def _json(request: _Row) -> str:
    return json.dumps(request, ensure_ascii=False, separators=(",", ":"))
