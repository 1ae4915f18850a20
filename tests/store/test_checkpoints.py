"""What a checkpoint costs those who wait for it: only some join what tables were written in."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.receiver.requests import traces
from tests.workflow.drawn import Span, deliver

from tracejury.otlp.signals import Encoding, Signal
from tracejury.receiver.answers import Accepted
from tracejury.receiver.pipeline import Pipeline
from tracejury.receiver.settlement import Request
from tracejury.store import writer
from tracejury.store.reader import Reader
from tracejury.store.writer import Store

PARTS = """
    SELECT count(DISTINCT row_group_id) FROM pragma_storage_info('stored.span')
    WHERE persistent
"""


def commit(store: Store, number: int) -> None:
    deliver(store, [Span(1000 * number + span, trace=number) for span in range(1, 100)])


def parts(store: Store) -> object:
    with Reader.of(store) as reader:
        return reader.value(PARTS)


def test_a_commit_that_moves_the_log_into_the_file_joins_nothing_and_the_end_does(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.duckdb"
    with Store.open(path) as store:
        for number in range(1, 4):
            commit(store, number)
            store.connection().execute("CHECKPOINT")  # as DuckDB does at the end of a commit
        assert parts(store) == 3
    with Store.open(path) as store:
        assert parts(store) == 1
        commit(store, 4)
        store.connection().execute("CHECKPOINT")
        commit(store, 5)
        assert parts(store) == 2
        store.checkpoint()
        assert parts(store) == 1


async def test_the_log_goes_into_the_file_when_nobody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.duckdb"
    log = tmp_path / "run.duckdb.wal"
    async with AsyncExitStack() as running:
        store = running.enter_context(Store.open(path))
        pipeline = Pipeline(store)
        running.push_async_callback(pipeline.stop)
        request = Request(Signal.TRACES, Encoding.PROTOBUF, traces("a"))
        assert await pipeline.submit(request) == Accepted()
        assert log.stat().st_size  # too little to be worth it
        monkeypatch.setattr(writer, "_CHECKPOINT_AT_LEISURE", 1)
        with store.frozen():  # nobody may change the file now
            for name in "bc":  # between the two nobody waits
                request = Request(Signal.TRACES, Encoding.PROTOBUF, traces(name))
                assert await pipeline.submit(request) == Accepted()
            assert log.stat().st_size
        request = Request(Signal.TRACES, Encoding.PROTOBUF, traces("d"))
        assert await pipeline.submit(request) == Accepted()
        while log.exists():
            await asyncio.sleep(0)
        with Reader.of(store) as reader:
            assert reader.value("SELECT count(*) FROM stored.span") == 4
