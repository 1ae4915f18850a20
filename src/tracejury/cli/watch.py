"""Who is told how far the reading and the judging of runs are, and what was wrong with a file.

What is heavy is imported by the function that needs it.
"""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tracejury.telemetry.numbers import counted

if TYPE_CHECKING:
    from tracejury.receiver.import_files import Loaded
    from tracejury.store.reader import Reader


class Watch(Protocol):
    """What a screen and the bars of a terminal have in common."""

    def reading(
        self,
    ) -> AbstractContextManager[Callable[[Path], Callable[[int, int, int], None]]]:
        """What makes a callback for one file: bytes read, bytes in all, records stored."""

    def working(self, what: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """A callback for `what` is being done: how much is done, and how much there is."""

    def opened(self, reader: "Reader") -> None:
        """There is a run to ask."""

    def report(self, file: Path, loaded: "Loaded") -> None:
        """A file was loaded, or only in part."""


class Bars:
    """Bars on stderr, where someone looks at them."""

    def reading(
        self,
    ) -> AbstractContextManager[Callable[[Path], Callable[[int, int, int], None]]]:
        from tracejury.report.progress import reading

        return reading()

    def working(self, what: str) -> AbstractContextManager[Callable[[int, int], None]]:
        from tracejury.report.progress import working

        return working(what)

    def opened(self, reader: "Reader") -> None:
        """Whoever waits for a command can interrupt it."""

    def report(self, file: Path, loaded: "Loaded") -> None:
        tell(file, loaded)


def tell(file: Path, loaded: "Loaded") -> None:
    """Name what of a file was not loaded, on stderr."""
    from tracejury.telemetry.safe_text import safe_text

    for refused in loaded.refused[:20]:
        print(safe_text(f"{file}: {refused.position}: {refused.reason}"), file=sys.stderr)
    if len(loaded.refused) > 20:
        print(
            f"{file}: and {counted(len(loaded.refused) - 20, 'more broken record')}",
            file=sys.stderr,
        )
