"""Tables of numbers and texts alone, which say the same as the tables they are made of.

What is hashed must be the same bits for the same content: a double is its eight bytes, a list is
the table of its items.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def plain(rows: pa.Table) -> pa.Table:
    """The columns of `rows` but for the lists; doubles and booleans as numbers."""
    columns = {
        name: _as_number(column)
        for name, column in zip(rows.column_names, rows.columns, strict=True)
        if not pa.types.is_list(column.type)
    }
    return pa.table(columns)


def items_of_lists(rows: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """For each column of lists its name, and a table of `owner`, `position` and `item`."""
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        if pa.types.is_list(column.type):
            yield name, _items(column.combine_chunks())


def _items(lists: pa.Array) -> pa.Table:
    owners = pc.list_parent_indices(lists).to_numpy().astype(np.int64)
    is_first = np.diff(owners, prepend=-1) != 0
    position = np.arange(len(owners)) - np.maximum.accumulate(
        np.where(is_first, np.arange(len(owners)), 0)
    )
    items = pa.chunked_array([pc.list_flatten(lists)])
    return pa.table({"owner": owners, "position": position, "item": _as_number(items)})


def _as_number(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_boolean(column.type):
        return column.cast(pa.uint8())
    if not pa.types.is_floating(column.type):
        return column
    doubles = pc.fill_null(column, 0.0).to_numpy()
    # There are many NaNs, and OTLP/JSON has one.
    bits = np.where(np.isnan(doubles), np.nan, doubles).view(np.uint64)
    is_null = column.is_null().to_numpy()
    return pa.chunked_array([pa.array(bits, mask=is_null)])
