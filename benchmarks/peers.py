"""Our receiver beside those that PyPI installs, on the same load, in turn, several rounds.

    python -m benchmarks.peers [--spans 200000] [--rounds 3] [--in-flight 64] [--only NAME ...]

Each peer gets a virtual environment of its own, kept in the cache folder of this machine. The
answers differ in what they mean, so the table says what each keeps, and when it answers. Prints
medians and the ratio to ours over the same transport.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CACHE: Final = Path(tempfile.gettempdir()) / "tracejury-peers"
_START_TIMEOUT_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A receiver: how it starts, with {bin}, {site}, {port}, {other} and {folder} filled in."""

    name: str
    package: str  # '': ours
    command: Sequence[str]
    transport: str
    keeps: str
    share: float = 1.0  # of the load: some would take hours for all of it
    environment: tuple[tuple[str, str], ...] = ()


_OURS: Final = ("{python}", "-m", "tracejury.cli", "serve", "--store", "{folder}/run.duckdb")
PEERS: Final = (
    Peer(
        "tracejury",
        "",
        (*_OURS, "--grpc-port", "{port}", "--http-port", "{other}"),
        "gRPC",
        "everything, redacted, each span once; answers after the commit is on disk",
    ),
    Peer(
        "tracejury over HTTP",
        "",
        (*_OURS, "--grpc-port", "{other}", "--http-port", "{port}"),
        "HTTP",
        "the same",
    ),
    Peer(
        "rotel",
        "rotel",
        (
            *("{site}/rotel/rotel-agent", "start", "--exporter", "blackhole"),
            *("--otlp-grpc-endpoint", "127.0.0.1:{port}"),
            *("--otlp-http-endpoint", "127.0.0.1:{other}", "--pid-file", "{folder}/pid"),
        ),
        "gRPC",
        "nothing: discards",
        environment=(("ROTEL_TELEMETRY_DISABLED", "1"),),
    ),
    Peer(
        "oteltap",
        "oteltap",
        ("{bin}/oteltap", "--port", "{port}"),
        "HTTP",
        "prints each span without its resource, to a file here; finds nothing again",
    ),
    Peer(
        "arize-phoenix",
        "arize-phoenix",
        ("{bin}/phoenix", "serve"),
        "gRPC",
        "SQLite; answers before it is stored, and goes on storing long afterwards",
        share=0.05,
        environment=(
            ("PHOENIX_GRPC_PORT", "{port}"),
            ("PHOENIX_PORT", "{other}"),
            ("PHOENIX_HOST", "127.0.0.1"),
            ("PHOENIX_WORKING_DIR", "{folder}"),
            ("PHOENIX_TELEMETRY_ENABLED", "false"),
        ),
    ),
)


def main() -> None:
    """Measure as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--spans", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--only", nargs="*", choices=[peer.name for peer in PEERS])
    arguments = parser.parse_args()
    chosen = [peer for peer in PEERS if not arguments.only or peer.name in arguments.only]
    rates: dict[str, list[float]] = {peer.name: [] for peer in chosen}
    for number in range(arguments.rounds):
        for peer in chosen:
            spans = int(arguments.spans * peer.share)
            rate = _measure(peer, spans, arguments.in_flight)
            rates[peer.name].append(rate)
            print(f"round {number}: {peer.name:20} {rate:10,.0f} spans/s", file=sys.stderr)
    print(_table(chosen, rates))


def _table(peers: Sequence[Peer], rates: dict[str, list[float]]) -> str:
    medians = {peer.name: statistics.median(rates[peer.name]) for peer in peers}
    ours = {peer.transport: medians[peer.name] for peer in peers if not peer.package}
    lines = ["| receiver | transport | spans/s (median) | ratio to ours | what it keeps |"]
    lines.append("| --- | --- | ---: | ---: | --- |")
    for peer in peers:
        base = ours.get(peer.transport)
        ratio = f"{medians[peer.name] / base:.2f}" if base else ""
        cells = [peer.name, peer.transport, f"{medians[peer.name]:,.0f}", ratio, peer.keeps]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _measure(peer: Peer, spans: int, in_flight: int) -> float:
    with _running(peer) as port:
        command = [sys.executable, "-m", "benchmarks.load", f"127.0.0.1:{port}"]
        command += ["--spans", str(spans), "--in-flight", str(in_flight)]
        command += ["--http"] if peer.transport == "HTTP" else []
        said = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    if said["refused"]:
        print(f"{peer.name} refused {said['refused']}: {said['first_refusal']}", file=sys.stderr)
    return float(said["spans_per_s"])


@contextmanager
def _running(peer: Peer) -> Iterator[int]:
    folder = Path(tempfile.mkdtemp(prefix="tracejury-peer-"))
    home = _installed(peer.package) if peer.package else Path(sys.prefix)
    port, other = _free_port(), _free_port()
    places = {
        "python": sys.executable,
        "bin": str(home / "bin"),
        "site": str(next(home.glob("lib/python*/site-packages"))),
        "port": str(port),
        "other": str(other),
        "folder": str(folder),
    }
    command = [part.format(**places) for part in peer.command]
    extra = {key: value.format(**places) for key, value in peer.environment}
    with (folder / "out").open("wb") as sink:
        process = subprocess.Popen(
            command, stdout=sink, stderr=sink, env={**os.environ, **extra}, cwd=Path.cwd()
        )
        try:
            _wait_for(port, process)
            yield port
        finally:
            process.send_signal(signal.SIGINT if peer.package else signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            shutil.rmtree(folder, ignore_errors=True)


def _installed(package: str) -> Path:
    home = _CACHE / package
    if not (home / "done").exists():
        print(f"Installing {package} into {home}", file=sys.stderr)
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([home / "bin" / "pip", "install", "--quiet", package], check=True)
        for agent in home.glob("lib/python*/site-packages/rotel/rotel-agent"):
            agent.chmod(0o755)  # as the wheel does not
        (home / "done").touch()
    return home


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise SystemExit(f"The receiver did not start: {process.args!r}")


if __name__ == "__main__":
    main()
