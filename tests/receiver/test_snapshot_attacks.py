"""Whatever is said on the snapshot socket, the receiver lives, and others get their copies."""

import random
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from tests.receiver.requests import TRACES, call, traces
from tests.receiver.running import Running, running
from tests.receiver.stored import span_names

from tracejury.errors import StoreError
from tracejury.receiver.snapshot_socket import READER_LIMIT
from tracejury.store.snapshot import SNAPSHOT_VERB, request_snapshot


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("attacked") / "run.duckdb") as receiver:
        call(receiver.grpc_target, TRACES, traces("a"))
        yield receiver
        assert receiver.terminate() == ""


@pytest.fixture(autouse=True)
def others_get_their_copies(attacked: Running) -> Iterator[None]:
    yield
    assert span_names(attacked.store) == ["a"]
    assert copies(attacked) == []
    assert stat.S_IMODE(address(attacked).stat().st_mode) == 0o600


def address(receiver: Running) -> Path:
    return receiver.store.with_name("run.duckdb.sock")


def copies(receiver: Running) -> list[Path]:
    return [path for path in receiver.store.parent.iterdir() if "snapshot" in path.name]


@contextmanager
def connected(receiver: Running) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(address(receiver)))
        connection.settimeout(60)
        yield connection


@pytest.mark.parametrize(
    "said",
    [
        b"\n",
        b"\0" * 9,
        b"\xff\xfe\n",
        b"snapshot\r\n",
        b"SNAPSHOT\n",
        b"snapshot /etc/passwd\n",
        b"GET / HTTP/1.1\r\n\r\n",
        random.Random(7).randbytes(2**20),
        b"x" * 2**22,
    ],
    ids=lambda said: repr(said[:12]),
)
def test_garbage_is_not_answered(attacked: Running, said: bytes) -> None:
    with connected(attacked) as connection, suppress(ConnectionError):
        connection.sendall(said)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="counts a process' open files in /proc")
def test_readers_that_say_nothing_are_no_more_than_a_few(attacked: Running) -> None:
    before = len(open_files(attacked))
    with ExitStack() as opened:
        connections = [opened.enter_context(connected(attacked)) for _ in range(500)]
        # Those beyond the limit are told so, at once and without having asked.
        for refused in connections[READER_LIMIT:]:
            assert b"Too many readers" in refused.recv(1000)
            assert refused.recv(1000) == b""
        assert len(open_files(attacked)) <= before + READER_LIMIT
        with pytest.raises(StoreError, match="Too many readers"):
            request_snapshot(attacked.store)
        call(attacked.grpc_target, TRACES, traces("a"))
    while len(open_files(attacked)) > before:
        pass


def open_files(receiver: Running) -> list[Path]:
    return list(Path(f"/proc/{receiver.process.pid}/fd").iterdir())


def test_a_reader_that_leaves_before_its_answer_leaves_no_copy(attacked: Running) -> None:
    for _ in range(10):
        with connected(attacked) as connection:
            connection.sendall(SNAPSHOT_VERB)
    # Copies are made one after another: once this one is there, the others are gone.
    snapshot = request_snapshot(attacked.store)
    assert snapshot is not None
    snapshot.unlink()
    snapshot.with_name(f"{snapshot.name}.wal").unlink(missing_ok=True)


def test_a_queue_of_readers_that_is_full_is_told_in_a_sentence(tmp_path: Path) -> None:
    store = tmp_path / "run.duckdb"
    with ExitStack() as opened:
        listener = opened.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(store.with_name("run.duckdb.sock")))
        listener.listen(0)
        waiting = opened.enter_context(socket.socket(socket.AF_UNIX))
        waiting.connect(str(store.with_name("run.duckdb.sock")))
        with pytest.raises(StoreError, match="did not answer"):
            request_snapshot(store)


def test_the_verb_may_come_in_pieces(attacked: Running) -> None:
    with connected(attacked) as connection:
        for place in range(len(SNAPSHOT_VERB)):
            connection.sendall(SNAPSHOT_VERB[place : place + 1])
        answer = connection.recv(1000)
    assert answer.startswith(b'{"path": ')
    for path in copies(attacked):
        path.unlink()
