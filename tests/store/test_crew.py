"""Several threads that read one store: they see the same, and each table is made once."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import chdir, suppress
from pathlib import Path

import pyarrow as pa
import pytest

from tracejury.errors import StoreError
from tracejury.store.reader import Reader
from tracejury.store.writer import Store

ENDLESS = "SELECT sum(one.range * other.range) FROM range(1000000) AS one, range(1000000) AS other"


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    # A database has the name of its file, and DuckDB's search path takes names by quotes.
    path = tmp_path / 'o\'run "of, today".duckdb'
    Store.open(path).close()
    with Reader.open(path) as opened:
        yield opened


def test_a_table_that_several_threads_need_is_made_once(reader: Reader) -> None:
    made = []

    def make() -> None:
        # Long enough that the other thread comes while it is being made.
        reader.value("SELECT sum(range) FROM range(30000000)")
        made.append(reader.value("SELECT count(*) FROM stored.span"))
        reader.register("number", pa.table({"value": [1, 2]}))

    reader.promise(make, "number", "never_read")
    with reader.crew() as crew:
        sums = [
            crew.submit(lambda: reader.value("SELECT sum(value) FROM number")) for _ in range(8)
        ]
    assert [each.result() for each in sums] == [3] * 8
    assert reader.value("SELECT sum(value) FROM number") == 3
    assert made == [0]


def test_every_thread_finds_the_views_and_the_newest_of_a_name(reader: Reader) -> None:
    def read() -> int:
        return int(reader.value("SELECT value FROM said"))

    for value in (1, 2):
        reader.define("said", f"SELECT {value} AS value")
        with reader.crew() as crew:
            both = [crew.submit(read) for _ in range(4)]
        assert [each.result() for each in both] == [value] * 4
        assert read() == value
    reader.register("said", pa.table({"value": [3]}))
    assert read() == 3


def test_what_breaks_stops_the_others_at_once(reader: Reader) -> None:
    endless: list[Future[object]] = []
    begun = threading.Semaphore(0)

    def work() -> object:
        begun.release()
        return reader.value(ENDLESS)

    def break_off() -> None:
        with reader.crew() as crew:
            endless.extend(crew.submit(work) for _ in range(3))
            for _ in range(2):  # as many as there are threads
                begun.acquire()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert [each.cancelled() for each in endless] == [False, False, True]
    assert all(each.exception() for each in endless[:2])
    assert reader.value("SELECT 1") == 1


def test_wherever_an_interruption_comes_it_is_an_error_of_the_store(tmp_path: Path) -> None:
    """It may come between two queries, or while the place for what is derived is made."""
    path = tmp_path / "run.duckdb"
    Store.open(path).close()
    interrupted = 0
    while interrupted < 20:
        done = threading.Event()
        with Reader.open(path) as reader:

            def interrupt(reader: Reader = reader, done: threading.Event = done) -> None:
                while not done.is_set():
                    reader.interrupt()

            thread = threading.Thread(target=interrupt)
            thread.start()
            try:
                reader.register("number", pa.table({"value": [1, 2]}))
                reader.value("SELECT sum(value) FROM number")
            except StoreError:
                interrupted += 1
            finally:
                done.set()
                thread.join()
            reader.register("number", pa.table({"value": [1, 2]}))
            assert reader.value("SELECT sum(value) FROM number") == 3


def test_two_readers_of_a_file_keep_apart_what_they_derive(tmp_path: Path) -> None:
    """DuckDB opens a file once a process, and a screen opens it anew before it closes the old."""
    path = tmp_path / "run.duckdb"
    Store.open(path).close()
    with Reader.open(path) as one, Reader.open(path) as other:
        one.register("number", pa.table({"value": [1]}))
        other.register("number", pa.table({"value": [2]}))
        assert [each.value("SELECT value FROM number") for each in (one, other)] == [1, 2]


def test_two_readers_of_a_store_keep_apart_what_they_derive() -> None:
    with Store.in_memory() as store:
        with Reader.of(store) as one, Reader.of(store) as other:
            one.register("number", pa.table({"value": [1]}))
            other.register("number", pa.table({"value": [2]}))
            assert [each.value("SELECT value FROM number") for each in (one, other)] == [1, 2]
        databases = "SELECT count(*) FROM duckdb_databases() WHERE database_name LIKE 'derived%'"
        assert store.connection().execute(databases).fetchall() == [(0,)]


def test_what_is_derived_takes_no_name_beside_the_store(reader: Reader, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    reader.register("number", pa.table({"value": range(500_000)}))
    assert sorted(tmp_path.iterdir()) == before
    files = []
    for handle in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # it was open to list the others
            files.append(str(handle.readlink()))
    assert [file for file in files if "derived.duckdb" in file and "deleted" in file]


def test_what_cannot_be_kept_beside_the_store_is_kept_in_memory(tmp_path: Path) -> None:
    # There is room for the store's name in the longest path that there may be, and for no longer.
    folder = tmp_path
    while len(str(folder)) < 4075:
        folder = folder / ("x" * min(200, 4079 - len(str(folder))))
    with chdir(tmp_path):
        for part in folder.relative_to(tmp_path).parts:
            Path(part).mkdir()
            os.chdir(part)
        Store.open(Path("s")).close()
        with Reader.open(folder / "s") as opened:
            opened.register("number", pa.table({"value": [1, 2]}))
            assert opened.value("SELECT sum(value) FROM number") == 3
