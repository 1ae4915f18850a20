"""The pieces that the text report is drawn with; each makes what it is given safe to show."""

from collections.abc import Iterable, Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tracejury.report.words import OUTCOMES
from tracejury.scorecard.words import word_of
from tracejury.telemetry.safe_text import safe_text

INDENT = 2
LONGEST = 600  # characters of one text: a report is no place for a whole stack trace

Cell = Text | str


def text(content: str, style: str = "") -> Text:
    """Make any text safe: no control character, no markup, no end of its own."""
    shown = content if len(content) <= LONGEST else content[:LONGEST] + "…"
    return Text(safe_text(shown), style=style, overflow="fold")


def joined(*parts: Cell, separator: str = " ") -> Text:
    """Join parts that say something."""
    said = [part if isinstance(part, Text) else text(part) for part in parts]
    return Text(separator, overflow="fold").join([part for part in said if part.plain])


def word(outcome: str) -> Text:
    """Write an outcome as mark and word; one that this version does not know as itself."""
    known = word_of(OUTCOMES, outcome)
    return text(f"{known.mark} {known.text}", known.style)


def heading(title: str, remark: str = "") -> Text:
    """Begin a section, with a line of space above."""
    return Text("\n").append_text(joined(text(title, "bold"), text(remark, "dim"), separator="  "))


def indented(part: RenderableType, indent: int = INDENT) -> Padding:
    """Move a part to the right."""
    return Padding(part, (0, 0, 0, indent))


def bullet(sign: str, content: Text, indent: int = INDENT) -> Padding:
    """Hang a text on a sign, so that its further lines stand below the first."""
    return grid([[text(sign), content]], gap=1, indent=indent)


def grid(
    rows: Iterable[Sequence[Cell]],
    *,
    right: Iterable[int] = (),
    gap: int = 2,
    indent: int = INDENT,
    widths: Sequence[int] = (),
) -> Padding:
    """Set rows in columns. The last column takes the room that is left and wraps.

    `right` names the columns of numbers; `widths` are the fewest cells of the first columns.
    """
    lines = [[cell if isinstance(cell, Text) else text(cell) for cell in row] for row in rows]
    table = Table.grid(padding=(0, gap, 0, 0))
    for column in range(len(lines[0]) if lines else 0):
        table.add_column(
            overflow="fold",
            justify="right" if column in right else "left",
            min_width=widths[column] if column < len(widths) else None,
        )
    for line in lines:
        table.add_row(*line)
    return indented(table, indent)


def and_more(shown: int, total: int) -> str:
    """Say how many are not shown."""
    return f"and {total - shown:,} more" if total > shown else ""


def listed(names: Sequence[str], most: int) -> str:
    """Write the first names, and how many more there are."""
    more = and_more(most, len(names))
    return ", ".join([*names[:most], more] if more else names)
