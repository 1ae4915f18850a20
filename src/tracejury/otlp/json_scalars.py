"""Columns of JSON text as the columns of protobuf's types, by the rules of OTLP/JSON and then some.

What is regular is converted by column. What is not (an integer written as 1.5e18, the name of an
enumeration's value) is converted in Python, once per distinct text.
"""

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.descriptor import FieldDescriptor

from tracejury.otlp.signals import MalformedRequest

IDS: Final = frozenset({"trace_id", "span_id", "parent_span_id"})

_INTEGERS: Final = {
    FieldDescriptor.TYPE_INT64: pa.int64(),
    FieldDescriptor.TYPE_SFIXED64: pa.int64(),
    FieldDescriptor.TYPE_SINT32: pa.int32(),
    FieldDescriptor.TYPE_UINT32: pa.uint32(),
    FieldDescriptor.TYPE_UINT64: pa.uint64(),
    FieldDescriptor.TYPE_FIXED32: pa.uint32(),
    FieldDescriptor.TYPE_FIXED64: pa.uint64(),
    FieldDescriptor.TYPE_ENUM: pa.int32(),
}

# Digits are bounded: Python takes quadratic time for long integers, and none is that long.
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,40}")
_DOUBLE: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*([eE][+-]?[0-9]+)?|Infinity|inf)|NaN|nan")

_NOT_HEX: Final = 255
_NIBBLES: Final = np.full(256, _NOT_HEX, np.uint8)
for _digit in "0123456789abcdefABCDEF":
    _NIBBLES[ord(_digit)] = int(_digit, 16)


def convert(texts: pa.Array, declared: Any) -> pa.Array:
    """The texts of one field as Arrow values of the field's type."""
    if declared.name in IDS:
        return unhex(texts)
    if declared.type in _INTEGERS:
        return _integers(texts, declared)
    if declared.type == FieldDescriptor.TYPE_DOUBLE:
        return _doubles(texts, declared)
    if declared.type == FieldDescriptor.TYPE_BOOL:
        return by_distinct(texts, pa.bool_(), lambda text: boolean(text, declared.name))
    if declared.type == FieldDescriptor.TYPE_BYTES:
        return by_distinct(texts, pa.binary(), lambda text: unbase64(text, declared.name))
    return texts


def by_distinct(values: pa.Array, kind: pa.DataType, one: Callable[[Any], Any]) -> pa.Array:
    """Convert each distinct value once, in Python."""
    encoded = values.dictionary_encode()
    distinct = [one(value) for value in encoded.dictionary.to_pylist()]
    return pa.array(distinct, kind).take(encoded.indices)


def integer(text: str, name: str) -> int:
    """An integer as JSON may write it: 15, "15", 1.5e1."""
    if _INTEGER.fullmatch(text):
        return int(text)
    number = double(text, name)
    if not number.is_integer():
        raise MalformedRequest(f"The field {name} holds {text[:40]!r}, which is no integer.")
    return int(number)


def int64(text: str, name: str) -> int:
    number = integer(text, name)
    if not -(2**63) <= number < 2**63:
        raise MalformedRequest(f"The field {name} holds an integer out of range.")
    return number


def double(text: str, name: str) -> float:
    if not _DOUBLE.fullmatch(text):
        raise MalformedRequest(f"The field {name} holds {text[:40]!r}, which is no number.")
    return float(text)


def boolean(text: str, name: str) -> bool:
    if text not in {"true", "false"}:
        raise MalformedRequest(f"The field {name} holds {text[:40]!r}, neither true nor false.")
    return text == "true"


def unbase64(text: str, name: str) -> bytes:
    """Bytes from either alphabet of base64, padded or not."""
    padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
    try:
        return base64.b64decode(padded.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        raise MalformedRequest(
            f"The field {name} holds {text[:40]!r}, which is no base64."
        ) from None


def unhex(texts: pa.Array) -> pa.Array:
    """Ids from hexadecimal of either case: no bytes where none was sent, null for what is no id."""
    texts = pc.fill_null(texts, "")
    offsets, digits = _digits(texts)
    if np.any(np.diff(offsets) % 2) or np.any(digits == _NOT_HEX):
        are_hex = pc.match_substring_regex(texts, r"^([0-9a-fA-F]{2})*\z")
        ids = unhex(pc.if_else(are_hex, texts, ""))
        return pc.if_else(are_hex, ids, pa.scalar(None, pa.binary()))
    pairs = digits.reshape(-1, 2)
    joined = pa.py_buffer((pairs[:, 0] << 4 | pairs[:, 1]).tobytes())
    starts = pa.py_buffer((offsets // 2).astype(np.int32))
    return pa.Array.from_buffers(pa.binary(), len(texts), [None, starts, joined])


def _digits(texts: pa.Array) -> tuple[Any, Any]:
    """Where each text starts, and the value of each of its characters as a digit."""
    _, starts, characters = texts.buffers()
    offsets = np.frombuffer(starts, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    codes = np.frombuffer(characters or b"", np.uint8)[offsets[0] : offsets[-1]]
    return offsets - offsets[0], _NIBBLES[codes]


def _integers(texts: pa.Array, declared: Any) -> pa.Array:
    kind = _INTEGERS[declared.type]
    try:
        return texts.cast(kind)
    except pa.ArrowInvalid:
        names = declared.enum_type.values_by_name if declared.enum_type else {}
        try:
            return by_distinct(
                texts,
                kind,
                lambda text: names[text].number if text in names else integer(text, declared.name),
            )
        except (pa.ArrowInvalid, OverflowError):
            raise MalformedRequest(
                f"The field {declared.name} holds an integer out of range."
            ) from None


def _doubles(texts: pa.Array, declared: Any) -> pa.Array:
    try:
        return texts.cast(pa.float64())
    except pa.ArrowInvalid:
        return by_distinct(texts, pa.float64(), lambda text: double(text, declared.name))
