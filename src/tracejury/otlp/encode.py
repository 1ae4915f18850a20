"""A `Batch` as lines of OTLP/JSON requests: what `decode` reads, written again.

Reading the lines gives the same batch, but for what a batch cannot place or no longer has:
resources and scopes without records, requests without any, and spans that were left out for their
ids. A request is never split: log records that repeat inside one are meant so.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Final

import pyarrow as pa

from tracejury.otlp.alert_webhook import webhooks_of
from tracejury.otlp.encode_metrics import metrics_of, point_writer
from tracejury.otlp.encode_values import (
    ByOwner,
    Row,
    any_value,
    attributes_of,
    nanoseconds,
    present,
)
from tracejury.otlp.signals import Signal
from tracejury.telemetry.batch import Batch

_NAMES: Final = {
    Signal.TRACES: ("Spans", "spans"),
    Signal.LOGS: ("Logs", "logRecords"),
    Signal.METRICS: ("Metrics", "metrics"),
}


def encode_json_lines(batch: Batch) -> Iterator[str]:
    """One request a line: first those with spans, then log records, metrics, and alerts."""
    yield from _lines(Signal.TRACES, batch, batch.spans, _span_writer(batch))
    yield from _lines(Signal.LOGS, batch, batch.logs, _log_writer(batch))
    yield from _lines(Signal.METRICS, batch, batch.points, point_writer(batch), metrics_of)
    yield from webhooks_of(batch)


def _lines(
    signal: Signal,
    batch: Batch,
    table: pa.Table,
    write: Callable[[int, Row], Row],
    combine: Callable[[list[Row]], list[Row]] = list,
) -> Iterator[str]:
    envelope = _Envelope(signal, batch, combine)
    by_request: ByOwner = defaultdict(list)
    for row, record in enumerate(table.to_pylist()):
        written = {name: record[name] for name in ("resource", "scope")}
        by_request[record["request"]].append(written | {"record": write(row, record)})
    for request in sorted(by_request):
        yield _json(envelope.request(by_request[request]))


class _Envelope:
    """The resources and scopes of a batch, to put records back into."""

    def __init__(
        self, signal: Signal, batch: Batch, combine: Callable[[list[Row]], list[Row]]
    ) -> None:
        noun, self._records = _NAMES[signal]
        self._names = f"resource{noun}", f"scope{noun}"
        self._combine = combine
        self._resources = batch.resources.to_pylist()
        self._resource_attributes = attributes_of(batch.resource_attributes)
        self._scopes = batch.scopes.to_pylist()
        self._scope_attributes = attributes_of(batch.scope_attributes)

    def request(self, records: list[Row]) -> Row:
        resources, _ = self._names
        by_resource = groupby(records, itemgetter("resource"))
        return {resources: [self._resource(row, list(inner)) for row, inner in by_resource]}

    def _resource(self, row: int, records: list[Row]) -> Row:
        _, scopes = self._names
        resource = self._resources[row]
        by_scope = groupby(records, itemgetter("scope"))
        return present(
            {
                "resource": present(
                    {
                        "attributes": self._resource_attributes[row],
                        "droppedAttributesCount": resource["dropped_attributes"],
                    }
                ),
                scopes: [self._scope(row, list(inner)) for row, inner in by_scope],
                "schemaUrl": resource["schema_url"],
            }
        )

    def _scope(self, row: int, records: list[Row]) -> Row:
        scope = self._scopes[row]
        return present(
            {
                "scope": present(
                    {
                        "name": scope["name"],
                        "version": scope["version"],
                        "attributes": self._scope_attributes[row],
                        "droppedAttributesCount": scope["dropped_attributes"],
                    }
                ),
                self._records: self._combine([record["record"] for record in records]),
                "schemaUrl": scope["schema_url"],
            }
        )


def _span_writer(batch: Batch) -> Callable[[int, Row], Row]:
    attributes = attributes_of(batch.span_attributes)
    events = _events(batch)
    links = _links(batch)

    def write(row: int, span: Row) -> Row:
        parent = span["parent_span_id"]
        return present(
            {
                "traceId": span["trace_id"].hex(),
                "spanId": f"{span['span_id']:016x}",
                "parentSpanId": None if parent is None else f"{parent:016x}",
                "traceState": span["trace_state"],
                "flags": span["flags"],
                "name": span["name"],
                "kind": span["kind"],
                "startTimeUnixNano": nanoseconds(span["start_ns"]),
                "endTimeUnixNano": nanoseconds(span["end_ns"]),
                "attributes": attributes[row],
                "droppedAttributesCount": span["dropped_attributes"],
                "events": events[row],
                "droppedEventsCount": span["dropped_events"],
                "links": links[row],
                "droppedLinksCount": span["dropped_links"],
                "status": present({"code": span["status_code"], "message": span["status_message"]}),
            }
        )

    return write


def _events(batch: Batch) -> ByOwner:
    attributes = attributes_of(batch.event_attributes)
    events: ByOwner = defaultdict(list)
    for row, event in enumerate(batch.events.to_pylist()):
        events[event["owner"]].append(
            present(
                {
                    "timeUnixNano": nanoseconds(event["time_ns"]),
                    "name": event["name"],
                    "attributes": attributes[row],
                    "droppedAttributesCount": event["dropped_attributes"],
                }
            )
        )
    return events


def _links(batch: Batch) -> ByOwner:
    attributes = attributes_of(batch.link_attributes)
    links: ByOwner = defaultdict(list)
    for row, link in enumerate(batch.links.to_pylist()):
        links[link["owner"]].append(
            present(
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


def _log_writer(batch: Batch) -> Callable[[int, Row], Row]:
    attributes = attributes_of(batch.log_attributes)

    def write(row: int, log: Row) -> Row:
        span_id = log["span_id"]
        return present(
            {
                "timeUnixNano": nanoseconds(log["time_ns"]),
                "observedTimeUnixNano": nanoseconds(log["observed_ns"]),
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


def _json(request: Row) -> str:
    return json.dumps(request, ensure_ascii=False, separators=(",", ":"))
