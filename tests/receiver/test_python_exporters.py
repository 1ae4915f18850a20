"""Round trips by the exporters of the Python SDK, compared row for row with what it recorded."""

import base64
import json
from collections.abc import Sequence
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
    OTLPSpanExporter as GrpcSpanExporter,
)
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
    OTLPSpanExporter as HttpSpanExporter,
)
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import (
    InMemoryLogRecordExporter,
    LogRecordExporter,
    LogRecordExportResult,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanKind, StatusCode, set_span_in_context
from tests.receiver.requests import JSON, post
from tests.receiver.running import Running
from tests.receiver.stored import delivered, rows

RESOURCE = Resource({"service.name": "checkout", "service.instance.id": "one"})


def recorded_spans() -> Sequence[ReadableSpan]:
    """Spans with everything a span may have."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("shop", "1.2")
    root = tracer.start_span("POST /orders", kind=SpanKind.SERVER)
    context = set_span_in_context(root)
    link = Link(root.get_span_context(), {"reason": "batch"})
    for number, kind in enumerate(SpanKind):
        child = tracer.start_span(f"step {number} ünï", context, kind, links=[link])
        child.set_attributes(
            {
                "text": "väl\n[/]'",
                "int": -(2**53) - 1,
                "double": 0.1,
                "bool": True,
                "texts": ["a", "b"],
                "ints": [1, 2],
            }
        )
        child.add_event("retry", {"attempt": number}, timestamp=1_700_000_000_000_000_123 + number)
        child.end()
    root.record_exception(ValueError("no such item"))
    root.set_status(StatusCode.ERROR, "no such item")
    root.end()
    provider.shutdown()
    return memory.get_finished_spans()


def recorded_logs() -> Sequence[ReadableLogRecord]:
    memory = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider(resource=RESOURCE)
    provider.add_log_record_processor(SimpleLogRecordProcessor(memory))
    logger = provider.get_logger("shop.orders")
    for number, severity in enumerate(SeverityNumber):
        logger.emit(
            LogRecord(
                timestamp=1_700_000_000_000_000_000 + number,
                severity_number=severity,
                severity_text=severity.name,
                body=f"order {number} zurück",
                event_name="order.placed",
                attributes={"order.id": number},
            )
        )
    provider.shutdown()
    return memory.get_finished_logs()


def expected_span(span: ReadableSpan) -> dict[str, Any]:
    assert span.context is not None
    return {
        "trace_id": f"{span.context.trace_id:032x}",
        "span_id": f"{span.context.span_id:016x}",
        "parent_span_id": f"{span.parent.span_id:016x}" if span.parent else None,
        "service": "checkout",
        "instance_id": "one",
        "name": span.name,
        "kind": span.kind.name,
        "status": span.status.status_code.name,
        "status_message": span.status.description or "",
        "start_ns": span.start_time,
        "end_ns": span.end_time,
        "scope_name": "shop",
        "scope_version": "1.2",
        "duplicates": 0,
    }


def expected_attributes(span: ReadableSpan) -> list[tuple[str, str, str, str]]:
    assert span.context is not None
    return [
        (f"{span.context.span_id:016x}", key, type_name(value), text(value))
        for key, value in (span.attributes or {}).items()
    ]


def type_name(value: object) -> str:
    names = {bool: "bool", int: "int", float: "double", str: "string", tuple: "array"}
    return names[type(value)]


def text(value: object) -> str:
    if isinstance(value, tuple):
        return json.dumps(value, separators=(",", ":"))
    return str(value).lower() if isinstance(value, bool) else str(value)


def assert_spans_are_stored(receiver: Running, spans: Sequence[ReadableSpan]) -> None:
    expected = [expected_span(span) for span in spans]
    columns = ", ".join(expected[0])
    assert rows(receiver.store, f"SELECT {columns} FROM span ORDER BY span_no") == expected
    stored = rows(receiver.store, "SELECT span_id, key, type, value FROM span_attribute")
    assert sorted(tuple(row.values()) for row in stored) == sorted(
        attribute for span in spans for attribute in expected_attributes(span)
    )
    stored = rows(receiver.store, "SELECT span_id, time_ns, name FROM span_event")
    assert sorted(tuple(row.values()) for row in stored) == sorted(
        (f"{span.context.span_id:016x}", event.timestamp, event.name)
        for span in spans
        for event in span.events
        if span.context
    )
    stored = rows(
        receiver.store,
        "SELECT span_id, linked_trace_id, linked_span_id, attributes FROM span_link",
    )
    assert sorted(tuple(row.values()) for row in stored) == sorted(
        (
            f"{span.context.span_id:016x}",
            f"{link.context.trace_id:032x}",
            f"{link.context.span_id:016x}",
            '{"reason":"batch"}',
        )
        for span in spans
        for link in span.links
        if span.context
    )


def assert_logs_are_stored(receiver: Running, logs: Sequence[ReadableLogRecord]) -> None:
    expected = [
        {
            "time_ns": log.log_record.timestamp,
            "observed_ns": log.log_record.observed_timestamp,
            "severity_number": log.log_record.severity_number.value,
            "severity_text": log.log_record.severity_text,
            "body": log.log_record.body,
            "event_name": "order.placed",
            "service": "checkout",
            "scope_name": "shop.orders",
        }
        for log in logs
        if log.log_record.severity_number is not None
    ]
    columns = ", ".join(expected[0])
    assert rows(receiver.store, f"SELECT {columns} FROM log_record ORDER BY log_no") == expected


def span_exporter(receiver: Running, protocol: str, compression: str) -> SpanExporter:
    if protocol == "grpc":
        return GrpcSpanExporter(
            receiver.grpc_target,
            insecure=True,
            compression=grpc.Compression.Gzip if compression == "gzip" else None,
        )
    return HttpSpanExporter(receiver.url("/v1/traces"), compression=Compression(compression))


def log_exporter(receiver: Running, protocol: str, compression: str) -> LogRecordExporter:
    if protocol == "grpc":
        return GrpcLogExporter(
            receiver.grpc_target,
            insecure=True,
            compression=grpc.Compression.Gzip if compression == "gzip" else None,
        )
    return HttpLogExporter(receiver.url("/v1/logs"), compression=Compression(compression))


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_what_the_sdk_exports_is_what_is_stored(
    receiver: Running, protocol: str, compression: str
) -> None:
    spans, logs = recorded_spans(), recorded_logs()
    exporter = span_exporter(receiver, protocol, compression)
    assert exporter.export(spans) is SpanExportResult.SUCCESS
    exporter.shutdown()
    sender = log_exporter(receiver, protocol, compression)
    assert sender.export(logs) is LogRecordExportResult.SUCCESS
    sender.shutdown()  # type: ignore[no-untyped-call]
    receiver.terminate()
    assert_spans_are_stored(receiver, spans)
    assert_logs_are_stored(receiver, logs)


def as_otlp_json(request: Any) -> bytes:
    """The request as OTLP/JSON: ids are hex there, where JSON made from protobuf has base64."""

    def with_hex_ids(node: Any) -> Any:
        if isinstance(node, list):
            return [with_hex_ids(item) for item in node]
        if not isinstance(node, dict):
            return node
        return {
            key: base64.b64decode(value).hex()
            if key in {"traceId", "spanId", "parentSpanId"}
            else with_hex_ids(value)
            for key, value in node.items()
        }

    return json.dumps(
        with_hex_ids(json_format.MessageToDict(request, use_integers_for_enums=True))
    ).encode()


def test_the_same_as_json_is_the_same_and_a_duplicate_of_protobuf(receiver: Running) -> None:
    spans, logs = recorded_spans(), recorded_logs()
    port = receiver.http_port
    assert post(port, "/v1/traces", as_otlp_json(encode_spans(spans)), JSON).status == 200
    assert post(port, "/v1/logs", as_otlp_json(encode_logs(logs)), JSON).status == 200
    exporter = span_exporter(receiver, "grpc", "none")
    assert exporter.export(spans) is SpanExportResult.SUCCESS
    exporter.shutdown()
    sender = log_exporter(receiver, "http/protobuf", "gzip")
    assert sender.export(logs) is LogRecordExportResult.SUCCESS
    sender.shutdown()  # type: ignore[no-untyped-call]
    receiver.terminate()
    assert delivered(receiver.store, "duplicates") == len(spans) + len(logs)
    expected = [expected_span(span) | {"duplicates": 1} for span in spans]
    columns = ", ".join(expected[0])
    assert rows(receiver.store, f"SELECT {columns} FROM span ORDER BY span_no") == expected
    assert_logs_are_stored(receiver, logs)
