"""A store is one writer's: whole commits, known formats, and nobody else while it is held."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from tests.store.stores import contents, counts, elsewhere, first_line, written
from tests.workflow import drawn
from tests.workflow.drawn import Log, Span

from tracejury.errors import StoreError
from tracejury.otlp.decode import Encoding, Signal, decode
from tracejury.store.connection import FORMAT_VERSION, StoreHeldError
from tracejury.store.reader import Reader
from tracejury.store.snapshot import request_snapshot, take_snapshot
from tracejury.store.writer import Store
from tracejury.telemetry.batch import Batch

HOLD = """
import sys
from pathlib import Path
from tracejury.store.writer import Store
from tracejury.store.snapshot import take_snapshot
store = Store.open(Path(sys.argv[1]))
for path in sys.argv[2:]:
    take_snapshot(store).rename(path)
print("held", flush=True)
sys.stdin.read()
store.close()
"""

# A file may grow no further than it is, as on a full disk.
FILL = """
import os, resource, signal, sys
from pathlib import Path
from tests.workflow.drawn import Span, deliver
from tracejury.errors import StoreError
from tracejury.store.writer import Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
store = Store.open(path)
deliver(store, [Span(1), Span(2)])
whole = resource.getrlimit(resource.RLIMIT_FSIZE)
largest = max(file.stat().st_size for file in path.parent.iterdir())
resource.setrlimit(resource.RLIMIT_FSIZE, (largest, whole[1]))
try:
    deliver(store, [Span(n, "x" * 1000) for n in range(10, 2000)])
    print("stored", flush=True)
except StoreError as error:
    print(error, flush=True)
os._exit(0)
"""


def batch_of(*spans: Span) -> Batch:
    [(signal, body)] = drawn.requests(spans)
    return decode(signal, Encoding.PROTOBUF, [body])


def unstorable(batch: Batch) -> Batch:
    """The same spans, with a log record that no store takes: its time is negative."""
    [(_, body)] = drawn.requests([Log("late")])
    logs = decode(Signal.LOGS, Encoding.PROTOBUF, [body])
    column = logs.logs.schema.get_field_index("time_ns")
    broken = logs.logs.set_column(column, "time_ns", pa.array([-1], pa.int64()))
    return replace(
        batch,
        logs=broken,
        resources=pa.concat_tables([batch.resources, logs.resources]),
        scopes=pa.concat_tables([batch.scopes, logs.scopes]),
    )


def test_a_failed_commit_stores_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run.duckdb"
    with Store.open(path) as store:
        drawn.deliver(store, [Span(1)])
        with pytest.raises(StoreError, match="could not be written"):
            store.commit([unstorable(batch_of(Span(2)))], received_ns=1, source="test")
        with Reader.of(store) as reader:
            assert counts(reader) == (1, 0)
        drawn.deliver(store, [Span(2)])
    with Reader.open(path) as reader:
        assert counts(reader) == (2, 0)
        assert reader.value("SELECT sum(received) FROM stored.delivery") == 2


def test_whatever_ends_a_commit_early_stores_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run.duckdb"
    with Store.open(path) as store:
        drawn.deliver(store, [Span(1)])
        nameless = replace(batch_of(Span(2)), rejections=pa.table({}))
        with pytest.raises(KeyError):
            store.commit([nameless], received_ns=1, source="test")
        drawn.deliver(store, [Span(3)])
    with Reader.open(path) as reader:
        ids = reader.rows("SELECT span_id FROM stored.span ORDER BY span_id")
        assert [row["span_id"] for row in ids] == [1, 3]
        assert reader.value("SELECT count(*) FROM stored.session WHERE ended_ns IS NULL") == 0


@pytest.mark.skipif(sys.platform == "darwin", reason="limits the size of files as Linux does")
def test_a_full_disk_costs_nothing_that_was_committed(tmp_path: Path) -> None:
    path = tmp_path / "run.duckdb"
    with elsewhere(FILL, path) as process:
        assert "stored" not in first_line(process).split()
    with Reader.open(path) as reader:
        assert counts(reader) == (2, 0)
    with Store.open(path) as store:
        drawn.deliver(store, [Span(3)])
    with Reader.open(path) as reader:
        assert counts(reader) == (3, 0)


def test_what_is_no_duckdb_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    for number, content in enumerate((b"", b'{"resourceSpans": []}', b"DUCK" * 5000)):
        path = tmp_path / f"{number}.duckdb"
        path.write_bytes(content)
        for opening in (Store.open, Reader.open):
            with pytest.raises(StoreError) as refusal:
                opening(path)
            assert str(path) in refusal.value.message
            assert not isinstance(refusal.value, StoreHeldError)
            assert refusal.value.next_step
        assert path.read_bytes() == content


def test_a_duckdb_file_of_somebody_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE theirs AS SELECT 1 AS one")
    before = path.read_bytes()
    for opening in (Store.open, Reader.open):
        with pytest.raises(StoreError, match="not a tracejury store"):
            opening(path)
    assert path.read_bytes() == before


def test_another_format_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "run.duckdb", [Span(1)])
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE stored.format SET version = ?", [FORMAT_VERSION + 1])
    for opening in (Store.open, Reader.open):
        with pytest.raises(StoreError, match=f"store format {FORMAT_VERSION + 1}"):
            opening(path)


@pytest.mark.parametrize("name", ["", "absent/run.duckdb"])
def test_a_path_that_no_file_can_have_is_refused(tmp_path: Path, name: str) -> None:
    for opening in (Store.open, Reader.open):
        with pytest.raises(StoreError) as refusal:
            opening(tmp_path / name)
        assert refusal.value.next_step


def test_an_absent_store_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="There is no store"):
        Reader.open(tmp_path / "run.duckdb")
    assert list(tmp_path.iterdir()) == []


def test_a_store_has_one_writer(tmp_path: Path) -> None:
    path = written(tmp_path / "run.duckdb", [Span(1)])
    with elsewhere(HOLD, path) as process:
        assert first_line(process) == "held"
        for opening in (Store.open, Reader.open):
            with pytest.raises(StoreHeldError) as refusal:
                opening(path)
            assert f"process {process.pid}" in refusal.value.message
    with Reader.open(path) as reader:
        assert counts(reader) == (1, 0)


def test_a_snapshot_does_not_give_up_the_lock(tmp_path: Path) -> None:
    path = written(tmp_path / "run.duckdb", [Span(1), Log("said")])
    snapshots = [tmp_path / "first.duckdb", tmp_path / "second.duckdb"]
    with elsewhere(HOLD, path, *snapshots) as process:
        assert first_line(process) == "held"
        with pytest.raises(StoreHeldError):
            Store.open(path)
        for snapshot in snapshots:
            with Reader.open(snapshot) as reader:
                assert counts(reader) == (1, 1)


def test_a_snapshot_is_the_store_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "run.duckdb"
    with Store.open(path) as store:
        drawn.deliver(store, [Span(1), Log("said")])
        snapshot = take_snapshot(store)
        with Reader.of(store) as live, Reader.open(snapshot) as copy:
            assert contents(copy) == contents(live)
        drawn.deliver(store, [Span(2)])
        with Reader.open(snapshot) as copy:
            assert counts(copy) == (1, 1)
    assert request_snapshot(path) is None


def test_a_store_without_right_of_writing_is_refused(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    path = written(tmp_path / "run.duckdb", [Span(1)])
    path.chmod(0o400)
    with pytest.raises(StoreError):
        Store.open(path)
