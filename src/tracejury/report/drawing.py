"""The pieces that the text report is drawn with; each makes what it is given safe to show."""

import shlex
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
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


@dataclass(frozen=True, slots=True)
class Command:
    """A command below a comment on what it gives, both so that a shell takes them as they stand."""

    command: str
    gives: str

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Iterator[Text]:
        for said in textwrap.wrap(self.gives, options.max_width - 2):
            yield text(f"# {said}", "dim")
        for line in _shell_lines(shlex.split(self.command), options.max_width):
            yield text(line, "bold")


def _shell_lines(words: Sequence[str], width: int) -> Iterator[str]:
    """A command's words in lines, each but the last to be continued."""
    line, *others = map(shlex.quote, words)
    for word in others:
        if cell_len(f"{line} {word} \\") > width:
            yield f"{line} \\"
            line = f"  {word}"
        else:
            line = f"{line} {word}"
    yield line


def and_more(shown: int, total: int) -> str:
    """Say how many are not shown."""
    return f"and {total - shown:,} more" if total > shown else ""


def listed(names: Sequence[str], most: int) -> str:
    """Write the first names, and how many more there are."""
    more = and_more(most, len(names))
    return ", ".join([*names[:most], more] if more else names)
