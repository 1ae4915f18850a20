"""A store is copied while commits go on: the copy is of one moment, whatever comes meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.receiver.requests import TRACES, call, traces
from tests.receiver.running import Running
from tests.workflow.drawn import Span, deliver

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
