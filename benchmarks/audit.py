"""How long an audit takes, and how much memory: the real commands on stores of several sizes.

    python -m benchmarks.audit [--spans 1000000 ...] [--folder FOLDER]

One line a size: the time on the clock, the processor's time of all cores, the most memory that the
process held, and the processor's time a span beside that of the smallest size.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cost:
    """What one command took."""

    wall_s: float
    cpu_s: float
    peak_mib: float


def measure(*arguments: object) -> Cost:
    """Run a module of Python to its end; whatever it finds, it must not break."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", *map(str, arguments)], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    # 1 is the verdict of an audit.
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise SystemExit(f"{arguments[0]} {arguments[1]} failed")
    wall_s = time.perf_counter() - started
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def store_of(folder: Path, spans: int) -> Path:
    """A store with `spans` spans in `folder`, imported unless it is there."""
    store = folder / f"audit-{spans}.duckdb"
    if not store.exists():
        corpus = folder / f"audit-{spans}.otlp"
        measure("benchmarks.corpus", corpus, "--spans", spans)
        cost = measure("tracejury.cli", "import", corpus, "--store", store)
        corpus.unlink()
        print(f"{spans:>11,} spans: import {_told(cost)}", flush=True)
    return store


def _told(cost: Cost) -> str:
    return (
        f"{cost.wall_s:6.1f} s on the clock, {cost.cpu_s:6.1f} s of processor,"
        f" {cost.peak_mib:6.0f} MiB at most"
    )


def main() -> None:
    """Measure the sizes of the command line, the smallest first."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--spans", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--folder", type=Path, help="leave the stores here, and use those there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tracejury-benchmark-") as temporary:
        folder = arguments.folder or Path(temporary)
        smallest = 0.0
        for spans in sorted(arguments.spans):
            store = store_of(folder, spans)
            cost = measure("tracejury.cli", "audit", "--store", store, "--format", "json")
            each = cost.cpu_s / spans * 1e6
            smallest = smallest or each
            print(
                f"{spans:>11,} spans: audit  {_told(cost)}, {each:.1f} us of processor a span"
                f" ({each / smallest:.2f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
