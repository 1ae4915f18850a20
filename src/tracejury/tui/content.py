"""What a screen shows: text that has been made safe, and never markup.

Nothing else of the TUI makes Textual content from text, so nothing that telemetry says can crash,
style or steer the terminal.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from tracejury.telemetry.safe_text import safe_text

LONGEST = 4000  # characters of one text on a screen
LEAST_ROOM = 9  # cells of what names a row
MIDDLING = 50  # cells of a row, below which it leaves out what can be read elsewhere

Part = str | tuple[str, str] | Content


class Cell(NamedTuple):
    """One cell of a line. A width of 0 takes what the others leave."""

    text: str
    width: int = 0
    style: str = ""
    is_right: bool = False


def safe(text: str) -> str:
    """Make a text safe to show, and cut one that no screen could hold."""
    return safe_text(text if len(text) <= LONGEST else text[:LONGEST] + "…")


def line(*parts: Part) -> Content:
    """Join texts, each alone or with its style, to one content."""
    return Content.assemble(
        *(
            part
            if isinstance(part, Content)
            else safe(part)
            if isinstance(part, str)
            else (safe(part[0]), part[1])
            for part in parts
        )
    )


def stacked(lines: Iterable[Content]) -> Content:
    """Set contents below each other."""
    return Content("\n").join(lines)


def fitted(text: str, width: int, *, is_right: bool = False) -> str:
    """Cut or pad a text to exactly this many cells of the terminal."""
    if width <= 0:
        return ""
    # Characters may take no cell at all, but a screen is no place for a thousand of them.
    shown = safe_text(text[: 8 * width])
    room = width - cell_len(shown)
    if room < 0:
        return set_cell_size(shown, width - 1) + "…"
    return " " * room + shown if is_right else shown + " " * room


def row(width: int, cells: Sequence[Cell], *, gap: int = 1) -> Content:
    """Set cells side by side, so that they fill `width`.

    Cells right of the one that takes what is left give way to it where it would be left too little.
    """
    cells = list(cells)
    while cells[-1].width and width < LEAST_ROOM + sum(cell.width + gap for cell in cells):
        cells.pop()
    taken = sum(cell.width for cell in cells) + gap * (len(cells) - 1)
    room = max(width - taken, 0)
    parts: list[Part] = []
    for number, cell in enumerate(cells):
        if number:
            parts.append(" " * gap)
        parts.append((fitted(cell.text, cell.width or room, is_right=cell.is_right), cell.style))
    return line(*parts)


def bar(value: float, width: int) -> str:
    """Draw a share of 0 to 1; what is more than nothing is never drawn as nothing."""
    filled = min(width, max(round(value * width), 1 if value > 0 else 0))
    return "█" * filled + "░" * (width - filled)
