"""Runs drawn by hand: spans and log records become OTLP requests, and those a rebuilt store."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyarrow as pa
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from tracejury.config import Config
from tracejury.otlp.decode import Encoding, Signal, decode
from tracejury.store.reader import Reader
from tracejury.store.writer import Store
from tracejury.workflow.baseline import Baseline
from tracejury.workflow.faults import Fault
from tracejury.workflow.rebuild import prepare

START_NS = 1_700_000_000_000_000_000
MS = 1_000_000
RECEIVED_NS = START_NS + 3_600_000 * MS

LOCAL, REMOTE = 0x100, 0x300  # flags: where the parent is

Value = str | int | bool | list[str]

KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    attributes: Mapping[str, Value] = field(default_factory=dict)
    at_ms: float = 0


@dataclass(frozen=True, slots=True)
class Span:
    """A span; times are milliseconds since the run began, ids are small numbers."""

    id: int
    name: str = "work"
    start_ms: float = 0
    end_ms: float = 10
    trace: int = 1
    parent: int = 0  # 0: none
    service: str = "shop"
    kind: str = "INTERNAL"
    status: str = "UNSET"
    message: str = ""
    attributes: Mapping[str, Value] = field(default_factory=dict)
    resource: Mapping[str, Value] = field(default_factory=dict)
    events: Sequence[Event] = ()
    links: Sequence[tuple[int, int]] = ()  # trace and span
    flags: int = 0
    trace_state: str = ""
    dropped_attributes: int = 0


@dataclass(frozen=True, slots=True)
class Log:
    body: str = "said"
    at_ms: float = 5
    trace: int = 0  # 0: none
    span: int = 0  # 0: none
    service: str = "shop"
    severity: int = 9
    attributes: Mapping[str, Value] = field(default_factory=dict)
    resource: Mapping[str, Value] = field(default_factory=dict)
    flags: int = 0
    event: str = ""


Record = Span | Log


def trace_id(number: int) -> str:
    return f"{number:032x}"


def span_id(number: int) -> str:
    return f"{number:016x}"


def requests(records: Iterable[Record]) -> list[tuple[Signal, bytes]]:
    """One request for all the spans and one for all the log records, in their order."""
    traces, logs = ExportTraceServiceRequest(), ExportLogsServiceRequest()
    for record in records:
        if isinstance(record, Span):
            _add_span(traces, record)
        else:
            _add_log(logs, record)
    sent = [(Signal.TRACES, traces.SerializeToString()), (Signal.LOGS, logs.SerializeToString())]
    return [(signal, body) for signal, body in sent if body]


def deliver(store: Store, *groups: Iterable[Record], received_ns: int = RECEIVED_NS) -> None:
    """Commit each group as requests of its own."""
    for group in groups:
        for signal, body in requests(group):
            batch = decode(signal, Encoding.PROTOBUF, [body])
            store.commit([batch], received_ns=received_ns, source="drawn")


def stored(*groups: Iterable[Record]) -> Reader:
    """A reader of a closed store in memory that got each group as requests of its own."""
    store = Store.in_memory()
    deliver(store, *groups)
    store.close()
    return Reader.of(store)


@contextmanager
def rebuilt(
    *groups: Iterable[Record],
    config: Config | None = None,
    injected: tuple[Fault, ...] = (),
    clean: Iterable[Record] | None = None,
    state_rows: pa.Table | None = None,
) -> Iterator[Reader]:
    """What happened, rebuilt; `clean` is the run that teaches the baseline."""
    baseline = None if clean is None else learnt(clean)
    with stored(*groups) as reader:
        prepare(
            reader, config or Config(), injected=injected, baseline=baseline, state_rows=state_rows
        )
        yield reader


def learnt(clean: Iterable[Record]) -> Baseline:
    with rebuilt(clean) as reader:
        return Baseline.learn(reader)


def _time_ns(ms: float) -> int:
    return START_NS + round(ms * MS)


def _fill(holder: AnyValue, value: Value) -> None:
    match value:
        case bool():
            holder.bool_value = value
        case int():
            holder.int_value = value
        case str():
            holder.string_value = value
        case list():
            for entry in value:
                holder.array_value.values.add().string_value = entry


def _resource_of(record: Record) -> dict[str, Value]:
    return {"service.name": record.service, **record.resource}


def _add_span(request: ExportTraceServiceRequest, drawn: Span) -> None:
    holder = request.resource_spans.add()
    for key, value in _resource_of(drawn).items():
        _fill(holder.resource.attributes.add(key=key).value, value)
    span: SpanMessage = holder.scope_spans.add().spans.add(
        trace_id=drawn.trace.to_bytes(16, "big"),
        span_id=drawn.id.to_bytes(8, "big"),
        parent_span_id=drawn.parent.to_bytes(8, "big") if drawn.parent else b"",
        name=drawn.name,
        kind=KINDS.index(drawn.kind),
        start_time_unix_nano=_time_ns(drawn.start_ms),
        end_time_unix_nano=_time_ns(drawn.end_ms),
        flags=drawn.flags,
        trace_state=drawn.trace_state,
        dropped_attributes_count=drawn.dropped_attributes,
    )
    if drawn.status != "UNSET" or drawn.message:
        span.status.code = 2 if drawn.status == "ERROR" else 1 if drawn.status == "OK" else 0  # type: ignore[assignment]
        span.status.message = drawn.message
    for key, value in drawn.attributes.items():
        _fill(span.attributes.add(key=key).value, value)
    for event in drawn.events:
        added = span.events.add(name=event.name, time_unix_nano=_time_ns(event.at_ms))
        for key, value in event.attributes.items():
            _fill(added.attributes.add(key=key).value, value)
    for trace, linked in drawn.links:
        span.links.add(trace_id=trace.to_bytes(16, "big"), span_id=linked.to_bytes(8, "big"))


def _add_log(request: ExportLogsServiceRequest, drawn: Log) -> None:
    holder = request.resource_logs.add()
    for key, value in _resource_of(drawn).items():
        _fill(holder.resource.attributes.add(key=key).value, value)
    record = holder.scope_logs.add().log_records.add(
        time_unix_nano=_time_ns(drawn.at_ms),
        severity_number=drawn.severity,
        event_name=drawn.event,
        flags=drawn.flags,
        trace_id=drawn.trace.to_bytes(16, "big") if drawn.trace else b"",
        span_id=drawn.span.to_bytes(8, "big") if drawn.span else b"",
    )
    record.body.string_value = drawn.body
    for key, value in drawn.attributes.items():
        _fill(record.attributes.add(key=key).value, value)
