"""A store is copied while commits go on: the copy is of one moment, whatever comes meanwhile."""

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.receiver.requests import TRACES, call, traces
from tests.receiver.running import Running
from tests.workflow.drawn import Span, deliver

from tracejury.errors import StoreError
from tracejury.store import snapshot, writer
from tracejury.store.reader import Reader
from tracejury.store.snapshot import discard_snapshot, request_snapshot, take_snapshot
from tracejury.store.writer import Store


def test_nothing_that_is_committed_meanwhile_tears_the_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each commit would checkpoint, and so rewrite the file, if nothing held it back.
    monkeypatch.setattr(writer, "_CHECKPOINT_THRESHOLD", "1kB")
    path = tmp_path / "run.duckdb"
    with Store.open(path) as store:
        deliver(store, [Span(number) for number in range(1, 101)])
        copy = snapshot._copy

        def copy_slowly(source: int, target: Path, size: int) -> None:
            before = path.read_bytes()[:size]
            for number in range(1000, 1010):
                deliver(store, [Span(number)])
            assert path.read_bytes()[:size] == before
            copy(source, target, size)

        monkeypatch.setattr(snapshot, "_copy", copy_slowly)
        taken = take_snapshot(store)
        with Reader.open(taken) as reader:
            assert reader.value("SELECT count(*) FROM stored.span") == 100
        discard_snapshot(taken)
        deliver(store, [Span(2000)])
        assert not path.with_name("run.duckdb.wal").exists()  # checkpoints are let again
    assert [file.name for file in tmp_path.iterdir()] == ["run.duckdb"]


@pytest.mark.parametrize("chunk", [4096, 1000])  # the latter cannot be written past the cache
@pytest.mark.parametrize("size", [1, 4096, 20_001])
def test_a_copy_has_the_bytes_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, size: int
) -> None:
    monkeypatch.setattr(snapshot, "_CHUNK", chunk)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(random.Random(size).randbytes(20_001))
    with source.open("rb") as reader:
        snapshot._copy(reader.fileno(), target, size)
        assert target.read_bytes() == source.read_bytes()[:size]
        with pytest.raises(OSError, match="too short"):
            snapshot._copy(reader.fileno(), target, 30_000)


def test_a_copy_of_two_openings_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(tmp_path / "run.duckdb") as store:
        copy = snapshot._copy

        def copy_while_it_is_opened_again(source: int, target: Path, size: int) -> None:
            copy(source, target, size)
            store._open_again()

        monkeypatch.setattr(snapshot, "_copy", copy_while_it_is_opened_again)
        with pytest.raises(StoreError, match="opened again"):
            take_snapshot(store)
    assert [file.name for file in tmp_path.iterdir()] == ["run.duckdb"]


def test_what_came_during_a_copy_is_not_left_to_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_CHECKPOINT_AT_LEISURE", 1)
    with Store.open(tmp_path / "run.duckdb") as store:
        deliver(store, [Span(1)])
        discard_snapshot(take_snapshot(store))
        assert not (tmp_path / "run.duckdb.wal").exists()


def test_readers_that_ask_together_each_have_a_copy_of_their_own(receiver: Running) -> None:
    call(receiver.grpc_target, TRACES, traces("a"))
    with ThreadPoolExecutor(8) as readers:
        copies = list(readers.map(lambda _: request_snapshot(receiver.store), range(8)))
    assert len(set(copies)) == 8
    for taken in copies:
        assert taken is not None
        with Reader.open(taken) as reader:
            assert reader.value("SELECT count(*) FROM stored.span") == 1
        discard_snapshot(taken)
    assert not list(receiver.store.parent.glob(".*snapshot*"))
