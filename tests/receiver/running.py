"""A receiver in a process of its own, as users have one."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.request import urlopen

ROOT = Path(__file__).parents[2]

Process: TypeAlias = "subprocess.Popen[str]"
Settings: TypeAlias = Mapping[str, str | Path]  # of `Serve` and `Retention`, by their names


@dataclass(frozen=True, slots=True)
class Running:
    process: Process
    store: Path
    grpc_port: int
    http_port: int

    @property
    def grpc_target(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.http_port}{path}"

    def peak_memory(self) -> int:
        """The most memory it has held so far, or since `forget_peak_memory`, in bytes."""
        return self._memory("VmHWM")

    def forget_peak_memory(self) -> None:
        """Let what was done to it before not count as what is done to it from now on."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def memory(self) -> int:
        """The memory it holds, in bytes."""
        return self._memory("VmRSS")

    def waiting_requests(self) -> int:
        """The requests that it has not answered yet, as it says itself."""
        return self._metric("tracejury_waiting_requests")

    def waiting_bytes(self) -> int:
        """What of their bodies it holds."""
        return self._metric("tracejury_waiting_bytes")

    def refused_calls(self) -> int:
        """The gRPC calls for traces that it has told to come again."""
        return self._metric(
            'tracejury_requests_total{transport="grpc",signal="traces",code="UNAVAILABLE"}'
        )

    def _metric(self, name: str) -> int:
        with urlopen(self.url("/metrics"), timeout=60) as response:
            lines = response.read().decode().splitlines()
        return sum(int(line.split()[-1]) for line in lines if line.startswith(f"{name} "))

    def _memory(self, measure: str) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith(f"{measure}:")]
        return int(line.split()[1]) * 1024

    def terminate(self) -> str:
        """End it as an operator does; gives what it wrote to stderr."""
        self.process.send_signal(signal.SIGTERM)
        _, stderr = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, stderr
        return stderr

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)


def start(
    store: Path, grpc_port: int = 0, http_port: int = 0, *, settings: Settings | None = None
) -> Process:
    serve = {"grpc_port": grpc_port, "http_port": http_port, **(settings or {})}
    return subprocess.Popen(
        [
            sys.executable,
            *("-m", "tests.receiver.receive", str(store)),
            *(f"{name}={value}" for name, value in serve.items()),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running(
    store: Path, grpc_port: int = 0, http_port: int = 0, *, settings: Settings | None = None
) -> Iterator[Running]:
    """A receiver that listens; killed at the end unless it has ended before."""
    process = start(store, grpc_port, http_port, settings=settings)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield Running(process, store, **json.loads(line))
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
