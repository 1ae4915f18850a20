"""What can be read as one request or as two is read as none, so that nothing is smuggled in."""

import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest
from tests.receiver.requests import post, traces
from tests.receiver.running import Running, running
from tests.receiver.stored import span_names

HEAD = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
BODY = traces("smuggled")
SMUGGLED = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

AMBIGUOUS = {
    "length and chunks": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 0\r\nContent-Length: 9\r\n\r\n",
    "a list of lengths": HEAD + b"Content-Length: 0, 0\r\n\r\n",
    "a signed length": HEAD + b"Content-Length: +0\r\n\r\n",
    "an immense length": HEAD + b"Content-Length: 99999999999999999999999999\r\n\r\n",
    "a length on the next line": HEAD + b"Content-Length:\r\n 0\r\n\r\n",
    "a space before the colon": HEAD + b"Content-Length : 0\r\n\r\n",
    "chunks twice": HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunks by another name": HEAD + b"Transfer-Encoding: \x0bchunked\r\nContent-Length: 0\r\n\r\n",
    "a negative chunk": CHUNKED + b"-1\r\n\r\n",
    "an immense chunk": CHUNKED + b"f" * 40 + b"\r\n",
    "a chunk with a prefix": CHUNKED + b"0x0\r\n\r\n",
    "lines without returns": HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 0\n\n",
    "NUL in a header": HEAD + b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
    "no host": HEAD.replace(b"Host: x\r\n", b"") + b"Content-Length: 0\r\n\r\n",
}


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("attacked") / "run.duckdb") as receiver:
        yield receiver
        assert post(receiver.http_port, "/v1/traces", traces("honest")).status == 200
        assert receiver.terminate() == ""
        assert span_names(receiver.store) == ["honest"]


def all_of(connection: socket.socket) -> bytes:
    answer = b""
    with suppress(ConnectionResetError):  # it ends while there is more to read
        while received := connection.recv(2**16):
            answer += received
    return answer


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_an_ambiguous_request_ends_its_connection(attacked: Running, name: str) -> None:
    with socket.create_connection(("127.0.0.1", attacked.http_port), timeout=60) as connection:
        connection.sendall(AMBIGUOUS[name] + SMUGGLED)
        answer = all_of(connection)
    assert answer.split(b" ", 2)[1] == b"400"


def test_the_body_of_a_request_that_has_none_is_no_request(attacked: Running) -> None:
    asked = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    with socket.create_connection(("127.0.0.1", attacked.http_port), timeout=60) as connection:
        connection.sendall(asked + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED)
        answer = all_of(connection)
    assert answer.count(b"HTTP/1.1 ") == 1
