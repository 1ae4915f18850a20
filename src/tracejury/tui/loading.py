"""What is being done in the thread that loads a run: told to the screen, and stopped by leaving."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

from tracejury.store.reader import Reader


class StoppedError(Exception):
    """Nobody waits for the run any more."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that takes time: `done` of `total`, which is 0 while nobody knows how much.

    `records` are those read so far. `unit` is what `done` counts; '' where only the share matters.
    """

    what: str
    unit: str
    done: int = 0
    total: int = 0
    records: int = 0
    is_over: bool = False


class Loading:
    """The steps of a load, the newest last. Safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._steps: list[Step] = []
        self._readers: list[Reader] = []
        self._is_stopped = False
        self.remarks: list[str] = []  # on what was loaded, a sentence each

    @property
    def steps(self) -> tuple[Step, ...]:
        """What was begun."""
        with self._lock:
            return tuple(self._steps)

    @contextmanager
    def reading(self) -> Iterator[Callable[[Path], Callable[[int, int, int], None]]]:
        """Yields what makes a callback for one file: bytes read, bytes in all, records stored."""
        begun: list[int] = []

        def callback(path: Path) -> Callable[[int, int, int], None]:
            number = self._begin(f"reading {path.name}", "")
            begun.append(number)

            def tell(read: int, total: int, records: int) -> None:
                self._change(number, done=read, total=total, records=records)
                self._go_on()

            return tell

        yield callback
        for number in begun:
            self._change(number, is_over=True)

    @contextmanager
    def working(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """Yields a callback for `what` is being done: how much is done, and how much there is."""
        number = self._begin(what, "question")
        yield lambda done, total: self._change(number, done=done, total=total)
        self._change(number, is_over=True)

    def opened(self, reader: Reader) -> None:
        """Stop `reader` too, where nobody waits any more."""
        with self._lock:
            self._readers.append(reader)
        if self._is_stopped:
            reader.close()
        self._go_on()

    def begin(self) -> None:
        """Forget the steps of the load before."""
        with self._lock:
            self._steps, self._readers = [], []

    def stop(self) -> None:
        """Make what is under way end; to be said again until it has ended."""
        with self._lock:
            self._is_stopped = True
            readers = tuple(self._readers)
        for reader in readers:
            reader.stop()

    def _go_on(self) -> None:
        if self._is_stopped:
            raise StoppedError

    def _begin(self, what: str, unit: str) -> int:
        self._go_on()
        with self._lock:
            self._steps.append(Step(what, unit))
            return len(self._steps) - 1

    def _change(self, number: int, **changes: Any) -> None:
        with self._lock:
            if number < len(self._steps):
                self._steps[number] = replace(self._steps[number], **changes)
