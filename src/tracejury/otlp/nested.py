"""Nested Arrow columns, as requests are read into, and the flat tables that are made of them."""

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracejury.otlp.values import Read
from tracejury.telemetry import batch

# Arrow guesses the type of a plain Python value, which takes longer than a small request.
FALSE: Final = pa.scalar(False, pa.bool_())  # noqa: FBT003


class Columns(Protocol):
    """How an encoding's nested columns are read."""

    def field(self, rows: pa.Array, name: str) -> pa.Array:
        """A field of some messages as a column."""

    def attributes(self, entries: pa.Array) -> list[pa.Array]:
        """Keys, types and texts of some attributes."""

    def values(self, values: pa.Array) -> list[pa.Array]:
        """Types and texts of some values; the text of an empty one is null."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Messages of one kind, and for each the row of the message that holds it."""

    rows: pa.Array
    parents: pa.Array


def inner(lists: pa.Array) -> Rows:
    """What the lists hold, in order."""
    return Rows(pc.list_flatten(lists), pc.list_parent_indices(lists))


def table(schema: pa.Schema, columns: list[pa.Array]) -> pa.Table:
    """A table of `columns`, with the types of `schema`."""
    typed = [
        column if column.type == kind else column.cast(kind)
        for column, kind in zip(columns, schema.types, strict=True)
    ]
    return pa.Table.from_arrays(typed, schema=schema)


def texts(rows: pa.Array, name: str, read: Read) -> pa.Array:
    """A text field; empty where it is absent."""
    column = read(rows, name)
    return pc.fill_null(column, "") if column.null_count else column


def numbers(rows: pa.Array, name: str, read: Read) -> pa.Array:
    """A number field; 0 where it is absent."""
    column = read(rows, name)
    return pc.fill_null(column, 0) if column.null_count else column


def attributes(owners: pa.Array, columns: Columns, *, name: str = "attributes") -> pa.Table:
    """The attributes of some messages, which are in their field `name`."""
    entries = inner(columns.field(owners, name))
    return table(batch.ATTRIBUTES, [entries.parents, *columns.attributes(entries.rows)])


def relisted(lists: pa.Array, items: pa.Array) -> pa.Array:
    """Lists of the same lengths, with other items; empty where there was none."""
    sizes = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    offsets = np.concatenate(([0], np.cumsum(sizes))).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), items)


def is_id(ids: pa.Array, size: int) -> pa.Array:
    """Which are ids: of `size` bytes, not all of them zero."""
    of_size = pc.equal(pc.binary_length(ids), pa.scalar(size, pa.int32()))
    are_ids = pc.and_(of_size, pc.not_equal(ids, zeros(size)))
    return pc.fill_null(are_ids, FALSE)


def zeros(size: int) -> pa.Scalar:
    """Bytes of zero, as Arrow has them."""
    return pa.scalar(bytes(size), pa.binary())
