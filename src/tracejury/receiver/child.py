"""Run the receiver as a child process, with a log file of its own."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import BinaryIO, Final

from tracejury.config import Config
from tracejury.errors import ReceiverError
from tracejury.receiver.farewell import FIRST_WORD
from tracejury.store.connection import refuse_what_is_no_place

_START_TIMEOUT_S: Final = 30.0
_STOP_TIMEOUT_S: Final = 30.0
_POLL_S: Final = 0.05

# With these an announcement ends; they are about a terminal of its own.
_LAST_WORDS: Final = "Ctrl-C stops."


@dataclass(frozen=True, slots=True)
class Receiving:
    """A receiver that runs as a child; `announced` is what it said: where it listens."""

    announced: str
    child: "subprocess.Popen[bytes]"
    log: Path

    def trouble(self) -> str:
        """Why nothing is received any more, as a sentence; '' while all is well."""
        status = self.child.poll()
        if status is None:
            return ""
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        return f"The receiver {how}: nothing is received any more. Its log is {self.log}."

    def farewell(self) -> str:
        """What it said last, once it has ended; where it was killed, that it was."""
        said = self.log.read_text(errors="replace").splitlines()
        if said and said[-1].startswith(FIRST_WORD):
            return said[-1]
        return f"The receiver did not end in time. Its log is {self.log}."


@contextmanager
def receiving(store: Path, config: Config) -> Iterator[Receiving]:
    """Receive into `store` until the block ends.

    Its log stands beside the store. Raises `StoreError` when no store can stand there and
    `ReceiverError` when the child does not start, with what it said; then no log is left.
    """
    refuse_what_is_no_place(store)
    log = store.with_name(f"{store.name}.log")
    command = [sys.executable, "-m", "tracejury.cli", "serve", *_options(store, config)]
    with _written(log) as sink:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)  # noqa: S603 - our own interpreter and arguments
        try:
            yield Receiving(_announced(child, log), child, log)
        finally:
            _stop(child)


def _written(log: Path) -> BinaryIO:
    try:
        return log.open("wb")
    except OSError as error:
        raise ReceiverError(
            f"The receiver's log {log} cannot be written: {error.strerror}.",
            next_step="Name a --store in a folder that can be written.",
        ) from error


def _options(store: Path, config: Config) -> Iterator[str]:
    yield f"--store={store}"
    if config.path is not None:
        yield f"--config={config.path}"
    if config.retention.max_size is not None:
        yield f"--max-size={config.retention.max_size}"
    if config.retention.max_age_seconds is not None:
        yield f"--max-age={config.retention.max_age_seconds:.9f}s"
    for option in fields(config.serve):
        value = getattr(config.serve, option.name)
        for each in value if isinstance(value, tuple) else (value,):
            if each is not None:
                yield f"--{option.name.replace('_', '-')}={each}"


def _announced(child: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while _LAST_WORDS not in log.read_text(errors="replace"):
        if child.poll() is not None or time.monotonic() > deadline:
            said = log.read_text(errors="replace").strip().removeprefix("tracejury: ")
            log.unlink()
            # What the child said ends with its own next step.
            raise ReceiverError(said or "The receiver did not start.", next_step="")
        time.sleep(_POLL_S)
    said = log.read_text(errors="replace")
    return said[said.index("Listening") : said.index(_LAST_WORDS)]


def _stop(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    try:
        child.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
