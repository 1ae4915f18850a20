"""What was acknowledged and is not in the file any more is noticed, whatever opened it silently."""

import logging
import os
import shutil
from pathlib import Path

import pytest
from tests.store.stores import elsewhere, first_line
from tests.workflow.drawn import Span, deliver

from tracejury.errors import StoreError
from tracejury.store.reader import Reader
from tracejury.store.writer import Store

COMMITS = 20

# A writer that is killed: what it stored is in the log, and nothing in the file itself.
KILLED = f"""
import os, sys
from pathlib import Path
from tests.workflow.drawn import Span, deliver
from tracejury.store.writer import Store
store = Store.open(Path(sys.argv[1]))
store.checkpoint()
for number in range(1, {COMMITS + 1}):
    deliver(store, [Span(number)])
print("stored", flush=True)
os._exit(0)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("killed") / "run.duckdb"
    with elsewhere(KILLED, path) as process:
        assert first_line(process) == "stored"
    assert wal(path).stat().st_size
    return path


@pytest.fixture
def store(killed: Path, tmp_path: Path) -> Path:
    """A copy of it, with its log and its count."""
    for file in killed.parent.iterdir():
        shutil.copy(file, tmp_path / file.name)
    return tmp_path / "run.duckdb"


def wal(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")


def spans(reader: Reader) -> int:
    return int(reader.value("SELECT count(*) FROM stored.span"))


def lost(path: Path) -> tuple[int, int]:
    """Spans that a reader finds, and how many it misses."""
    with Reader.open(path) as reader:
        recorded = reader.value("SELECT coalesce(sum(records), 0)::BIGINT FROM stored.loss")
        return spans(reader), recorded + reader.missing


def test_a_killed_writer_loses_nothing(store: Path) -> None:
    assert lost(store) == (COMMITS, 0)
    Store.open(store).close()
    assert lost(store) == (COMMITS, 0)
    assert [file.name for file in store.parent.iterdir()] == ["run.duckdb"]


def test_a_log_that_is_gone_is_missed(store: Path, caplog: pytest.LogCaptureFixture) -> None:
    wal(store).unlink()
    assert lost(store) == (0, COMMITS)
    with Store.open(store) as writer:
        deliver(writer, [Span(99)])
    [said] = caplog.records
    assert said.levelno == logging.ERROR
    assert f"lacks {COMMITS} records that had been acknowledged" in said.getMessage()
    # It stays known, and is said once.
    assert lost(store) == (1, COMMITS)
    caplog.clear()
    Store.open(store).close()
    assert not caplog.records


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_a_log_that_was_cut_off_is_missed(store: Path, share: float) -> None:
    size = wal(store).stat().st_size
    os.truncate(wal(store), int(size * share))
    found, missing = lost(store)
    assert missing == COMMITS - found > 0


@pytest.mark.parametrize("junk", [b"\x00" * 4096, bytes(range(256)) * 16])
def test_garbage_behind_a_log_costs_nothing(store: Path, junk: bytes) -> None:
    with wal(store).open("ab") as log:
        log.write(junk)
    assert lost(store) == (COMMITS, 0)


def test_a_flipped_byte_anywhere_in_a_log_is_noticed(store: Path) -> None:
    """It opens whole, or is refused with a sentence, or what is missing is counted."""
    whole = wal(store).read_bytes()
    outcomes = {"whole": 0, "refused": 0, "missed": 0}
    # Every byte of the first entries, then a sample.
    for position in [*range(64), *range(64, len(whole), len(whole) // 64)]:
        flipped = bytearray(whole)
        flipped[position] ^= 0xFF
        wal(store).write_bytes(flipped)
        try:
            found, missing = lost(store)
        except StoreError as error:
            assert "Restore it from a copy" in str(error)  # noqa: PT017
            outcomes["refused"] += 1
            continue
        assert found + missing == COMMITS
        outcomes["missed" if missing else "whole"] += 1
    assert outcomes["missed"] > 0
    assert outcomes["refused"] > 0


def test_a_store_that_was_replaced_is_said_to_be_gone(
    store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store.unlink()
    wal(store).unlink()
    Store.open(store).close()
    [said] = caplog.records
    assert "that one is gone" in said.getMessage()
    assert lost(store) == (0, 0)


def test_a_count_that_is_none_accuses_nobody(store: Path) -> None:
    store.with_name(f"{store.name}.ack").write_bytes(b"tracejury ?\n")
    assert lost(store) == (COMMITS, 0)


@pytest.mark.parametrize("replacement", [False, True])
def test_nothing_is_acknowledged_once_the_file_is_gone(tmp_path: Path, replacement: bool) -> None:
    path = tmp_path / "run.duckdb"
    store = Store.open(path)
    deliver(store, [Span(1)])
    path.unlink()
    if replacement:
        path.write_bytes(b"another")
    with pytest.raises(StoreError, match="is gone"):
        deliver(store, [Span(2)])
    with pytest.raises(StoreError, match="is gone"):
        store.close()


def test_a_clock_that_goes_backwards_changes_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "run.duckdb"
    with Store.open(path) as store:
        for number, received_ns in ((1, 5_000), (2, 1_000), (1, 500)):
            deliver(store, [Span(number)], received_ns=received_ns)
    with Reader.open(path) as reader:
        rows = reader.rows("SELECT span_id, received_ns FROM stored.span ORDER BY span_no")
        assert [tuple(row.values()) for row in rows] == [(1, 5_000), (2, 1_000)]
        assert reader.value("SELECT sum(duplicates) FROM stored.delivery") == 1
