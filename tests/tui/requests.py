"""Traces of any shape, as the requests that would carry them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tracejury.otlp.alert_webhook import alerts_of
from tracejury.otlp.decode import Encoding, Signal, decode
from tracejury.store.reader import Reader
from tracejury.store.writer import Store

START_NS = 1_800_000_000_000_000_000
MS = 1_000_000


@dataclass(frozen=True)
class Span:
    """One span to send. Times are milliseconds from the start; an end of None is not sent."""

    id: int
    parent: int = 0
    name: str = "step"
    service: str = "worker"
    trace: int = 1
    start: float = 0
    end: float | None = 10
    is_error: bool = False
    attributes: dict[str, str] = field(default_factory=dict)
    links: tuple[tuple[int, int], ...] = ()  # trace and span
    event: str = ""
    kind: str = "INTERNAL"


@dataclass(frozen=True)
class Log:
    """One log record to send."""

    body: str
    trace: int = 1
    span: int = 0
    service: str = "worker"
    at: float = 5
    severity: int = 9


def trace_id(number: int) -> str:
    return f"{number:02x}".ljust(32, "a")


def span_id(number: int) -> str:
    return f"{number:016x}"


def stored(spans: Iterable[Span], logs: Iterable[Log] = (), *, told: Sequence[bytes] = ()) -> Store:
    """Receive records as one would over the wire, and end the session."""
    store = Store.in_memory()
    batches = [
        decode(Signal.TRACES, Encoding.PROTOBUF, [_traces(spans)]),
        decode(Signal.LOGS, Encoding.PROTOBUF, [_logs(logs)]),
    ]
    if told:
        batches.append(alerts_of(told))
    store.commit(batches, received_ns=START_NS, source="test")
    store.close()
    return store


def reader_of(spans: Iterable[Span], logs: Iterable[Log] = ()) -> Reader:
    return Reader.of(stored(spans, logs))


def _traces(spans: Iterable[Span]) -> bytes:
    request = ExportTraceServiceRequest()
    scopes = {}
    for span in spans:
        if span.service not in scopes:
            group = request.resource_spans.add()
            name = group.resource.attributes.add(key="service.name")
            name.value.string_value = span.service
            scopes[span.service] = group.scope_spans.add()
        _fill(scopes[span.service].spans.add(), span)
    return request.SerializeToString()


def _fill(wire: WireSpan, span: Span) -> None:
    wire.trace_id, wire.span_id = bytes.fromhex(trace_id(span.trace)), span.id.to_bytes(8, "big")
    if span.parent:
        wire.parent_span_id = span.parent.to_bytes(8, "big")
    wire.name, wire.kind = span.name, WireSpan.SpanKind.Value(f"SPAN_KIND_{span.kind}")
    wire.start_time_unix_nano = START_NS + int(span.start * MS)
    if span.end is not None:
        wire.end_time_unix_nano = START_NS + int(span.end * MS)
    if span.is_error:
        wire.status.code = Status.STATUS_CODE_ERROR
        wire.status.message = span.name
    for key, value in span.attributes.items():
        wire.attributes.add(key=key).value.string_value = value
    for linked_trace, linked_span in span.links:
        link = wire.links.add(trace_id=bytes.fromhex(trace_id(linked_trace)))
        link.span_id = linked_span.to_bytes(8, "big")
    if span.event:
        event = wire.events.add(name=span.event, time_unix_nano=wire.start_time_unix_nano)
        event.attributes.add(key=span.event).value.string_value = span.event


def _logs(logs: Iterable[Log]) -> bytes:
    request = ExportLogsServiceRequest()
    for log in logs:
        group = request.resource_logs.add()
        name = group.resource.attributes.add(key="service.name")
        name.value.string_value = log.service
        record = group.scope_logs.add().log_records.add(severity_number=log.severity)
        record.time_unix_nano = START_NS + int(log.at * MS)
        record.body.string_value = log.body
        record.attributes.add(key="text").value.string_value = log.body
        if log.trace:
            record.trace_id = bytes.fromhex(trace_id(log.trace))
        if log.span:
            record.span_id = log.span.to_bytes(8, "big")
    return request.SerializeToString()
