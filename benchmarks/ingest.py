"""How fast `serve` takes spans: the real command, a client in another process, and a full check.

    python -m benchmarks.ingest [--spans 1000000] [--rounds 1] [--in-flight 64] [--rate R]
        [--repeat 1] [--keep STORE]

One line a round: spans a second acknowledged after commit, the milliseconds of an Export, the
server's peak memory. Afterwards the store is read: the spans, attributes, events and links in it
must be exactly those that were sent, or the command fails.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.corpus import SPANS_A_REQUEST, corpus
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tracejury.store.reader import Reader

_PORT: Final = re.compile(r"http://[\d.]+:(\d+)")


@dataclass(frozen=True, slots=True)
class Server:
    """A running `tracejury serve`."""

    process: "subprocess.Popen[str]"
    grpc_port: int

    def peak_mib(self) -> float:
        """The most memory that it has held, its own children too."""
        pids = [self.process.pid, *_children(self.process.pid)]
        return sum(_peak_kib(pid) for pid in pids) / 1024

    def cpu_s(self) -> float:
        """The processor time it has taken."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def _peak_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


@contextmanager
def serving(store: Path) -> Iterator[Server]:
    """`tracejury serve` on free ports, stopped as a user stops it."""
    command = [sys.executable, "-m", "tracejury.cli", "serve", "--store", str(store)]
    command += ["--grpc-port", "0", "--http-port", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        yield Server(process, _grpc_port(process))
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()
    if process.returncode:
        raise RuntimeError(f"serve ended with {process.returncode}")


def _grpc_port(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    for line in process.stdout:
        if found := _PORT.search(line):
            return int(found[1])
    raise RuntimeError("serve did not start")


def load(port: int, *arguments: object) -> Iterator[dict[str, Any]]:
    """Run the client and give what it says after each round."""
    command = [sys.executable, "-m", "benchmarks.load", f"127.0.0.1:{port}", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        for line in client.stdout:
            yield json.loads(line)


def expected(spans: int) -> dict[str, int]:
    """What one round must leave in the tables."""
    found = dict.fromkeys(("span", "span_attribute", "span_event", "span_link"), 0)
    for body in corpus(1_000_000)[: -(-spans // SPANS_A_REQUEST)]:
        for holder in ExportTraceServiceRequest.FromString(body).resource_spans:
            for inner in holder.scope_spans:
                found["span"] += len(inner.spans)
                for span in inner.spans:
                    found["span_attribute"] += len(span.attributes)
                    found["span_event"] += len(span.events)
                    found["span_link"] += len(span.links)
    return found


def check(store: Path, rounds: int, spans: int) -> None:
    """Fail unless the store holds exactly what was sent."""
    with Reader.open(store) as reader:
        for table, count in expected(spans).items():
            stored = reader.value(f"SELECT count(*) FROM stored.{table}")
            if stored != count * rounds:
                raise SystemExit(f"stored.{table} has {stored} rows instead of {count * rounds}")


def main() -> None:
    """Measure as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--keep", type=Path, help="leave the store here")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tracejury-benchmark-"))
    store = arguments.keep or folder / "run.duckdb"
    options = ["--spans", arguments.spans, "--rounds", arguments.rounds]
    options += ["--in-flight", arguments.in_flight]
    options += ["--rate", arguments.rate] if arguments.rate else []
    try:
        corpus(1_000_000)
        with serving(store) as server:
            cpu_s = server.cpu_s()
            for number, said in enumerate(load(server.grpc_port, *options)):
                cpu_us = (server.cpu_s() - cpu_s) / said["spans"] * 1e6
                cpu_s = server.cpu_s()
                print(
                    f"round {number}: {said['spans_per_s'] / 1000:6.1f}k spans/s   Export p50 "
                    f"{said['p50_ms']:.0f} ms, p99 {said['p99_ms']:.0f} ms, longest "
                    f"{said['max_ms']:.0f} ms   peak {server.peak_mib():.0f} MiB   "
                    f"{cpu_us:.1f} us of processor a span   "
                    f"refused {said['refused']} {said['first_refusal'] or ''}",
                    flush=True,
                )
        check(store, arguments.rounds, arguments.spans)
        size = store.stat().st_size / arguments.spans / arguments.rounds
        print(f"all there: spans, attributes, events and links; {size:.0f} bytes a span on disk")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
