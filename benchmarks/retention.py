"""What keeping a store within a size costs: how large its file becomes, and how long commits wait.

    python -m benchmarks.retention [--megabytes 200] [--spans 4000000] [--folder DIR]

Requests of 512 spans are committed 16 at a time without a pause, first without a bound, then within
it; what was silent for five seconds may go. Each round of traces has job ids of its own. Where the
receiver would turn requests away for lack of room, they wait until there is some.
"""

import argparse
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.corpus import SPANS_A_REQUEST, corpus, fresh

from tracejury.config import Retention
from tracejury.otlp.decode import decode
from tracejury.otlp.signals import Encoding, Signal
from tracejury.receiver.retention import Pruner
from tracejury.store.reader import Reader
from tracejury.store.writer import Store

_REQUESTS_A_COMMIT: Final = 16
_SILENT_S: Final = 5.0
_AGAIN_S: Final = 0.1


def requests(spans: int) -> Iterator[list[bytes]]:
    """Requests by the commit, about so many spans in all."""
    template = corpus(200_000)
    sent = number = 0
    while sent < spans:
        # The job of an order is new in each round too, so that instances end.
        own = [body.replace(b"job-", b"j%03d" % (number % 1000)) for body in template]
        bodies = fresh(own, run=time.time_ns() % 2**40, number=number)
        for start in range(0, len(bodies), _REQUESTS_A_COMMIT):
            group = bodies[start : start + _REQUESTS_A_COMMIT]
            sent += SPANS_A_REQUEST * len(group)
            yield group
        number += 1


def measure(path: Path, spans: int, bound: int | None) -> None:
    """Print one line for a store that is kept within `bound` bytes, or not at all."""
    stopped = threading.Event()
    took: list[float] = []
    waited_s = 0.0
    largest = largest_use = 0
    with Store.open(path) as store:
        pruner = Pruner(store, Retention(max_size=bound), stopped, still_receiving_s=_SILENT_S)
        thread = threading.Thread(target=pruner.run)
        thread.start()
        begin = time.perf_counter()
        for group in requests(spans):
            batch = decode(Signal.TRACES, Encoding.PROTOBUF, group)
            while pruner.room.is_full:
                time.sleep(_AGAIN_S)
                waited_s += _AGAIN_S
            started = time.perf_counter()
            store.commit([batch], received_ns=time.time_ns(), source="benchmark")
            took.append(time.perf_counter() - started)
            pruner.room.measure()
            log = path.with_name(f"{path.name}.wal")
            on_disk = path.stat().st_size + (log.stat().st_size if log.exists() else 0)
            largest = max(largest, on_disk)
            largest_use = max(largest_use, pruner.room.used)
        rate = spans / (time.perf_counter() - begin)
        stopped.set()
        thread.join()
    with Reader.open(path) as reader:
        [row] = reader.rows("""
            SELECT
                (SELECT count(*) FROM stored.span) AS left,
                (SELECT coalesce(sum(spans), 0)::BIGINT FROM stored.pruning) AS pruned,
                (SELECT coalesce(sum(instances), 0)::BIGINT FROM stored.pruning) AS instances
        """)
    took.sort()
    print(
        f"{'no bound' if bound is None else f'{bound / 1e6:.0f} MB':>8}   "
        f"{rate:8,.0f} spans/s   file and log at most {largest / 1e6:6.0f} MB, in use at most "
        f"{largest_use / 1e6:6.0f} MB   commit p50 {took[len(took) // 2] * 1e3:4.0f} ms, "
        f"p99 {took[len(took) * 99 // 100] * 1e3:5.0f} ms, longest {took[-1] * 1e3:5.0f} ms   "
        f"turned away for {waited_s:.0f} s   "
        f"{row['left']:,} spans left, {row['pruned']:,} of {row['instances']:,} instances pruned",
        flush=True,
    )


def main() -> None:
    """Measure as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--spans", type=int, default=4_000_000)
    parser.add_argument("--folder", type=Path, help="where to make the stores")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tracejury-retention-", dir=arguments.folder))
    try:
        for name, bound in (("free", None), ("bounded", arguments.megabytes * 10**6)):
            measure(folder / f"{name}.duckdb", arguments.spans, bound)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
