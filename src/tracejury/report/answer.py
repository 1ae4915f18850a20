"""Write the answer of a user's query as a table, CSV or JSON."""

import base64
import json

from rich.table import Table
from rich.text import Text

from tracejury.report.csv import csv_table
from tracejury.report.terminal import Terminal, draw
from tracejury.store.query import Answer
from tracejury.telemetry.safe_text import safe_text

# Wider than any terminal: a table is cut by whoever shows it, not by us.
_WIDTH = 100_000


def render_answer(answer: Answer, format: str) -> str:  # noqa: A002
    """`table`: aligned columns; `csv`: RFC 4180, formula-safe; `json`: a list of objects."""
    if format == "csv":
        return csv_table(answer.columns, [[_flat(cell) for cell in row] for row in answer.rows])
    if format == "json":
        rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
        return (
            json.dumps(rows, default=_plain, ensure_ascii=True, indent=2).replace("\x7f", "\\u007f")
            + "\n"
        )
    table = Table(box=None, pad_edge=False)
    for column in answer.columns:
        table.add_column(Text(safe_text(column)), no_wrap=True)
    for row in answer.rows:
        cells = map(_flat, row)
        table.add_row(*(Text("" if cell is None else safe_text(str(cell))) for cell in cells))
    return draw([table], Terminal(width=_WIDTH))


def _flat(cell: object) -> object:
    """A list or a struct is written as JSON; whatever else it is stays as it is."""
    if isinstance(cell, list | tuple | dict):
        return json.dumps(cell, default=_plain, ensure_ascii=False)
    return cell


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)
