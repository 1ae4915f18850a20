"""The numbers that stand for attributes' keys and types in the store.

A run has millions of attributes and a few hundred keys: a number for each halves the writing.
"""

from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

# Whoever sends keys chooses how many there are; what is not in mind is looked up in the store.
REMEMBERED_KEYS: Final = 2**16

_COLUMNS: Final = pa.schema([("key_no", pa.uint32()), ("key", pa.string()), ("type", pa.string())])

_Key = tuple[str, str]


class AttributeKeys:
    """The keys that are stored already, and those that the commit in progress adds."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        stored = connection.execute(
            "SELECT key, type, key_no FROM stored.attribute_key WHERE key_no < ?", [REMEMBERED_KEYS]
        ).fetchall()
        self._known: dict[_Key, int] = {(key, kind): number for key, kind, number in stored}
        [(self._stored,)] = connection.execute(
            "SELECT count(*) FROM stored.attribute_key"
        ).fetchall()
        self._added: dict[_Key, int] = {}

    def numbers(self, attributes: pa.Table) -> pa.ChunkedArray:
        """The number of each attribute's key and type; unknown ones get the next."""
        chunks = attributes.select(["key", "type"]).to_batches()
        return pa.chunked_array([self._of_chunk(*chunk.columns) for chunk in chunks], pa.uint32())

    def added(self) -> pa.Table:
        """What must be stored together with the attributes that were numbered."""
        rows = [
            {"key_no": number, "key": key, "type": kind}
            for (key, kind), number in self._added.items()
        ]
        return pa.Table.from_pylist(rows, schema=_COLUMNS)

    def settle(self) -> None:
        """What was added is stored."""
        self._known |= self._added
        self._stored += len(self._added)
        self.discard()

    def discard(self) -> None:
        """What is still said to be added is not stored."""
        self._added = {}
        if len(self._known) > REMEMBERED_KEYS:
            self._known = {}

    def _of_chunk(self, keys: pa.Array, kinds: pa.Array) -> pa.Array:
        names, kind_names = keys.dictionary.to_pylist(), kinds.dictionary.to_pylist()
        codes = keys.indices.to_numpy().astype(np.int64) * len(kind_names)
        codes += kinds.indices.to_numpy()
        used = np.flatnonzero(np.bincount(codes))
        pairs = [
            (names[at // len(kind_names)], kind_names[at % len(kind_names)]) for at in used.tolist()
        ]
        self._know(pairs)
        numbers: NDArray[np.uint32] = np.zeros(len(names) * len(kind_names), np.uint32)
        numbers[used] = [self._number(pair) for pair in pairs]
        return pa.array(numbers[codes])

    def _know(self, pairs: list[_Key]) -> None:
        """Have in mind what is stored of `pairs`."""
        if len(self._known) == self._stored:
            return
        missing = [pair for pair in pairs if pair not in self._known and pair not in self._added]
        if not missing:
            return
        keys, kinds = zip(*missing, strict=True)
        wanted = pa.table([pa.array(keys, pa.string()), pa.array(kinds, pa.string())], _WANTED)
        found = self._connection.from_arrow(wanted).query("wanted", _LOOK_UP)
        assert found is not None  # it is a SELECT
        self._known |= {(key, kind): number for key, kind, number in found.fetchall()}

    def _number(self, pair: _Key) -> int:
        found = self._known.get(pair)
        if found is None:
            found = self._added.setdefault(pair, self._stored + len(self._added))
        return found


_WANTED: Final = ["key", "type"]
_LOOK_UP: Final = """
    SELECT key, type, stored.key_no FROM wanted JOIN stored.attribute_key AS stored
    USING (key, type)
"""
