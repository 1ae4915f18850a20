"""Clients that hold connections, or say less or more than they ought to, hold up nobody else."""

import http.client
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import grpc
import pytest
from tests.receiver import http2
from tests.receiver.requests import PROTOBUF, TRACES, call, export, post, traces
from tests.receiver.running import Running, running
from tests.receiver.stored import span_names

from tracejury.receiver import grpc_endpoint, grpc_messages, http_connection

# What a client waits for that is none of those: exporters give up after ten seconds.
PATIENCE_S = 10

HALF_HEADERS = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Ty"
HALF_BODY = (
    b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
    b"Content-Length: 100000\r\n\r\n\x0a"
)
HALF_MESSAGE = http2.opening() + http2.call_headers(1) + http2.frame(http2.DATA, 0, 1, b"\0\0\0")
"""Begun, and never ended."""


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)


@contextmanager
def half_open(port: int, count: int, said: bytes) -> Iterator[list[socket.socket]]:
    with ExitStack() as opened:
        connections = [opened.enter_context(connect(port)) for _ in range(count)]
        for connection in connections:
            connection.sendall(said)
        yield connections


def check_others_are_served(receiver: Running, *names: str) -> None:
    begun = time.monotonic()
    for name in names:
        assert call(receiver.grpc_target, TRACES, traces(f"{name} grpc")) == b""
        assert post(receiver.http_port, "/v1/traces", traces(f"{name} http")).status == 200
    assert time.monotonic() - begun < PATIENCE_S
    expected = {f"{name} {protocol}" for name in names for protocol in ("grpc", "http")}
    assert expected <= set(span_names(receiver.store))


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One receiver for all attacks, which ends in order."""
    with running(tmp_path_factory.mktemp("attacked") / "run.duckdb") as receiver:
        yield receiver
        assert "Traceback" not in receiver.terminate()


@pytest.mark.parametrize("said", [b"", HALF_HEADERS, HALF_BODY], ids=["none", "head", "body"])
def test_slow_http_clients_hold_up_nobody(attacked: Running, said: bytes) -> None:
    with half_open(attacked.http_port, 300, said):
        check_others_are_served(attacked, "during")
    check_others_are_served(attacked, "after")


@pytest.mark.parametrize(
    "said",
    [b"", http2.PREFACE[:9], http2.opening(), HALF_MESSAGE],
    ids=["none", "preface", "settings", "message"],
)
def test_slow_grpc_clients_hold_up_nobody(attacked: Running, said: bytes) -> None:
    with half_open(attacked.grpc_port, 300, said):
        if said == HALF_MESSAGE:
            wait_until(lambda: attacked.waiting_requests() >= grpc_messages.LATE_LIMIT)
        check_others_are_served(attacked, "during")
    check_others_are_served(attacked, "after")


def test_few_messages_may_be_late_at_once(attacked: Running) -> None:
    streams = range(1, 2 * grpc_endpoint.STREAM_LIMIT, 2)
    begun = b"".join(
        http2.call_headers(stream) + http2.frame(http2.DATA, 0, stream, b"\0\0\0\xff\xff")
        for stream in streams
    )
    too_many = grpc_endpoint.STREAM_LIMIT - grpc_messages.LATE_LIMIT
    before = attacked.refused_calls()
    with connect(attacked.grpc_port) as connection:
        connection.sendall(http2.opening() + begun)
        wait_until(lambda: attacked.refused_calls() == before + too_many)
        check_others_are_served(attacked, "during")
        assert attacked.waiting_requests() == grpc_messages.LATE_LIMIT
    wait_until(lambda: attacked.waiting_requests() == 0)


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline


@contextmanager
def few_files() -> Iterator[None]:
    """Programs that are started meanwhile may open 1024 files, as most systems have it."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.fixture
def constrained(tmp_path: Path) -> Iterator[Running]:
    with ExitStack() as started:
        with few_files():
            receiver = started.enter_context(running(tmp_path / "run.duckdb"))
        yield receiver


def test_connections_beyond_the_limit_are_ended_and_cost_the_others_nothing(
    constrained: Running,
) -> None:
    receiver = constrained
    kept = http.client.HTTPConnection("127.0.0.1", receiver.http_port, timeout=PATIENCE_S)
    with grpc.insecure_channel(receiver.grpc_target) as channel, closing(kept):
        assert sent_on(kept, "early http") == 200
        assert export(channel)(traces("early grpc"), timeout=PATIENCE_S) == b""
        with ExitStack() as opened:
            for port, limit in (
                (receiver.http_port, http_connection.CONNECTION_LIMIT),
                (receiver.grpc_port, grpc_endpoint.CONNECTION_LIMIT),
            ):
                for _ in range(limit + 20):
                    opened.enter_context(connect(port))
                with connect(port) as another:
                    assert ended(another)
            assert sent_on(kept, "meanwhile http") == 200
            assert export(channel)(traces("meanwhile grpc"), timeout=PATIENCE_S) == b""
            # Files of the store can be opened, too.
            expected = {
                f"{when} {by}" for when in ("early", "meanwhile") for by in ("http", "grpc")
            }
            assert set(span_names(receiver.store)) == expected
    check_others_are_served(receiver, "after")


def sent_on(connection: http.client.HTTPConnection, name: str) -> int:
    connection.request("POST", "/v1/traces", traces(name), {"Content-Type": PROTOBUF})
    with connection.getresponse() as response:
        response.read()
        return response.status


def ended(connection: socket.socket) -> bool:
    """Whether the other side ends it, without a word that matters."""
    try:
        while connection.recv(2**16):
            pass
    except ConnectionResetError:
        pass
    except TimeoutError:
        return False
    return True


LINE = b"X-Flood: " + b"x" * 8000 + b"\r\n"


@pytest.mark.parametrize(
    "headers",
    [b"X: y\r\n" * 10_000, b"X: " + b"y" * 2**20 + b"\r\n", LINE * 1000, b"x" * 2**20],
    ids=["many", "one large", "endless", "no header"],
)
def test_header_floods_are_refused(attacked: Running, headers: bytes) -> None:
    with connect(attacked.http_port) as connection, suppress(ConnectionError):
        connection.sendall(b"POST /v1/traces HTTP/1.1\r\n" + headers)
        assert connection.recv(2**16).startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    check_others_are_served(attacked, "after")


def test_a_flood_of_metadata_is_refused(attacked: Running) -> None:
    with grpc.insecure_channel(attacked.grpc_target) as channel:
        flooding = export(channel).future(b"", metadata=(("x", "y" * 2**20),), timeout=PATIENCE_S)
        assert flooding.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    check_others_are_served(attacked, "after")


FLOODS = {
    "continuations": http2.frame(http2.HEADERS, 0, 1, http2.header_block(http2.EXPORT))
    + http2.frame(http2.CONTINUATION, 0, 1, http2.header_block({"x": "y" * 100}) * 100) * 2000,
    "pings": http2.frame(http2.PING, 0, 0, b"8 bytes.") * 100_000,
    "settings": http2.frame(http2.SETTINGS, 0, 0) * 100_000,
    "resets": b"".join(
        http2.call_headers(stream) + http2.frame(http2.RST_STREAM, 0, stream, b"\0\0\0\x08")
        for stream in range(1, 40_000, 2)
    ),
    "empty data": http2.call_headers(1) + http2.frame(http2.DATA, 0, 1) * 200_000,
    "garbage": bytes(range(256)) * 1000,
}


@pytest.mark.parametrize("flood", FLOODS)
def test_floods_of_frames_are_borne(attacked: Running, flood: str) -> None:
    attacked.forget_peak_memory()
    before = attacked.memory()
    with connect(attacked.grpc_port) as connection, suppress(ConnectionError, TimeoutError):
        connection.sendall(http2.opening() + FLOODS[flood])
        check_others_are_served(attacked, "during")
    check_others_are_served(attacked, "after")
    assert attacked.peak_memory() - before < 2**27


@pytest.mark.parametrize("differences", [{"grpc_encoding": "br"}, {"grpc_timeout": "soon"}])
def test_calls_that_grpc_does_not_know_are_refused(
    attacked: Running, differences: dict[str, str]
) -> None:
    with connect(attacked.grpc_port) as connection:
        connection.sendall(http2.opening() + http2.call_headers(1, **differences))
        answer = b""
        while b"grpc-status" not in answer:
            answer += connection.recv(2**16)
    assert b"grpc-status\x010" not in answer
    check_others_are_served(attacked, "after")


def test_http_on_the_port_of_grpc_is_ended(attacked: Running) -> None:
    with connect(attacked.grpc_port) as connection:
        connection.sendall(HALF_BODY)
        assert ended(connection)
    check_others_are_served(attacked, "after")
