"""Attributes and other values of a `Batch` as OTLP/JSON writes them."""

import json
import math
from collections import defaultdict
from functools import cache
from typing import Any

import pyarrow as pa

Row = dict[str, Any]
ByOwner = dict[int, list[Row]]


def attributes_of(table: pa.Table) -> ByOwner:
    """The attributes of each owner in a table of attributes; those that are alike are the same."""
    attributes: ByOwner = defaultdict(list)
    entry = cache(_attribute)  # most are said again and again
    columns = (_texts(table[name]) for name in ("key", "type", "value"))
    for owner, *said in zip(table["owner"].to_pylist(), *columns, strict=True):
        attributes[owner].append(entry(*said))
    return attributes


def _attribute(key: str, kind: str, text: str | None) -> Row:
    return {"key": key, "value": any_value(kind, text)}


def _texts(column: pa.ChunkedArray) -> list[str | None]:
    """The texts of a column, each distinct one made once: Arrow makes one at every row."""
    texts: list[str | None] = []
    for chunk in column.chunks:
        distinct = [*chunk.dictionary.to_pylist(), None]
        rows = chunk.indices.cast(pa.int32()).fill_null(len(distinct) - 1).to_pylist()
        texts += map(distinct.__getitem__, rows)
    return texts


def any_value(kind: str, text: str | None) -> Row:
    """An attribute's type and text as the `AnyValue` of OTLP/JSON."""
    if kind == "empty" or text is None:
        return {}
    match kind:
        case "bool":
            return {"boolValue": text == "true"}
        case "double":
            return {"doubleValue": double(float(text))}
        case "array" | "kvlist":
            return _list_value(json.loads(text))
        case _:
            return {f"{kind}Value": text}


def _list_value(plain: Any) -> Row:
    """What `values.nested_text` wrote, as an `AnyValue`; without recursion, as there."""
    root: Row = {}
    waiting: list[tuple[Any, Row]] = [(plain, root)]
    while waiting:
        content, into = waiting.pop()
        if isinstance(content, list):
            values: list[Row] = [{} for _ in content]
            into["arrayValue"] = {"values": values}
            waiting += zip(content, values, strict=True)
        elif isinstance(content, dict) and (pairs := _pairs(content)) is not None:
            values = [{} for _ in pairs]
            entries = zip(pairs, values, strict=True)
            into["kvlistValue"] = {"values": [{"key": k, "value": v} for (k, _), v in entries]}
            waiting += zip((value for _, value in pairs), values, strict=True)
        else:
            into.update(_leaf(content))
    return root


def _pairs(members: Row) -> list[tuple[str, Any]] | None:
    """The entries of a kvlist, or None for an object that stands for a single value."""
    match members:
        case {"$kvlist": pairs}:
            return [(key, value) for key, value in pairs]
        case {"$bytes": _} | {"$double": _} | {"$empty": _}:
            return None
        case _:
            return list(members.items())


def _leaf(plain: Any) -> Row:
    match plain:
        case bool():
            return {"boolValue": plain}
        case int():
            return {"intValue": str(plain)}
        case float():
            return {"doubleValue": plain}
        case {"$double": text}:
            return {"doubleValue": text}
        case {"$bytes": text}:
            return {"bytesValue": text}
        case _:
            return {"stringValue": plain} if isinstance(plain, str) else {}


def double(number: float) -> float | str:
    """A double as JSON can say it."""
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else f"{'-' * (number < 0)}Infinity"


def nanoseconds(time: int) -> str | None:
    """A time; None where it is zero, as none was sent."""
    return str(time) if time else None


def present(members: Row) -> Row:
    """Only what is not the default, which OTLP/JSON leaves out."""
    return {name: value for name, value in members.items() if value or value is False}
