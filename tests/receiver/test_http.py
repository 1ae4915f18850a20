"""What the HTTP endpoint answers, status by status."""

import gzip
import json
import socket
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest
import zstandard
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from tests.receiver.requests import (
    JSON,
    PROTOBUF,
    TRACES,
    Reply,
    call,
    failure,
    logs,
    metrics,
    pieces,
    post,
    serialized,
    traces,
    traces_json,
)
from tests.receiver.running import Running, running
from tests.receiver.stored import delivered, rows, span_names


def test_every_signal_is_accepted_in_both_encodings(receiver: Running) -> None:
    port = receiver.http_port
    for path in ("/v1/traces", "/v1/logs", "/v1/metrics"):
        reply = post(port, path, b"")
        assert (reply.status, reply.headers["Content-Type"], reply.body) == (200, PROTOBUF, b"")
        reply = post(port, path, b"{}", JSON)
        assert (reply.status, reply.json()) == (200, {})


def test_what_every_signal_brings_is_stored(receiver: Running) -> None:
    port = receiver.http_port
    assert post(port, "/v1/traces", traces("a", "b")).status == 200
    assert (
        post(port, "/v1/traces", traces_json("c"), "application/json; charset=utf-8").status == 200
    )
    assert post(port, "/v1/logs", logs("started")).status == 200
    assert post(port, "/v1/metrics", serialized(metrics(points=3))).status == 200
    receiver.terminate()
    assert span_names(receiver.store) == ["a", "b", "c"]
    assert rows(receiver.store, "SELECT body FROM log_record") == [{"body": "started"}]
    points = rows(receiver.store, "SELECT metric, kind, int_value AS value FROM metric_point")
    assert points == [{"metric": "load", "kind": "gauge", "value": n} for n in range(3)]


EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED

FOLDS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
}
# A frame that asks its reader for a window of 128 MiB.
WIDE_WINDOW = bytes.fromhex("28b52ffd0088010000")


class Refusal(NamedTuple):
    method: str
    path: str
    content_type: str | None
    encoding: str | None
    body: bytes
    status: int
    code: int  # of google.rpc.Code

    def provoke(self, port: int) -> Reply:
        return post(
            port,
            self.path,
            self.body,
            self.content_type,
            method=self.method,
            encoding=self.encoding,
        )


REFUSED = [
    Refusal("POST", "/v1/traces", PROTOBUF, None, b"\xff garbage", 400, 3),
    Refusal("POST", "/v1/traces", PROTOBUF, None, traces("cut")[:-3], 400, 3),
    Refusal("POST", "/v1/traces", JSON, None, b'{"resourceSpans": [', 400, 3),
    Refusal("POST", "/v1/traces", JSON, None, b"[1]", 400, 3),
    Refusal("POST", "/v1/logs", PROTOBUF, None, b"\xff", 400, 3),
    Refusal("POST", "/v1/metrics", PROTOBUF, None, b"\xff", 400, 3),
    Refusal("POST", "/v1/metrics", JSON, None, b"{", 400, 3),
    Refusal("POST", "/v1/metrics", JSON, None, b"\xff\xfe{}", 400, 3),
    Refusal("POST", "/v1/metrics", JSON, None, b"[" * 100_000, 400, 3),
    Refusal("POST", "/v1/traces", PROTOBUF, "gzip", b"no gzip", 400, 3),
    Refusal("POST", "/v1/traces", PROTOBUF, "gzip", gzip.compress(traces("x"))[:-9], 400, 3),
    Refusal("POST", "/v1/traces", PROTOBUF, "br", traces("x"), 400, 3),
    Refusal("POST", "/v1/traces", PROTOBUF, "gzip, gzip", traces("x"), 400, 3),
    *(
        Refusal("POST", "/v1/traces", JSON, name, corrupt, 400, 3)
        for name, fold in FOLDS.items()
        for corrupt in (b"{}", fold(b'{"resourceSpans":[]}')[:-2], fold(b"{}") + b"more")
    ),
    Refusal("POST", "/", PROTOBUF, None, b"", 404, 5),
    Refusal("POST", "/v1/traces/", JSON, None, b"{}", 404, 5),
    Refusal("GET", "/v1/traces", PROTOBUF, None, b"", 405, 12),
    Refusal("PUT", "/v1/logs", JSON, None, b"{}", 405, 12),
    Refusal("POST", "/v1/traces", "text/plain", None, b"x", 415, 3),
    Refusal("POST", "/v1/traces", None, None, b"x", 415, 3),
    *(
        Refusal("POST", "/v1/traces", PROTOBUF, name, fold(bytes(65 * 2**20)), 413, 8)
        for name, fold in FOLDS.items()
    ),
    Refusal("POST", "/v1/traces", JSON, "zstd", WIDE_WINDOW, 400, 3),
    Refusal("POST", "/v1/traces", JSON, None, b" " * (64 * 2**20 + 1), 413, 8),
]


@pytest.mark.parametrize("refusal", REFUSED)
def test_what_cannot_be_taken_is_refused_with_a_status(
    lasting_receiver: Running, refusal: Refusal
) -> None:
    reply = refusal.provoke(lasting_receiver.http_port)
    assert reply.status == refusal.status
    if refusal.content_type == JSON:
        told = reply.json()
        assert told["code"] == refusal.code
        assert told["message"].endswith(".")
    else:
        assert reply.rpc_status().code == refusal.code
        assert reply.rpc_status().message.endswith(".")


def test_nothing_of_what_is_refused_is_stored(receiver: Running) -> None:
    for refusal in REFUSED:
        refusal.provoke(receiver.http_port)
    assert post(receiver.http_port, "/v1/traces", traces("after")).status == 200
    receiver.terminate()
    assert span_names(receiver.store) == ["after"]


def test_a_chunked_body_without_end_is_refused_beyond_the_limit(receiver: Running) -> None:
    mebibyte = bytes(2**20)
    reply = post(receiver.http_port, "/v1/traces", (mebibyte for _ in range(65)))
    assert reply.status == 413


@pytest.mark.parametrize("encoding", [None, "identity", "gzip", "x-gzip", "DEFLATE", "zstd"])
def test_a_chunked_body_is_read_whole(receiver: Running, encoding: str | None) -> None:
    body = traces(*(f"span {number:04}" for number in range(500)))
    fold = FOLDS.get((encoding or "").lower().removeprefix("x-"), bytes)
    sent = fold(body)
    reply = post(receiver.http_port, "/v1/traces", pieces(sent, 100), encoding=encoding)
    assert reply.status == 200
    receiver.terminate()
    assert len(span_names(receiver.store)) == 500


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_several_compressed_streams_are_one_body(receiver: Running, encoding: str) -> None:
    body = traces("a")
    sent = FOLDS[encoding](body[:10]) + FOLDS[encoding](body[10:])
    assert post(receiver.http_port, "/v1/traces", sent, encoding=encoding).status == 200
    receiver.terminate()
    assert span_names(receiver.store) == ["a"]


def test_a_body_close_to_the_limit_is_stored(receiver: Running) -> None:
    body = traces("large", text="x" * (63 * 2**20))
    assert post(receiver.http_port, "/v1/traces", body).status == 200
    receiver.terminate()
    assert span_names(receiver.store) == ["large"]


def test_spans_without_ids_are_refused_alone(receiver: Running) -> None:
    body = traces("good") + traces("bad", trace_id=b"\x00" * 16)
    reply = post(receiver.http_port, "/v1/traces", body)
    partial = ExportTraceServiceResponse.FromString(reply.body).partial_success
    assert (reply.status, partial.rejected_spans) == (200, 1)
    assert "trace_id" in partial.error_message
    receiver.terminate()
    assert span_names(receiver.store) == ["good"]
    assert delivered(receiver.store, "rejected") == 1


def test_partial_success_is_json_where_the_request_was(receiver: Running) -> None:
    spans = json.loads(traces_json("good", "bad"))
    spans["resourceSpans"][0]["scopeSpans"][0]["spans"][1]["spanId"] = "00"
    reply = post(receiver.http_port, "/v1/traces", json.dumps(spans).encode(), JSON)
    partial = reply.json()["partialSuccess"]
    assert int(partial["rejectedSpans"]) == 1
    assert partial["errorMessage"]


def test_what_json_spells_otherwise_is_stored_with_a_warning(receiver: Running) -> None:
    body = (
        traces_json("odd")
        .replace(b'"spanId"', b'"span_id"')
        .replace(b'"name"', b'"kind":"SPAN_KIND_CLIENT","name"')
    )
    reply = post(receiver.http_port, "/v1/traces", body, JSON)
    assert reply.status == 200
    partial = reply.json()["partialSuccess"]
    assert int(partial.get("rejectedSpans", 0)) == 0
    assert "span_id" in partial["errorMessage"]
    assert "kind" in partial["errorMessage"]
    receiver.terminate()
    assert rows(receiver.store, "SELECT name, kind FROM span") == [
        {"name": "odd", "kind": "CLIENT"}
    ]


def test_health_is_told(receiver: Running) -> None:
    reply = post(receiver.http_port, "/healthz", b"", None, method="GET")
    assert (reply.status, json.loads(reply.body)) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01 is how TLS begins\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\nno length\r\n",
    ],
)
def test_what_is_no_http_is_answered_400(lasting_receiver: Running, sent: bytes) -> None:
    address = ("127.0.0.1", lasting_receiver.http_port)
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(sent)
        assert b" 400 Bad Request" in connection.recv(2**16)


def test_a_client_that_leaves_amid_its_body_leaves_no_trace(receiver: Running) -> None:
    with socket.create_connection(("127.0.0.1", receiver.http_port), timeout=60) as connection:
        connection.sendall(
            b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
            b"Content-Length: 1000\r\n\r\nbegun"
        )
    assert post(receiver.http_port, "/v1/traces", traces("after")).status == 200
    assert receiver.terminate() == ""
    assert span_names(receiver.store) == ["after"]


def test_a_client_that_asks_first_is_invited_to_send(receiver: Running) -> None:
    body = traces("asked")
    with socket.create_connection(("127.0.0.1", receiver.http_port), timeout=60) as connection:
        connection.sendall(
            b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
            b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        assert connection.recv(2**16) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(2**16).startswith(b"HTTP/1.1 200")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads a process' peak memory from /proc")
@pytest.mark.parametrize("encoding", FOLDS)
def test_a_bomb_is_refused_long_before_it_is_unfolded(receiver: Running, encoding: str) -> None:
    assert post(receiver.http_port, "/v1/traces", b"{}", JSON).status == 200
    before = receiver.peak_memory()
    bomb = FOLDS[encoding](bytes(2**28))
    reply = post(receiver.http_port, "/v1/traces", bomb, JSON, encoding=encoding)
    assert reply.status == 413
    assert receiver.peak_memory() - before < 2**27 + 2**26


def test_the_limit_can_be_set(tmp_path: Path) -> None:
    with running(tmp_path / "run.duckdb", settings={"max_request_size": "1000"}) as receiver:
        large, small = traces("large", text="x" * 1000), traces("small")
        reply = post(receiver.http_port, "/v1/traces", large)
        assert (reply.status, reply.rpc_status().code) == (413, 8)
        assert "1,000 bytes" in reply.rpc_status().message
        assert failure(receiver.grpc_target, TRACES, large).code() is EXHAUSTED
        assert post(receiver.http_port, "/v1/traces", small).status == 200
        call(receiver.grpc_target, TRACES, small)
