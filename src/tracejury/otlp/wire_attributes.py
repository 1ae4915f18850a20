"""Attributes as protobuf writes them, read on whole columns.

A span has a dozen attributes, so what is done for each of them is most of what a request costs.
Almost all look alike on the wire: a key, then a value that is one field. Those are told apart by
arithmetic on all of them at once; what looks otherwise is left to a full parser, whose word counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tracejury.otlp.values import EMPTY, KINDS, Kinds, texts_of

Mask = NDArray[np.bool_]
Places = NDArray[np.int64]

_KEY: Final = 0x0A
_VALUE: Final = 0x12
_UNUSUAL: Final = -1

# The tags that begin a value, in the order of `KINDS`.
_TAGS: Final = (0x0A, 0x10, 0x18, 0x21, 0x3A, 0x2A, 0x32)
_KIND_OF_TAG: Final = np.full(256, _UNUSUAL, np.int8)
_KIND_OF_TAG[list(_TAGS)] = range(len(_TAGS))
_STRING, _BOOL, _INT, _DOUBLE = range(4)

_LONGEST_VARINT: Final = 10


def read_attributes(
    messages: pa.Array, parse: Callable[[pa.Array], tuple[pa.Array, Kinds, pa.Array]]
) -> tuple[pa.Array, Kinds, pa.Array]:
    """Keys, kinds and texts of `KeyValue` messages; `parse` gives them for what is not as usual.

    Raises what `parse` raises, and `pyarrow.ArrowInvalid` for a text that is not UTF-8.
    """
    wire = _Wire.of(messages)
    key_sizes, key_starts, has_key = wire.sizes(wire.starts + 1)
    key_ends = key_starts + key_sizes
    sizes, starts, has_value = wire.sizes(key_ends + 1)
    is_usual = has_key & has_value & (starts + sizes == wire.ends)
    is_usual &= (wire.at(wire.starts) == _KEY) & (wire.at(key_ends) == _VALUE)
    kinds, texts = _values(wire, np.where(is_usual, starts, wire.ends))
    is_usual &= kinds != _UNUSUAL
    begin = np.where(is_usual, key_starts, wire.starts)
    keys = wire.slices(begin, np.where(is_usual, key_ends, begin)).cast(pa.string())
    if not is_usual.all():
        odd = pa.array(~is_usual)
        odd_keys, kinds[~is_usual], odd_texts = parse(messages.filter(odd))
        keys = pc.replace_with_mask(keys, odd, odd_keys)
        texts = pc.replace_with_mask(texts, odd, odd_texts)
    return keys.dictionary_encode(), kinds, texts


def read_values(
    messages: pa.Array, parse: Callable[[pa.Array], tuple[Kinds, pa.Array]]
) -> tuple[Kinds, pa.Array]:
    """Kinds and texts of `AnyValue` messages; else as `read_attributes`."""
    wire = _Wire.of(messages)
    kinds, texts = _values(wire, wire.starts)
    is_odd = kinds == _UNUSUAL
    if is_odd.any():
        odd = pa.array(is_odd)
        kinds[is_odd], odd_texts = parse(messages.filter(odd))
        texts = pc.replace_with_mask(texts, odd, odd_texts)
    return kinds, texts


@dataclass(frozen=True, slots=True)
class _Wire:
    """Some messages: the bytes of all of them, and where each begins and ends."""

    buffer: pa.Buffer
    bytes: NDArray[np.uint8]
    starts: Places
    ends: Places

    @classmethod
    def of(cls, messages: pa.Array) -> Self:
        _, offsets, data = messages.buffers()
        if data is None or data.size == 0:
            data = pa.py_buffer(b"\0")
        bounds = np.frombuffer(offsets, np.int32) if offsets else np.zeros(1, np.int32)
        places = bounds[messages.offset :][: len(messages) + 1].astype(np.int64)
        return cls(data, np.frombuffer(data, np.uint8), places[:-1], places[1:])

    def at(self, places: Places) -> NDArray[np.uint8]:
        """The bytes at some places; past the end it is any byte, and bounds are checked later."""
        return self.bytes.take(places, mode="clip")

    def block(self, starts: Places, width: int) -> NDArray[np.uint8]:
        """The first, second, ... byte from each of some places on; one row for each of `width`."""
        return self.at(starts + np.arange(width)[:, None])

    def sizes(self, places: Places) -> tuple[Places, Places, Mask]:
        """The lengths that stand at some places, the places after them, and which could be read.

        Only those of one or two bytes are read: below 16 KiB.
        """
        sizes = self.at(places).astype(np.int64)
        after = places + 1
        is_read = np.ones(len(places), np.bool_)
        long = np.flatnonzero(sizes >= 0x80)
        second = self.at(after[long]).astype(np.int64)
        sizes[long] += (second - 1) << 7
        after[long] += 1
        is_read[long] = second < 0x80
        return sizes, after, is_read

    def slices(self, starts: Places, ends: Places) -> pa.Array:
        """The bytes between places that only ascend, copied in one go."""
        bounds = np.concatenate((np.stack((starts, ends), axis=1).ravel(), ends[-1:]))
        offsets = pa.py_buffer(bounds.astype(np.int32))
        # Every other piece is what lies between two that are wanted.
        pieces = pa.Array.from_buffers(pa.binary(), 2 * len(starts), [None, offsets, self.buffer])
        return pieces.take(pa.array(np.arange(0, 2 * len(starts), 2, dtype=np.int32)))


def _values(wire: _Wire, starts: Places) -> tuple[Kinds, pa.Array]:
    """Kinds and texts of the `AnyValue`s that reach from `starts` to the messages' ends."""
    kinds = _KIND_OF_TAG[wire.at(starts)]
    kinds[starts == wire.ends] = EMPTY
    is_number = (kinds >= _BOOL) & (kinds <= _DOUBLE)
    is_sized = (kinds >= 0) & (kinds < EMPTY) & ~is_number
    sizes, contents, is_read = wire.sizes(starts + 1)
    kinds[is_sized & ~(is_read & (contents + sizes == wire.ends))] = _UNUSUAL
    numbers = {kind: _numbers(wire, kinds, starts + 1, kind) for kind in (_BOOL, _INT, _DOUBLE)}
    begin = np.where(is_sized & (kinds != _UNUSUAL), contents, wire.ends)
    return kinds, _texts(kinds, wire.slices(begin, wire.ends), numbers)


def _texts(kinds: Kinds, raw: pa.Array, numbers: dict[int, pa.Array]) -> pa.Array:
    """The text of every value, `raw` where it is no string and has been no number."""
    present = np.flatnonzero(np.bincount(kinds[kinds > _STRING])).tolist()
    if not present:
        return raw.cast(pa.string())
    found = [kinds == kind for kind in present]
    texts = [
        pa.nulls(int(is_kind.sum()), pa.string())
        if kind == EMPTY
        else texts_of(KINDS[kind], numbers.get(kind, raw.filter(pa.array(is_kind))))
        for kind, is_kind in zip(present, found, strict=True)
    ]
    order = np.argsort(np.concatenate([np.flatnonzero(is_kind) for is_kind in found]))
    replaced = pa.concat_arrays(texts).take(pa.array(order)).cast(pa.binary())
    return pc.replace_with_mask(raw, pa.array(kinds > _STRING), replaced).cast(pa.string())


def _numbers(wire: _Wire, kinds: Kinds, contents: Places, kind: int) -> pa.Array:
    """The values of one kind in order. One that is not as usual loses its kind."""
    chosen = np.flatnonzero(kinds == kind)
    starts = contents[chosen]
    sizes = wire.ends[chosen] - starts
    if kind == _DOUBLE:
        good = sizes == 8
        eight = np.ascontiguousarray(wire.block(starts[good], 8).T)
        numbers: NDArray[Any] = eight.view("<f8")[:, 0]
    else:
        numbers, good = _varints(wire, starts, sizes)
    if kind == _BOOL:
        is_bool = (numbers == 0) | (numbers == 1)
        good[good] = is_bool
        numbers = numbers[is_bool].astype(np.bool_)
    kinds[chosen[~good]] = _UNUSUAL
    return pa.array(numbers)


def _varints(wire: _Wire, starts: Places, sizes: Places) -> tuple[NDArray[Any], Mask]:
    """The numbers that are all there is between some places, and at which there is one."""
    width = int(sizes.max(initial=1, where=sizes <= _LONGEST_VARINT))
    block = wire.block(starts, width)
    nth = np.arange(width)[:, None]
    is_inside, is_last = nth < sizes, nth == sizes - 1
    good = is_last.any(axis=0) & (((block < 0x80) == is_last) | ~is_inside).all(axis=0)
    if width == _LONGEST_VARINT:
        good &= (block[-1] <= 1) | ~is_last[-1]  # 64 bits
    groups = (block & 0x7F).astype(np.uint64) * is_inside
    numbers = np.bitwise_or.reduce(groups << (nth * 7).astype(np.uint64), axis=0)
    return numbers.view(np.int64)[good], good
