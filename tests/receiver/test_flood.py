"""More than the receiver can take: it says so, to everybody, in bounded memory, and goes on."""

import socket
import threading
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult
from tests.otlp.requests import busy_request
from tests.receiver.exported import one_span
from tests.receiver.flooding import PATIENCE_S, SPANS_A_REQUEST, check_refusal, flood
from tests.receiver.requests import TRACES, call, failure, pieces, post, traces
from tests.receiver.running import Running, running
from tests.receiver.stored import rows, span_names
from tests.store.stores import elsewhere, first_line

from tracejury.receiver.admission import BYTES_LIMIT, REQUEST_LIMIT
from tracejury.receiver.grpc_endpoint import STREAM_LIMIT

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads a process' memory from /proc"),
]

FLOOD = 2 * REQUEST_LIMIT
LARGEST = 63 * 2**20
LARGE = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]


# Begins so many calls, and sends no message. In a process of its own: gRPC tells of the end of a
# call when the event loop of a test may be gone, and would complain of that to the next test.
HALF_OPEN = """
import asyncio, sys
import grpc
from tests.receiver.requests import TRACES
target, calls, streams = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

async def main():
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(target, options) for _ in range(-(-calls // streams))]
    begun = [channels[n // streams].stream_unary(TRACES)() for n in range(calls)]
    for call in begun:
        await call.wait_for_connection()
    print("begun", flush=True)
    await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


class Neighbour:
    """A service that goes on exporting, one span after another, while the block runs."""

    def __init__(self, target: str) -> None:
        self.results = Counter[SpanExportResult]()
        self._exporter = OTLPSpanExporter(target, insecure=True, timeout=PATIENCE_S)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> "Neighbour":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._exporter.shutdown()

    def _send(self) -> None:
        while not self._ended.is_set():
            self.results[self._exporter.export(one_span("neighbour"))] += 1


def test_a_flood_is_taken_or_turned_away_in_bounded_memory(receiver: Running) -> None:
    call(receiver.grpc_target, TRACES, traces("neighbour"))
    before = receiver.memory()
    with Neighbour(receiver.grpc_target) as neighbour:
        acknowledged, refused = flood(receiver.grpc_target, FLOOD)
    assert receiver.peak_memory() - before < 256 * 2**20
    assert set(neighbour.results) == {SpanExportResult.SUCCESS}
    assert {code for code, _, _ in refused} <= {"UNAVAILABLE"}
    for _, _, trailers in refused:
        check_refusal(trailers)
    assert len(acknowledged) + len(refused) == FLOOD
    receiver.terminate()
    stored = rows(
        receiver.store,
        "SELECT trace_id, count(*) AS spans FROM span WHERE name <> 'neighbour' GROUP BY trace_id",
    )
    assert Counter({row["trace_id"]: row["spans"] for row in stored}) == Counter(
        dict.fromkeys(acknowledged, SPANS_A_REQUEST)
    )
    [row] = rows(receiver.store, "SELECT count(*) AS spans FROM span WHERE name = 'neighbour'")
    assert row["spans"] == 1 + neighbour.results[SpanExportResult.SUCCESS]


def test_who_sends_more_than_there_is_room_for_is_told_when_to_come_again(tmp_path: Path) -> None:
    held, more = BYTES_LIMIT // 2 - 2**20, BYTES_LIMIT // 2 + 2 * 2**20
    settings = {"max_request_size": str(BYTES_LIMIT)}
    with running(tmp_path / "run.duckdb", settings=settings) as receiver, ExitStack() as opened:
        begin_body(opened, receiver, held)
        while receiver.waiting_bytes() < held:
            pass
        reply = post(receiver.http_port, "/v1/traces", pieces(bytes(more), 2**20))
        failed = failure(receiver.grpc_target, TRACES, bytes(more))
        assert (receiver.waiting_requests(), receiver.waiting_bytes()) == (1, held)
    assert reply.status == 503
    assert 1 <= int(reply.headers["Retry-After"]) <= 3
    assert failed.code() is grpc.StatusCode.UNAVAILABLE
    check_refusal(dict(failed.trailing_metadata()))


def test_a_flood_of_the_largest_requests_is_taken_or_turned_away_in_bounded_memory(
    receiver: Running,
) -> None:
    one = busy_request(512).SerializeToString()
    body = one * (LARGEST // len(one))
    answers = Counter[str]()

    def send(number: int) -> None:
        for _ in range(2):
            # Another resource, without a record: no request is the same as another.
            distinct = body + b"\x0a\0" * number
            if number % 2:
                answers[str(post(receiver.http_port, "/v1/traces", distinct).status)] += 1
                continue
            with grpc.insecure_channel(receiver.grpc_target, LARGE) as channel:
                export: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(TRACES)
                sent = export.future(distinct, timeout=240)
                answers[sent.code().name] += 1
                if sent.code() is not grpc.StatusCode.OK:
                    check_refusal(dict(sent.trailing_metadata()))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert receiver.peak_memory() < 2**30
    assert set(answers) <= {"OK", "UNAVAILABLE", "200", "503"}
    assert answers["OK"] + answers["200"] > 0
    assert answers.total() == 16
    check_served(receiver, stored=False)


def test_calls_that_only_begin_make_room_for_others(receiver: Running) -> None:
    sizes = (str(REQUEST_LIMIT), str(STREAM_LIMIT))
    with elsewhere(HALF_OPEN, receiver.grpc_target, *sizes) as process:
        assert first_line(process) == "begun"
        check_served(receiver)
        assert receiver.waiting_requests() <= REQUEST_LIMIT
    # They are gone, and nothing is left of them.
    while receiver.waiting_requests():
        pass


def test_bodies_that_only_begin_make_room_for_others(receiver: Running) -> None:
    size = 60 * 2**20
    with ExitStack() as opened:
        for _ in range(BYTES_LIMIT // size):
            begin_body(opened, receiver, size)
        while receiver.waiting_bytes() < BYTES_LIMIT // size * size:
            pass
        check_served(receiver, "x" * (BYTES_LIMIT % size + 1))


def begin_body(opened: ExitStack, receiver: Running, size: int) -> None:
    """Send all of a body but its last byte."""
    head = (
        b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
        b"Content-Length: %d\r\n\r\n" % (size + 1)
    )
    address = ("127.0.0.1", receiver.http_port)
    connection = opened.enter_context(socket.create_connection(address, timeout=60))
    connection.sendall(head + bytes(size))


def check_served(receiver: Running, text: str = "", *, stored: bool = True) -> None:
    assert call(receiver.grpc_target, TRACES, traces("grpc", text=text)) == b""
    assert post(receiver.http_port, "/v1/traces", traces("http", text=text)).status == 200
    if stored:
        assert span_names(receiver.store) == ["grpc", "http"]
