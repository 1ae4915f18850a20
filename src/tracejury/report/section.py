"""What a report for people is made of: sections of prose, tables, findings and commands.

The sections are built once from the result; Markdown and HTML only write them.
"""

from dataclasses import dataclass

from tracejury.report.next_steps import Step
from tracejury.report.words import Mark

Cell = str | int | Mark


@dataclass(frozen=True, slots=True)
class Table:
    """Rows below a header. The caption says what the table is of."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One finding: a sentence, and where it can be looked up."""

    text: str
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One failed check with its findings."""

    title: str
    about: str
    items: tuple[Item, ...]
    note: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Failed checks that are for the same time."""

    title: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One section. `says` are sentences of our own or of the result, each a paragraph."""

    id: str
    title: str
    says: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    groups: tuple[Group, ...] = ()
    steps: tuple[Step, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing but prose is there, which then speaks of nothing."""
        return not (self.groups or self.steps or any(table.rows for table in self.tables))
