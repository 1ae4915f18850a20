"""Hashes of the rows of several tables at once: 64 bits of what each row says.

DuckDB hashes all texts of all tables in one query, because a query has a price however little it
reads. What the texts and numbers of a row say together is calculated here.
"""

import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

_local: Final = threading.local()

_NULL: Final = np.uint64(0x6E756C6C)

# Odd numbers without a pattern: 2**64 over the golden ratio, and the finalizer of MurmurHash3.
_STEP: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xFF51AFD7ED558CCD)
_SECOND: Final = np.uint64(0xC4CEB9FE1A85EC53)
_SHIFT: Final = np.uint64(32)


class ContentHashes:
    """The hash of every value of some tables. Safe to make in several threads at once."""

    def __init__(self, tables: Mapping[str, pa.Table]) -> None:
        columns = {
            (table, name): _one_chunk(column)
            for table, rows in tables.items()
            for name, column in zip(rows.column_names, rows.columns, strict=True)
        }
        texts = {at: _texts(column) for at, column in columns.items()}
        of_text = _text_hashes([values for values in texts.values() if values is not None])
        self._hashes: dict[str, list[Hashes]] = {table: [] for table in tables}
        for at, column in columns.items():
            found = _numbers(column) if texts[at] is None else next(of_text)
            if pa.types.is_dictionary(column.type):
                # Where every value is missing, the dictionary may be empty.
                found = np.append(found, _NULL)[_filled(column.indices)]
            if column.null_count:
                found[column.is_null().to_numpy(zero_copy_only=False)] = _NULL
            self._hashes[at[0]].append(found)

    def rows(self, table: str, *digests: Hashes) -> Hashes:
        """A hash of each row of a table, and of the digests of what else belongs to it.

        None of a table that was not given.
        """
        if table not in self._hashes:
            return np.empty(0, np.uint64)
        first, *others = [*self._hashes[table], *digests]
        hashes = first.copy()
        _mix(hashes)
        for column in others:
            # The order of the columns counts.
            hashes *= _STEP
            hashes += column
            _mix(hashes)
        return hashes


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _texts(column: pa.Array) -> pa.Array | None:
    """The texts that a column consists of, as bytes; None where it consists of numbers."""
    if pa.types.is_integer(column.type):
        return None
    return (column.dictionary if pa.types.is_dictionary(column.type) else column).cast(pa.binary())


def _numbers(column: pa.Array) -> Hashes:
    return _filled(column).astype(np.uint64)


def _filled(numbers: pa.Array) -> NDArray[Any]:
    """Integers without nulls: 0 in place of them."""
    filled = pc.fill_null(numbers, 0) if numbers.null_count else numbers
    values: NDArray[Any] = filled.to_numpy()
    return values


def _text_hashes(columns: list[pa.Array]) -> Iterator[Hashes]:
    """The hash of each value, column by column."""
    if not columns:
        return iter(())
    if not hasattr(_local, "connection"):
        # With one thread, rows come out as they went in.
        _local.connection = duckdb.connect(":memory:", config={"threads": 1})
    # DuckDB finds them by their name.
    texts = pa.table({"text": pa.chunked_array(columns, pa.binary())})  # noqa: F841
    answer = _local.connection.execute("SELECT hash(text) AS hash FROM texts").fetchnumpy()
    hashes = np.asarray(answer["hash"], np.uint64)
    ends = np.cumsum([len(column) for column in columns])
    return iter(np.split(hashes, ends[:-1]))


def _mix(hashes: Hashes) -> None:
    """Let every bit depend on every other, in place."""
    hashes ^= hashes >> _SHIFT
    hashes *= _FIRST
    hashes ^= hashes >> _SHIFT
    hashes *= _SECOND
    hashes ^= hashes >> _SHIFT
