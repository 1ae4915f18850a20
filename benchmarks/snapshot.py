"""What a snapshot costs, and how long it holds up the writer, at several sizes of store.

    python -m benchmarks.snapshot [--gigabytes 1 5 10] [--folder DIR]

A store is filled; at each size a thread commits requests of 512 spans without a pause, first until
commits have moved the log into the file once, then while three snapshots are taken. Each is opened
as a reader does and must hold whole requests only, at least as many as were acknowledged when it
was asked for, and each row of them. Needs twice the largest size on disk.
"""

import argparse
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

from benchmarks.corpus import SPANS_A_REQUEST, corpus, fresh

from tracejury.otlp.decode import decode
from tracejury.otlp.signals import Encoding, Signal
from tracejury.store.reader import Reader
from tracejury.store.snapshot import discard_snapshot, take_snapshot
from tracejury.store.writer import Store

_ROWS_AT_ONCE: Final = 2_000_000
_SNAPSHOTS: Final = 3

# Values that no compression makes small, of spans that are not there: only the size matters.
_FILL: Final = """
    INSERT INTO stored.span_value
    SELECT -1 - number, 0, md5(number::VARCHAR || ?) || md5(? || number::VARCHAR)
    FROM range(?) AS filling(number)
"""


def grow(path: Path, size: int) -> None:
    """Make the store at `path` at least `size` bytes large."""
    with Store.open(path) as store:
        connection = store.connection()
        step = 0
        while path.stat().st_size < size:
            connection.execute(_FILL, [str(step), str(step), _ROWS_AT_ONCE])
            connection.execute("CHECKPOINT")
            step += 1


@dataclass
class Writing:
    """What the committing thread has done so far."""

    acknowledged: int = 0
    took_s: list[float] = field(default_factory=list)


@contextmanager
def writing(store: Store) -> Iterator[Writing]:
    """Commit requests, one after another, until the block ends."""
    template = corpus(1_000_000)[:64]
    stopped = threading.Event()
    done = Writing()

    def commit() -> None:
        number = 0
        while not stopped.is_set():
            for body in fresh(template, run=time.time_ns() % 2**40, number=number):
                batch = decode(Signal.TRACES, Encoding.PROTOBUF, [body])
                begin = time.perf_counter()
                store.commit([batch], received_ns=time.time_ns(), source="benchmark")
                done.took_s.append(time.perf_counter() - begin)
                done.acknowledged += 1
                if stopped.is_set():
                    return
            number += 1

    thread = threading.Thread(target=commit)
    thread.start()
    try:
        yield done
    finally:
        stopped.set()
        thread.join()


def check(snapshot: Path, acknowledged: int) -> float:
    """Fail unless the snapshot is whole; the seconds until it was open."""
    begin = time.perf_counter()
    with Reader.open(snapshot) as reader:
        opened_s = time.perf_counter() - begin
        spans = int(reader.value("SELECT count(*) FROM stored.span"))
        delivered = int(reader.value("SELECT sum(stored) FROM stored.delivery"))
        owners = int(
            reader.value("SELECT count(DISTINCT span_no) FROM stored.span_value WHERE span_no >= 0")
        )
    if spans % SPANS_A_REQUEST or spans < acknowledged * SPANS_A_REQUEST:
        raise SystemExit(f"{spans} spans, of {acknowledged} requests acknowledged before")
    if not spans == delivered == owners:
        raise SystemExit(f"{spans} spans, {delivered} delivered, {owners} with attributes")
    return opened_s


def measure(folder: Path, size: int) -> None:
    """Print one line for a store of `size` bytes."""
    path = folder / "run.duckdb"
    grow(path, size)
    with Store.open(path) as store, writing(store) as done:
        usual_s = _usual(path, done)
        taken, opened, first, copying = [], [], len(done.took_s), []
        for _ in range(_SNAPSHOTS):
            before, begun = done.acknowledged, len(done.took_s)
            begin = time.perf_counter()
            snapshot = take_snapshot(store)
            taken.append(time.perf_counter() - begin)
            copying.append(slice(begun, len(done.took_s) + 1))
            opened.append(check(snapshot, before))
            discard_snapshot(snapshot)
        meanwhile = [max(done.took_s[commits]) for commits in copying]
        stalls = done.took_s[first:]
        print(
            f"{path.stat().st_size / 1e9:5.1f} GB   snapshot {sorted(taken)[1]:6.2f} s   "
            f"opened in {sorted(opened)[1]:5.2f} s   longest commit: "
            f"without {usual_s * 1e3:.0f} ms, while it is copied {max(meanwhile) * 1e3:.0f} ms, "
            f"with what follows {max(stalls) * 1e3:.0f} ms   {len(stalls)} commits",
            flush=True,
        )


def _usual(path: Path, done: Writing) -> float:
    """The longest commit, of those until one has moved the log into the file."""
    log = path.with_name(f"{path.name}.wal")
    sizes = [0]
    while not any(later < earlier for earlier, later in pairwise(sizes)):
        time.sleep(0.05)
        sizes.append(log.stat().st_size if log.exists() else 0)
    time.sleep(0.5)
    return max(done.took_s)


def main() -> None:
    """Measure as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gigabytes", type=float, nargs="+", default=[1, 5, 10])
    parser.add_argument("--folder", type=Path, help="where to make the stores")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tracejury-snapshot-", dir=arguments.folder))
    try:
        for gigabytes in sorted(arguments.gigabytes):
            measure(folder, int(gigabytes * 1e9))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
