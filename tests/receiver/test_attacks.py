"""Requests made to do harm: each gets OTLP's answer to it, and costs nobody else anything."""

import gzip
import threading
import zlib
from collections.abc import Callable, Iterator
from itertools import count

import grpc
import pytest
import zstandard
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from tests.otlp.by_hand import IDS, attribute, field, nested_json, nested_protobuf, traces_of
from tests.receiver.requests import JSON, PROTOBUF, TRACES, call, export, failure, post, traces
from tests.receiver.running import Running, running
from tests.receiver.stored import rows, span_names

OK, INVALID = grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT

numbers = count()


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One receiver for all attacks: whatever one of them leaves behind, the next one meets."""
    with running(tmp_path_factory.mktemp("attacked") / "run.duckdb") as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def others_are_served(attacked: Running) -> Iterator[None]:
    """After each attack both endpoints answer, and what they acknowledged can be read."""
    yield
    names = [f"served {next(numbers)}" for _ in range(2)]
    assert call(attacked.grpc_target, TRACES, traces(names[0], trace_id=b"\7" * 16)) == b""
    reply = post(attacked.http_port, "/v1/traces", traces(names[1], trace_id=b"\7" * 16))
    assert (reply.status, reply.body) == (200, b"")
    assert set(names) <= set(span_names(attacked.store))
    health = post(attacked.http_port, "/healthz", b"", None, method="GET")
    assert health.status == 200


def grpc_code(receiver: Running, body: bytes) -> grpc.StatusCode:
    with grpc.insecure_channel(receiver.grpc_target) as channel:
        return export(channel).future(body, timeout=60).code()


@pytest.mark.parametrize("levels", [1, 47, 48, 60, 200, 2000])
def test_values_nested_deeper_than_protobuf_reads_are_refused(
    attacked: Running, levels: int
) -> None:
    is_read = levels <= 47
    assert grpc_code(attacked, nested_protobuf(levels)) is (OK if is_read else INVALID)
    for content_type, body in ((PROTOBUF, nested_protobuf(levels)), (JSON, nested_json(levels))):
        reply = post(attacked.http_port, "/v1/traces", body, content_type)
        assert reply.status == (200 if is_read else 400)


def test_neighbours_of_a_deep_request_are_stored(attacked: Running) -> None:
    """As many at once as share a commit, sent by as many clients."""
    bodies = {f"beside {number}": traces(f"beside {number}") for number in range(40)}
    sent = [*bodies.values(), *(nested_protobuf(levels) for levels in range(100, 140))]
    with grpc.insecure_channel(attacked.grpc_target) as channel:
        codes = [call.code() for call in [export(channel).future(body) for body in sent]]
    assert codes == [OK] * 40 + [INVALID] * 40
    assert set(bodies) <= set(span_names(attacked.store))


NO_TEXT = b"\xc3\x28 \xff"


@pytest.mark.parametrize(
    "body",
    [
        traces_of(IDS + field(5, NO_TEXT)),
        traces_of(IDS + field(3, NO_TEXT)),
        traces_of(IDS + attribute(NO_TEXT, field(1, b"text"))),
        traces_of(IDS + attribute(b"key", field(1, NO_TEXT))),
        traces_of(IDS + attribute(b"key", field(5, field(1, field(1, NO_TEXT))))),
        traces_of(IDS + attribute(b"key", field(6, field(1, field(1, NO_TEXT))))),
        traces_of(IDS + field(15, field(2, NO_TEXT))),
        field(1, field(1, field(1, field(1, NO_TEXT) + field(2, b"")))),
    ],
    ids=["name", "state", "key", "value", "in an array", "in a kvlist", "status", "resource"],
)
def test_text_that_is_no_utf8_is_refused(attacked: Running, body: bytes) -> None:
    assert failure(attacked.grpc_target, TRACES, body).code() is INVALID
    reply = post(attacked.http_port, "/v1/traces", body)
    assert (reply.status, reply.rpc_status().code) == (400, INVALID.value[0])
    body = b'{"resourceSpans":[],"name":"' + NO_TEXT + b'"}'
    assert post(attacked.http_port, "/v1/traces", body, JSON).status == 400


@pytest.mark.parametrize("trace_id", [b"", bytes(16), b"\1", b"\1" * 15, b"\1" * 17, b"\1" * 5000])
def test_a_trace_id_that_is_none_costs_its_span_only(attacked: Running, trace_id: bytes) -> None:
    name = f"beside an id of {trace_id[:2]!r} {len(trace_id)}"
    bad = field(1, trace_id) + field(2, b"\1" * 8)
    check_rejected(attacked, bad, name, "trace_id")


@pytest.mark.parametrize("span_id", [b"", bytes(8), b"\1" * 7, b"\1" * 9, b"\1" * 16])
def test_a_span_id_that_is_none_costs_its_span_only(attacked: Running, span_id: bytes) -> None:
    name = f"beside a span id of {span_id[:2]!r} {len(span_id)}"
    bad = field(1, b"\1" * 16) + field(2, span_id)
    check_rejected(attacked, bad, name, "span_id")


def check_rejected(receiver: Running, bad: bytes, name: str, told: str) -> None:
    body = traces_of(bad) + traces(name)
    reply = ExportTraceServiceResponse.FromString(call(receiver.grpc_target, TRACES, body))
    assert reply.partial_success.rejected_spans == 1
    assert told in reply.partial_success.error_message
    assert name in span_names(receiver.store)


@pytest.mark.parametrize("parent_id", [bytes(8), b"\1" * 7, b"\1" * 9, b"\1" * 5000])
def test_a_parent_id_that_is_none_loses_no_span(attacked: Running, parent_id: bytes) -> None:
    name = f"below {parent_id[:2]!r} {len(parent_id)}"
    ids = field(1, b"\3" * 16) + field(2, b"%08d" % len(parent_id))
    body = traces_of(ids + field(4, parent_id) + field(5, name.encode()))
    assert call(attacked.grpc_target, TRACES, body) == b""
    assert name in span_names(attacked.store)


FOLDS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
}


@pytest.mark.parametrize("encoding", FOLDS)
def test_a_bomb_in_a_bomb_is_unfolded_once(attacked: Running, encoding: str) -> None:
    fold = FOLDS[encoding]
    bomb = fold(fold(bytes(2**28)))
    assert post(attacked.http_port, "/v1/traces", bomb, encoding=encoding).status == 400


def test_a_deflate_bomb_over_grpc_is_refused(attacked: Running) -> None:
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(attacked.grpc_target, options=options) as channel:
        bomb = export(channel).future(
            bytes(100 * 2**20), timeout=60, compression=grpc.Compression.Deflate
        )
        assert bomb.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_bombs_sent_together_hold_up_nobody(attacked: Running) -> None:
    bomb = gzip.compress(bytes(2**28))
    statuses: list[int] = []

    def send() -> None:
        statuses.append(post(attacked.http_port, "/v1/traces", bomb, encoding="gzip").status)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert call(attacked.grpc_target, TRACES, traces("during the bombs")) == b""
    for thread in threads:
        thread.join()
    # Refused for their size, or because all of them together are too large for now.
    assert set(statuses) <= {413, 503}
    assert 413 in statuses


def test_a_value_of_a_hundred_thousand_values_is_stored_whole(attacked: Running) -> None:
    body = traces_of(IDS + attribute(b"wide", field(5, field(1, b"\x18\x01") * 100_000)))
    assert call(attacked.grpc_target, TRACES, body) == b""
    [row] = rows(
        attacked.store, "SELECT length(value) AS size FROM span_attribute WHERE key = 'wide'"
    )
    assert row["size"] == 2 * 100_000 + 1


def test_a_hundred_thousand_attributes_are_stored(attacked: Running) -> None:
    attributes = (attribute(b"many.%d" % number, field(1, b"x")) for number in range(100_000))
    ids = field(1, b"\4" * 16) + field(2, b"\4" * 8)
    assert call(attacked.grpc_target, TRACES, traces_of(ids + b"".join(attributes))) == b""
    [row] = rows(
        attacked.store, "SELECT count(*) AS found FROM span_attribute WHERE key LIKE 'many.%'"
    )
    assert row["found"] == 100_000


@pytest.mark.parametrize("part", ["resource", "scope", "span"])
def test_a_body_of_a_million_empty_messages_is_no_burden(attacked: Running, part: str) -> None:
    empty = {"resource": b"\x0a\x00", "scope": b"\x12\x00", "span": b"\x12\x00"}[part] * 1_000_000
    body = {
        "resource": empty,
        "scope": field(1, empty),
        "span": field(1, field(2, empty)),
    }[part]
    reply = ExportTraceServiceResponse.FromString(call(attacked.grpc_target, TRACES, body))
    assert reply.partial_success.rejected_spans == (1_000_000 if part == "span" else 0)
