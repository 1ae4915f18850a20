"""Nothing that OTLP can say is lost on the way into a store, out of it, and into another."""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from tests.otlp import metric_requests, requests
from tests.store.stores import contents, contents_of
from tests.workflow import drawn
from tests.workflow.drawn import Log

from tracejury.otlp.decode import Encoding, Signal, decode
from tracejury.receiver.import_files import import_file
from tracejury.report.otlp_files import export_store
from tracejury.store.reader import Reader
from tracejury.store.writer import Store

few = settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow], derandomize=True)

# Of the profiles signal, or still in development: nothing sends them with spans or log records.
UNKEPT = {"entity_refs", "key_strindex", "string_value_strindex"}


class Filling:
    """Sets every field of a message to a value of its own."""

    def __init__(self, last: int = 0) -> None:
        self._last = last

    def fill(self, message: Message) -> None:
        for field in self._fields(message.DESCRIPTOR):
            holder = getattr(message, field.name)
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                for part in [holder.add(), holder.add()] if field.is_repeated else [holder]:
                    self.fill(part)
            elif field.is_repeated:
                holder.extend([self._value(field), self._value(field)])
            else:
                setattr(message, field.name, self._value(field))

    def _fields(self, descriptor: Any) -> Sequence[FieldDescriptor]:
        if descriptor.name == "AnyValue":
            return [descriptor.fields_by_name["string_value"]]
        return [field for field in descriptor.fields if field.name not in UNKEPT]

    def _value(self, field: FieldDescriptor) -> object:
        self._last += 1
        if field.type == FieldDescriptor.TYPE_STRING:
            return f"{field.name} {self._last}"
        if field.type == FieldDescriptor.TYPE_BYTES:
            return self._last.to_bytes(16 if field.name == "trace_id" else 8, "big")
        if field.enum_type is not None:
            return field.enum_type.values[-1].number
        return self._last


def one_kind_each() -> Iterator[ExportMetricsServiceRequest]:
    """A request for each kind of metric, and for each type of number; all fields are set."""
    full = ExportMetricsServiceRequest()
    Filling().fill(full)
    kinds = [field.name for field in Metric.DESCRIPTOR.oneofs_by_name["data"].fields]
    for kind, value in product(kinds, ("as_int", "as_double")):
        request = ExportMetricsServiceRequest()
        request.CopyFrom(full)
        for number, metric in enumerate(_metrics_of(request)):
            Filling(100 * number).fill(getattr(metric, kind))
            for point in getattr(metric, kind).data_points:
                for holder in [point, *getattr(point, "exemplars", ())]:
                    if value in holder.DESCRIPTOR.fields_by_name:
                        setattr(holder, value, 7)
        yield request


def _metrics_of(request: ExportMetricsServiceRequest) -> Iterator[Metric]:
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            yield from scope.metrics


def without_repeats(tree: Any) -> Any:
    """Canonical form: lists of objects in an order of their own."""
    if isinstance(tree, dict):
        return {name: without_repeats(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return sorted(map(without_repeats, tree), key=partial(json.dumps, sort_keys=True))
    return tree


def exported(store: Store, folder: Path) -> list[Path]:
    with Reader.of(store) as reader:
        return [path for path, _ in export_store(reader, folder)]


def test_every_field_survives_from_the_wire_to_the_export(tmp_path: Path) -> None:
    for number, (signal, request) in enumerate(
        (
            (Signal.TRACES, ExportTraceServiceRequest()),
            (Signal.LOGS, ExportLogsServiceRequest()),
            *((Signal.METRICS, request) for request in one_kind_each()),
        )
    ):
        if signal is not Signal.METRICS:
            Filling().fill(request)
        store = Store.in_memory()
        batch = decode(signal, Encoding.PROTOBUF, [request.SerializeToString()])
        store.commit([batch], received_ns=1, source="test")
        store.close()
        lines = [
            json.loads(line)
            for path in exported(store, tmp_path / str(number))
            for line in path.read_text().splitlines()
        ]
        assert without_repeats(lines) == without_repeats([json.loads(requests.as_json(request))])


@few
@given(
    st.lists(requests.trace_requests(requests.whole_spans, least=1), max_size=3),
    st.lists(requests.log_requests(least=1), max_size=3),
    st.lists(metric_requests.metric_requests(least=1), max_size=3),
)
def test_an_export_loads_back_to_the_same_rows(
    tmp_path_factory: Any,
    traces: Sequence[ExportTraceServiceRequest],
    logs: Sequence[ExportLogsServiceRequest],
    metrics: Sequence[ExportMetricsServiceRequest],
) -> None:
    store = Store.in_memory()
    for signal, sent in (
        (Signal.TRACES, traces),
        (Signal.LOGS, logs),
        (Signal.METRICS, metrics),
    ):
        bodies = [request.SerializeToString() for request in sent]
        batch = decode(signal, Encoding.PROTOBUF, bodies)
        store.commit([batch], received_ns=drawn.RECEIVED_NS, source="test")
    store.close()
    again = Store.in_memory()
    for path in exported(store, tmp_path_factory.mktemp("exported") / "out"):
        if path.stat().st_size:
            assert import_file(again, path).refused == ()
    again.close()
    assert contents_of(again) == contents_of(store)


def test_repeated_log_records_survive_an_export(tmp_path: Path) -> None:
    groups = [[Log("tick")] * 300, [Log("tock", at_ms=6)]]
    store = Store.in_memory()
    drawn.deliver(store, *groups)
    store.close()
    again = Store.in_memory()
    for path in exported(store, tmp_path / "out"):
        if path.stat().st_size:
            import_file(again, path)
    with Reader.of(again) as reader:
        assert contents(reader) == contents_of(store)
        assert reader.value("SELECT count(*) FROM stored.log_record") == 301


def test_an_export_tells_how_many_requests_it_has_read(tmp_path: Path) -> None:
    bodies = []
    for number in range(150):
        request = ExportTraceServiceRequest()
        span = request.resource_spans.add().scope_spans.add().spans.add()
        span.trace_id, span.span_id = bytes(15) + b"\1", (number + 1).to_bytes(8, "big")
        bodies.append(request.SerializeToString())
    store = Store.in_memory()
    store.commit([decode(Signal.TRACES, Encoding.PROTOBUF, bodies)], received_ns=1, source="test")
    told: list[tuple[int, int]] = []
    with Reader.of(store) as reader:
        written = list(export_store(reader, tmp_path, lambda *said: told.append(said)))
    store.close()
    assert written == [(tmp_path / "traces.jsonl", 150)]
    assert told == [(64, 150), (128, 150), (150, 150)]
