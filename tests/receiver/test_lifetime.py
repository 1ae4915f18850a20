"""How a receiver starts and ends, and what it promises when it is killed."""

import os
import queue
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import grpc
import pytest
from tests.receiver.requests import TRACES, call, export, post, traces
from tests.receiver.running import Running, running, start
from tests.receiver.stored import rows, span_names

from tracejury.config import Serve
from tracejury.errors import ReceiverError
from tracejury.receiver.listening import Addresses
from tracejury.receiver.server import run_receiver


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        yield holder.getsockname()[1]


def refusal(store: Path, grpc_port: int, http_port: int) -> str:
    """What a receiver that cannot start says."""
    process = start(store, grpc_port, http_port)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (2, "")
    assert "Traceback" not in stderr
    return stderr


def must_not_start(addresses: Addresses) -> None:
    pytest.fail(f"it listens on {addresses}")


def test_a_taken_grpc_port_starts_nothing(tmp_path: Path) -> None:
    with taken_port() as port:
        stderr = refusal(tmp_path / "run.duckdb", port, 0)
    assert f"Port {port} of 127.0.0.1" in stderr
    assert "--grpc-port" in stderr
    assert list(tmp_path.iterdir()) == []


def test_a_taken_http_port_starts_nothing(tmp_path: Path) -> None:
    with taken_port() as port:
        stderr = refusal(tmp_path / "run.duckdb", 0, port)
    assert f"Port {port} of 127.0.0.1" in stderr
    assert "--http-port" in stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("grpc_port", "http_port", "option"), [(70_000, 0, "--grpc-port"), (0, 70_000, "--http-port")]
)
def test_a_port_that_is_none_is_refused(
    tmp_path: Path, grpc_port: int, http_port: int, option: str
) -> None:
    stderr = refusal(tmp_path / "run.duckdb", grpc_port, http_port)
    assert stderr == (
        f"Port 70000 of 127.0.0.1 cannot be used: no such port. Choose another with {option}.\n"
    )


@pytest.mark.parametrize(
    ("host", "complaint"),
    [
        ("192.0.2.1", "Port 4318 of 192.0.2.1 cannot be used"),
        ("no-such-host.invalid", "is no address of this machine"),
    ],
)
def test_a_host_that_is_not_this_machine_is_refused(
    tmp_path: Path, host: str, complaint: str
) -> None:
    with pytest.raises(ReceiverError, match=complaint) as refused:
        run_receiver(store=tmp_path / "run.duckdb", serve=Serve(host=host), announce=must_not_start)
    assert "--host" in refused.value.next_step


def test_a_second_receiver_gets_no_port_of_the_first(receiver: Running, tmp_path: Path) -> None:
    other = tmp_path / "other.duckdb"
    assert "--grpc-port" in refusal(other, receiver.grpc_port, 0)
    assert "--http-port" in refusal(other, 0, receiver.http_port)
    assert not other.exists()


def test_a_second_receiver_does_not_get_the_store(receiver: Running) -> None:
    assert f"held by process {receiver.process.pid}" in refusal(receiver.store, 0, 0)
    assert post(receiver.http_port, "/v1/traces", traces("a")).status == 200


def send_until_refused(target: str, sender: int) -> list[str]:
    """Send spans one by one; gives the names of those that were acknowledged."""
    acknowledged = []
    with suppress(grpc.RpcError), grpc.insecure_channel(target) as channel:
        send = export(channel)
        for number in range(1_000_000):
            name = f"{sender}-{number:05}"
            send(traces(name), timeout=60)
            acknowledged.append(name)
    return acknowledged


@contextmanager
def senders(target: str, count: int) -> Iterator[list["Future[list[str]]"]]:
    with ThreadPoolExecutor(count) as pool:
        yield [pool.submit(send_until_refused, target, sender) for sender in range(count)]


def test_sigterm_loses_nothing_that_was_acknowledged(receiver: Running) -> None:
    with senders(receiver.grpc_target, 8) as sent:
        for number in range(10):
            call(receiver.grpc_target, TRACES, traces(f"own {number}"))
        receiver.terminate()
    acknowledged = {name for sender in sent for name in sender.result()}
    assert acknowledged <= set(span_names(receiver.store))
    assert [path.name for path in receiver.store.parent.iterdir()] == ["run.duckdb"]
    [session] = rows(receiver.store, "SELECT ended_ns FROM stored.session")
    assert session["ended_ns"] is not None


def test_what_is_in_flight_at_sigterm_is_stored_or_refused(receiver: Running) -> None:
    with grpc.insecure_channel(receiver.grpc_target) as channel:
        send = export(channel)
        pending = {
            f"span {number}": send.future(traces(f"span {number}"), timeout=60)
            for number in range(200)
        }
        answered: queue.SimpleQueue[str] = queue.SimpleQueue()
        for name, future in pending.items():
            future.add_done_callback(partial(_put, answered, name))
        # Not the first one: a new connection learns late how many calls it may make at once.
        assert any(pending[answered.get()].code() is grpc.StatusCode.OK for _ in pending)
        receiver.terminate()
        codes = {name: future.code() for name, future in pending.items()}
    acknowledged = {name for name, code in codes.items() if code is grpc.StatusCode.OK}
    assert acknowledged == set(span_names(receiver.store))
    # gRPC itself cancels the calls that nobody has looked at when it ends. Exporters send again
    # after either.
    refusals = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
    assert set(codes.values()) <= {grpc.StatusCode.OK, *refusals}


def _put(answered: "queue.SimpleQueue[str]", name: str, _: object) -> None:
    answered.put(name)


def begin_body(connection: socket.socket) -> None:
    """Let the receiver wait for a body."""
    connection.sendall(
        b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
        b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n"
    )
    assert connection.recv(100).startswith(b"HTTP/1.1 100")


def test_a_body_that_does_not_end_cannot_keep_it_running(receiver: Running) -> None:
    with socket.create_connection(("127.0.0.1", receiver.http_port), timeout=60) as stalled:
        begin_body(stalled)
        receiver.process.send_signal(signal.SIGTERM)
        answer = stalled.recv(100)
        _, stderr = receiver.process.communicate(timeout=60)
    assert answer == b""  # nor was it told that it was too slow, as it is later on
    assert (receiver.process.returncode, stderr) == (0, "")


def test_clients_that_give_up_disturb_nobody(receiver: Running) -> None:
    with grpc.insecure_channel(receiver.grpc_target) as channel:
        pending = [export(channel).future(traces(f"span {n}"), timeout=60) for n in range(50)]
        pending[0].result()
        for future in pending:
            future.cancel()
    call(receiver.grpc_target, TRACES, traces("after"))
    assert receiver.terminate() == ""
    assert {"after", "span 0"} <= set(span_names(receiver.store))


def test_sigint_ends_it_in_order_too(receiver: Running) -> None:
    assert post(receiver.http_port, "/v1/traces", traces("a")).status == 200
    receiver.process.send_signal(signal.SIGINT)
    receiver.process.communicate(timeout=60)
    assert receiver.process.returncode == 0
    assert span_names(receiver.store) == ["a"]


def await_refusal(port: int) -> None:
    with suppress(ConnectionRefusedError):
        while True:
            socket.create_connection(("127.0.0.1", port)).close()


def test_a_second_sigint_ends_it_at_once(tmp_path: Path) -> None:
    # A body that never ends keeps the first one waiting.
    with (
        running(tmp_path / "run.duckdb", settings={"grace_s": "3600"}) as receiver,
        socket.create_connection(("127.0.0.1", receiver.http_port), timeout=60) as stalled,
    ):
        begin_body(stalled)
        receiver.process.send_signal(signal.SIGINT)
        await_refusal(receiver.http_port)
        receiver.process.send_signal(signal.SIGINT)
        receiver.process.communicate(timeout=60)
    assert receiver.process.returncode == -signal.SIGINT


@pytest.mark.soak
def test_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    store = tmp_path / "run.duckdb"
    acknowledged: set[str] = set()
    for round_number in range(5):
        with running(store) as receiver, senders(receiver.grpc_target, 4) as sent:
            for number in range(5 + 5 * round_number):
                call(receiver.grpc_target, TRACES, traces(f"own {number}"))
            os.kill(receiver.process.pid, signal.SIGKILL)
        acknowledged |= {name for sender in sent for name in sender.result()}
    with running(store) as receiver:
        # An exporter whose answer was lost sends again: it must not be stored twice.
        call(receiver.grpc_target, TRACES, traces(*sorted(acknowledged)))
        receiver.terminate()
    stored = [name for name in span_names(store) if not name.startswith("own")]
    assert len(acknowledged) > 0
    assert len(stored) == len(set(stored))
    assert acknowledged <= set(stored)
