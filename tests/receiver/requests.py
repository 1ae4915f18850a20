"""OTLP requests made by hand, for what no well-behaved exporter sends."""

import http.client
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PROTOBUF = "application/x-protobuf"
JSON = "application/json"

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"


def traces(*names: str, trace_id: bytes = b"\x01" * 16, text: str = "") -> bytes:
    """A request with a span for every name; a span's id is made of its name."""
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for name in names:
        span = scope.spans.add(trace_id=trace_id, span_id=name.encode().rjust(8, b"_")[-8:])
        span.name = name
        span.start_time_unix_nano, span.end_time_unix_nano = 1_000, 2_000
        if text:
            attribute = span.attributes.add(key="text")
            attribute.value.string_value = text
    return request.SerializeToString()


def traces_json(*names: str) -> bytes:
    spans = [
        {
            "traceId": "0A" * 16,
            "spanId": name.encode().rjust(8, b"_")[-8:].hex(),
            "name": name,
            "startTimeUnixNano": "1000",
            "endTimeUnixNano": "2000",
        }
        for name in names
    ]
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()


def logs(*bodies: str) -> bytes:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for body in bodies:
        scope.log_records.add(time_unix_nano=1_000).body.string_value = body
    return request.SerializeToString()


def metrics(points: int) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="load")
    for value in range(points):
        metric.gauge.data_points.add(as_int=value)
    return request


Export: TypeAlias = "grpc.UnaryUnaryMultiCallable[bytes, bytes]"


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    def rpc_status(self) -> Status:
        assert self.headers["Content-Type"] == PROTOBUF
        return Status.FromString(self.body)

    def json(self) -> Any:
        assert self.headers["Content-Type"] == JSON
        return json.loads(self.body)


def post(
    port: int,
    path: str,
    body: bytes | Iterable[bytes],
    content_type: str | None = PROTOBUF,
    *,
    method: str = "POST",
    encoding: str | None = None,
    headers: dict[str, str] | None = None,
) -> Reply:
    """Send one HTTP request; a body of several pieces goes chunked."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    named = {"Content-Type": content_type, "Content-Encoding": encoding, **(headers or {})}
    try:
        connection.request(
            method,
            path,
            body,
            {name: value for name, value in named.items() if value is not None},
            encode_chunked=not isinstance(body, bytes),
        )
        response = connection.getresponse()
        return Reply(response.status, dict(response.headers), response.read())
    finally:
        connection.close()


def pieces(body: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def call(target: str, method: str, body: bytes) -> bytes:
    """One gRPC call with raw bytes; raises `grpc.RpcError`."""
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(target, options=options) as channel:
        return export(channel, method)(body, timeout=60)


def failure(target: str, method: str, body: bytes) -> grpc.Call:
    """The failed call itself, with its code, details and trailers."""
    with pytest.raises(grpc.RpcError) as failed:
        call(target, method, body)
    return cast(grpc.Call, failed.value)


def export(channel: grpc.Channel, method: str = TRACES) -> Export:
    """The method as a function from a request's bytes to the response's."""
    return channel.unary_unary(method)


def serialized(message: Message) -> bytes:
    return message.SerializeToString()
