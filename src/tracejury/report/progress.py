"""Progress bars for long work, on stderr and only where someone looks at them."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from tracejury.telemetry.safe_text import safe_text


@contextmanager
def reading() -> Iterator[Callable[[Path], Callable[[int, int, int], None]]]:
    """Yields what makes a callback for one file: bytes read, bytes in all, records stored."""
    with _bars(DownloadColumn()) as bars:

        def callback(path: Path) -> Callable[[int, int, int], None]:
            bar = bars.add_task(safe_text(path.name), total=None)
            return lambda read, total, _: bars.update(bar, completed=read, total=total)

        yield callback


@contextmanager
def working(what: str) -> Iterator[Callable[[int, int], None]]:
    """Yields a callback for `what` is being done: how much is done, and how much there is."""
    with _bars(_HowMany()) as bars:
        bar = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)


class _HowMany(MofNCompleteColumn):
    """Says nothing where nobody knows how much there is."""

    def render(self, task: Task) -> Text:
        return Text() if task.total is None else super().render(task)


def _bars(how_far: ProgressColumn) -> Progress:
    # By itself it would take FORCE_COLOR for a terminal, and draw into a file.
    console = Console(stderr=True, force_terminal=sys.stderr.isatty())
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        how_far,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal or console.is_dumb_terminal,
    )
