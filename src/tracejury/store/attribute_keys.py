"""The numbers that stand for attributes' keys and types in the store.

A run has millions of attributes and a few hundred keys: a number for each halves the writing.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_COLUMNS: Final = pa.schema([("key_no", pa.uint32()), ("key", pa.string()), ("type", pa.string())])


class AttributeKeys:
    """The keys that are stored already, and those that the commit in progress adds."""

    def __init__(self, stored: Iterable[tuple[int, str, str]]) -> None:
        self._stored = {(key, kind): number for number, key, kind in stored}
        self._added: dict[tuple[str, str], int] = {}

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
        self._stored |= self._added
        self._added = {}

    def discard(self) -> None:
        """What was added is not stored."""
        self._added = {}

    def _of_chunk(self, keys: pa.Array, kinds: pa.Array) -> pa.Array:
        names, kind_names = keys.dictionary.to_pylist(), kinds.dictionary.to_pylist()
        codes = keys.indices.to_numpy().astype(np.int64) * len(kind_names)
        codes += kinds.indices.to_numpy()
        used = np.flatnonzero(np.bincount(codes))
        numbers: NDArray[np.uint32] = np.zeros(len(names) * len(kind_names), np.uint32)
        numbers[used] = [
            self._number(names[at // len(kind_names)], kind_names[at % len(kind_names)])
            for at in used.tolist()
        ]
        return pa.array(numbers[codes])

    def _number(self, key: str, kind: str) -> int:
        found = self._stored.get((key, kind))
        if found is None:
            next_number = len(self._stored) + len(self._added)
            found = self._added.setdefault((key, kind), next_number)
        return found
