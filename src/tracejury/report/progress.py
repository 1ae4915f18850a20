"""A progress bar for files that are being read, on stderr and only where someone looks at it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from tracejury.telemetry.safe_text import safe_text


@contextmanager
def reading() -> Iterator[Callable[[Path], Callable[[int, int], None]]]:
    """Yields what makes a callback for one file: bytes read, and bytes in all."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bars:

        def callback(path: Path) -> Callable[[int, int], None]:
            bar = bars.add_task(safe_text(path.name), total=None)
            return lambda read, total: bars.update(bar, completed=read, total=total)

        yield callback
