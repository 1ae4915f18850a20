"""Run the real program in a terminal of its own, and read what that is told."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

# What a screen is begun with, and what gives the terminal back.
SCREEN, NO_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"


@contextmanager
def in_terminal(
    folder: Path, *arguments: str | Path, variables: Mapping[str, str] | None = None
) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """`tracejury`, and the terminal to read from and to press keys in."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "tracejury.cli", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "TERM": "xterm-256color", **(variables or {})},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    os.set_blocking(controller, False)
    try:
        yield process, controller
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(controller)


def shown(terminal: int, until: Callable[[bytes], bool]) -> bytes:
    """What a terminal was told, until it is enough."""
    told = b""
    while not until(told):
        part = _read(terminal)
        assert part is not None, told  # nobody has the terminal open any more
        told += part
    return told


def shown_to_the_end(terminal: int) -> bytes:
    """What a terminal was told until the program had ended."""
    told = b""
    while (part := _read(terminal)) is not None:
        told += part
    return told


def _read(terminal: int) -> bytes | None:
    readable, _, _ = select.select([terminal], [], [], 60)
    assert readable, "nothing more was told"
    try:
        return os.read(terminal, 65536) or None
    except OSError:
        return None
