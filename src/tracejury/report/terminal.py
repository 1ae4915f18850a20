"""The terminal that a text report is written for, and how a report is drawn for it."""

import io
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TextIO

from rich.console import Console, RenderableType

NARROWEST, WIDEST = 60, 120  # longer lines are hard to read


@dataclass(frozen=True, slots=True)
class Terminal:
    """How wide to write, and whether colours may stand beside the words."""

    width: int = 80
    has_colour: bool = False

    @classmethod
    def of(cls, stream: TextIO, environ: Mapping[str, str]) -> "Terminal":
        """Take what the stream can show; a pipe or a file gets 80 columns and no colour."""
        if not stream.isatty():
            return PLAIN
        width = max(NARROWEST, min(shutil.get_terminal_size().columns, WIDEST))
        is_dumb = environ.get("TERM") == "dumb"
        return cls(width=width, has_colour=not environ.get("NO_COLOR") and not is_dumb)


PLAIN = Terminal()


def draw(parts: Iterable[RenderableType], terminal: Terminal) -> str:
    """Lay the parts out below each other; no line ends in spaces."""
    target = io.StringIO()
    console = Console(
        file=target,
        width=terminal.width,
        color_system="standard" if terminal.has_colour else None,
        force_terminal=terminal.has_colour,
        force_jupyter=False,
        legacy_windows=False,
        markup=False,
        highlight=False,
        emoji=False,
        _environ={},  # the terminal was asked already
    )
    for part in parts:
        console.print(part)
    return "".join(f"{line.rstrip()}\n" for line in target.getvalue().splitlines())
