"""A store is read while it is written, through snapshots."""

import os
import socket
import stat
import threading
from pathlib import Path

import pytest
from tests.receiver.requests import TRACES, call, post, traces
from tests.receiver.running import Running, running
from tests.receiver.stored import reading, span_names

from tracejury.errors import QueryError, StoreError
from tracejury.store.connection import StoreHeldError
from tracejury.store.query import ask
from tracejury.store.reader import Reader
from tracejury.store.snapshot import request_snapshot, socket_addresses
from tracejury.store.writer import Store


def names_beside(store: Path) -> list[str]:
    return sorted(path.name for path in store.parent.iterdir())


def test_what_was_acknowledged_is_in_the_next_snapshot(receiver: Running) -> None:
    call(receiver.grpc_target, TRACES, traces("a"))
    with reading(receiver.store) as reader:
        assert reader.is_snapshot
        assert reader.rows("SELECT name FROM span") == [{"name": "a"}]
    call(receiver.grpc_target, TRACES, traces("b"))
    assert span_names(receiver.store) == ["a", "b"]
    assert not [name for name in names_beside(receiver.store) if "snapshot" in name]


def test_only_the_owner_may_ask(receiver: Running) -> None:
    address = receiver.store.with_name("run.duckdb.sock")
    assert stat.S_IMODE(address.stat().st_mode) == 0o600
    snapshot = request_snapshot(receiver.store)
    assert snapshot is not None
    assert stat.S_IMODE(snapshot.stat().st_mode) == 0o600
    snapshot.unlink()


def test_a_snapshot_does_not_give_up_the_store(receiver: Running) -> None:
    snapshot = request_snapshot(receiver.store)
    assert snapshot is not None
    snapshot.unlink()
    with pytest.raises(StoreHeldError, match=str(receiver.process.pid)):
        Store.open(receiver.store)


def test_snapshots_under_writes_are_whole(receiver: Running) -> None:
    acknowledged = 0
    stopped = threading.Event()

    def write() -> None:
        nonlocal acknowledged
        while not stopped.is_set():
            call(receiver.grpc_target, TRACES, traces(*(f"{acknowledged}-{n}" for n in range(50))))
            acknowledged += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            before = acknowledged
            spans = len(span_names(receiver.store))
            assert spans % 50 == 0
            assert before * 50 <= spans <= (acknowledged + 1) * 50
    finally:
        stopped.set()
        writer.join()


def test_a_question_cannot_harm_a_store_that_is_written(receiver: Running) -> None:
    call(receiver.grpc_target, TRACES, traces("a"))
    log = receiver.store.with_name("run.duckdb.wal")
    with Reader.open(receiver.store) as reader:
        for target in (receiver.store, log):
            harm = f"COPY (SELECT 'gone') TO '{target}' (FORMAT csv, USE_TMP_FILE false)"
            for sql in (harm, f"WITH x AS ({harm}) SELECT * FROM x", f"EXPLAIN ANALYZE {harm}"):
                with pytest.raises(QueryError):
                    ask(reader, sql)
    call(receiver.grpc_target, TRACES, traces("b"))
    assert receiver.terminate() == ""
    assert span_names(receiver.store) == ["a", "b"]


def test_a_store_that_nobody_writes_has_no_snapshots(tmp_path: Path) -> None:
    assert request_snapshot(tmp_path / "run.duckdb") is None


def test_what_a_killed_receiver_left_is_recognised_and_replaced(tmp_path: Path) -> None:
    store = tmp_path / "run.duckdb"
    with running(store) as receiver:
        call(receiver.grpc_target, TRACES, traces("a"))
        forgotten = request_snapshot(store)
        assert forgotten is not None
        receiver.kill()
    assert store.with_name("run.duckdb.sock").is_socket()
    assert request_snapshot(store) is None
    assert span_names(store) == ["a"]
    with running(store) as receiver:
        assert not forgotten.exists()
        assert span_names(store) == ["a"]
        receiver.terminate()
    assert names_beside(store) == ["run.duckdb"]


def test_a_path_too_long_for_a_socket_is_served_from_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", "/tmp")
    folder = tmp_path / ("long" * 20) / ("long" * 20)
    folder.mkdir(parents=True)
    store = folder / "run.duckdb"
    [address] = socket_addresses(store)
    assert address.parent.name == f"tracejury-{os.getuid()}"
    with running(store) as receiver:
        call(receiver.grpc_target, TRACES, traces("a"))
        assert span_names(store) == ["a"]
        receiver.terminate()
    assert not address.exists()


def test_a_foreign_file_in_the_sockets_place_is_left_alone(tmp_path: Path) -> None:
    store = tmp_path / "run.duckdb"
    foreign = store.with_name("run.duckdb.sock")
    foreign.write_text("mine")
    with running(store) as receiver:
        call(receiver.grpc_target, TRACES, traces("a"))
        assert span_names(store) == ["a"]
        receiver.terminate()
    assert foreign.read_text() == "mine"


def test_another_verb_is_not_answered(receiver: Running) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(receiver.store.with_name("run.duckdb.sock")))
        connection.sendall(b"shutdown\n")
        assert connection.recv(100) == b""
    assert post(receiver.http_port, "/v1/traces", traces("a")).status == 200


def test_a_snapshot_that_cannot_be_made_is_an_error(receiver: Running) -> None:
    with socket.socket(socket.AF_UNIX) as impostor:
        address = receiver.store.with_name("run.duckdb.sock")
        address.unlink()
        impostor.bind(str(address))
        impostor.listen()

        def answer() -> None:
            connection, _ = impostor.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b'{"error": "The disk is full."}\n')

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(StoreError, match=r"The disk is full\."):
            request_snapshot(receiver.store)
        thread.join()
