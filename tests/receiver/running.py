"""A receiver in a process of its own, as users have one."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Running:
    process: subprocess.Popen[str]
    store: Path
    grpc_port: int
    http_port: int

    @property
    def grpc_target(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.http_port}{path}"

    def terminate(self) -> str:
        """End it as an operator does; gives what it wrote to stderr."""
        self.process.send_signal(signal.SIGTERM)
        _, stderr = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, stderr
        return stderr

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)


def start(store: Path, grpc_port: int = 0, http_port: int = 0) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [
            sys.executable,
            *("-m", "tests.receiver.receive", str(store), str(grpc_port), str(http_port)),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running(store: Path, grpc_port: int = 0, http_port: int = 0) -> Iterator[Running]:
    """A receiver that listens; killed at the end unless it has ended before."""
    process = start(store, grpc_port, http_port)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield Running(process, store, **json.loads(line))
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
