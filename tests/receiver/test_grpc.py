"""What the gRPC endpoint answers, code by code."""

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from tests.receiver.requests import (
    LOGS,
    METRICS,
    TRACES,
    call,
    export,
    failure,
    logs,
    metrics,
    serialized,
    traces,
)
from tests.receiver.running import Running
from tests.receiver.stored import rows, span_names


@pytest.mark.parametrize("method", [TRACES, LOGS, METRICS])
def test_an_empty_request_is_a_full_success(lasting_receiver: Running, method: str) -> None:
    assert call(lasting_receiver.grpc_target, method, b"") == b""


def test_every_signal_is_taken(receiver: Running) -> None:
    target = receiver.grpc_target
    assert call(target, TRACES, traces("a", "b")) == b""
    assert call(target, LOGS, logs("started")) == b""
    assert call(target, METRICS, serialized(metrics(points=2))) == b""
    receiver.terminate()
    assert span_names(receiver.store) == ["a", "b"]
    assert rows(receiver.store, "SELECT body FROM log_record") == [{"body": "started"}]


@pytest.mark.parametrize(
    ("method", "body", "code"),
    [
        (TRACES, b"\xff garbage", grpc.StatusCode.INVALID_ARGUMENT),
        (TRACES, traces("cut")[:-3], grpc.StatusCode.INVALID_ARGUMENT),
        (LOGS, b"\xff", grpc.StatusCode.INVALID_ARGUMENT),
        (METRICS, b"\xff", grpc.StatusCode.INVALID_ARGUMENT),
        (TRACES, bytes(64 * 2**20 + 1), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (
            "/opentelemetry.proto.collector.trace.v1.TraceService/Import",
            b"",
            grpc.StatusCode.UNIMPLEMENTED,
        ),
    ],
)
def test_what_cannot_be_taken_is_refused_for_good(
    lasting_receiver: Running, method: str, body: bytes, code: grpc.StatusCode
) -> None:
    failed = failure(lasting_receiver.grpc_target, method, body)
    assert failed.code() is code
    assert "google.rpc.retryinfo-bin" not in dict(failed.trailing_metadata())


def test_a_message_close_to_the_limit_is_stored(receiver: Running) -> None:
    call(receiver.grpc_target, TRACES, traces("large", text="x" * (63 * 2**20)))
    receiver.terminate()
    assert span_names(receiver.store) == ["large"]


def test_a_gzip_bomb_is_refused(lasting_receiver: Running) -> None:
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(lasting_receiver.grpc_target, options=options) as channel:
        send = export(channel)
        bomb = send.future(bytes(100 * 2**20), timeout=60, compression=grpc.Compression.Gzip)
        assert bomb.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert send(b"", timeout=60) == b""


def test_spans_without_ids_are_refused_alone(receiver: Running) -> None:
    body = traces("good") + traces("bad", trace_id=b"short")
    reply = call(receiver.grpc_target, TRACES, body)
    partial = ExportTraceServiceResponse.FromString(reply).partial_success
    assert partial.rejected_spans == 1
    assert partial.error_message
    receiver.terminate()
    assert span_names(receiver.store) == ["good"]
