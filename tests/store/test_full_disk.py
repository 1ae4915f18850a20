"""A disk that is full at a checkpoint: DuckDB gives the file up, and the store opens it again."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.workflow import drawn
from tests.workflow.drawn import Span

from tracejury.errors import StoreError
from tracejury.store.reader import Reader
from tracejury.store.writer import Store

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root mounts a small file system"
)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(mounted, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def grow(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=256m", disk], check=True)


def large(number: int) -> Span:
    """A span of which few fit, with text that no compression makes small."""
    return Span(number, attributes={"text": random.Random(number).randbytes(64 * 1024).hex()})


def fill(store: Store) -> list[int]:
    """Store spans until one is refused; the numbers of those that were acknowledged."""
    for number in range(1, 200):
        try:
            drawn.deliver(store, [large(number)])
        except StoreError:
            return list(range(1, number))
    pytest.fail("four megabytes were never full")


def stored(path: Path) -> list[int]:
    with Reader.open(path) as reader:
        return [
            row["span_id"]
            for row in reader.rows("SELECT span_id FROM stored.span ORDER BY span_id")
        ]


def test_nothing_acknowledged_is_lost_and_the_store_goes_on(disk: Path) -> None:
    path = disk / "run.duckdb"
    store = Store.open(path)
    before = fill(store)
    with pytest.raises(StoreError):
        store.checkpoint()
    with pytest.raises(StoreError):
        drawn.deliver(store, [large(500)])
    grow(disk)
    drawn.deliver(store, [large(501)])
    # What is sent again is known, although the file was opened anew.
    drawn.deliver(store, [large(1)])
    store.close()
    assert stored(path) == [*before, 501]


def test_a_store_that_was_deleted_is_not_made_anew(disk: Path) -> None:
    store = Store.open(disk / "run.duckdb")
    fill(store)
    with pytest.raises(StoreError):
        store.checkpoint()
    for file in disk.iterdir():
        file.unlink()
    with pytest.raises(StoreError, match="is gone"):
        drawn.deliver(store, [Span(2)])
    assert list(disk.iterdir()) == []
