"""A receiver killed at any moment loses nothing that it acknowledged, and stores nothing twice."""

import queue
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.receiver.running import ROOT, running
from tests.receiver.stored import reading

CLIENTS = 3
SPANS_A_REQUEST = 20

# A client in a process of its own: sends request after request, each until it is acknowledged, as
# exporters do that retry; names what was acknowledged, and ends with its stdin.
CLIENT = """
import sys, threading
from contextlib import suppress
import grpc
from tests.receiver.requests import export, traces
number, target = sys.argv[1:]
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
options = [("grpc.max_reconnect_backoff_ms", 100), ("grpc.initial_reconnect_backoff_ms", 50)]
channel = grpc.insecure_channel(target, options)
request = 0
while not ended.is_set():
    names = [f"{number}{request:05x}{n:02x}" for n in range(20)]
    body = traces(*names)
    while not ended.is_set():
        with suppress(grpc.RpcError):
            export(channel)(body, timeout=5)
            print(*names, flush=True)
            break
    request += 1
"""


class Clients:
    """Send until they are told to end; `acknowledged` names the spans."""

    def __init__(self, target: str) -> None:
        self.acknowledged: list[str] = []
        self._told: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-c", CLIENT, str(number), target],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(CLIENTS)
        ]
        self._threads = [
            threading.Thread(target=self._listen, args=[process]) for process in self._processes
        ]
        for thread in self._threads:
            thread.start()

    def wait_for(self, requests: int) -> None:
        for _ in range(requests):
            self.acknowledged += self._told.get(timeout=120)

    def end(self) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
        for process, thread in zip(self._processes, self._threads, strict=True):
            thread.join()
            process.wait(timeout=60)
            assert process.stdout is not None
            process.stdout.close()
        while not self._told.empty():
            self.acknowledged += self._told.get()

    def _listen(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._told.put(line.split())


@contextmanager
def sending(target: str) -> Iterator[Clients]:
    clients = Clients(target)
    try:
        yield clients
    finally:
        clients.end()


def held_port(held: ExitStack) -> int:
    """A port on which the receiver may listen, and that no other program is given meanwhile."""
    holder = held.enter_context(socket.socket())
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    return int(holder.getsockname()[1])


def kill_again_and_again(folder: Path, kills: int) -> None:
    store = folder / "run.duckdb"
    moments = random.Random(kills)
    clients: Clients | None = None
    with ExitStack() as held, ExitStack() as open_clients:
        grpc_port, http_port = held_port(held), held_port(held)
        for number in range(kills + 1):
            with running(store, grpc_port, http_port) as receiver:
                if clients is None:
                    clients = open_clients.enter_context(sending(receiver.grpc_target))
                clients.wait_for(moments.randint(1, 40))
                if number < kills:
                    receiver.kill()
                else:
                    open_clients.close()
                    receiver.terminate()
    assert clients is not None
    check(store, clients.acknowledged)


def check(store: Path, acknowledged: list[str]) -> None:
    assert len(acknowledged) == len(set(acknowledged))
    with reading(store) as reader:
        stored = [row["name"] for row in reader.rows("SELECT name FROM span")]
        losses = reader.value("SELECT count(*) FROM stored.loss")
        missing = reader.missing
    assert len(stored) == len(set(stored)), "stored twice"
    assert set(acknowledged) <= set(stored), "acknowledged and lost"
    # More is there only of requests that were under way when the clients ended.
    assert len(stored) <= len(acknowledged) + SPANS_A_REQUEST * CLIENTS
    assert (losses, missing) == (0, 0)


@pytest.mark.soak
def test_nothing_is_lost_or_stored_twice(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    kill_again_and_again(tmp_path, request.config.getoption("--kills"))
