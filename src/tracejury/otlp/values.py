"""Attribute values as a type and a text, the same from JSON and protobuf.

Simple values are converted column by column. Lists inside of values have no fixed depth, so no
column can hold them: each *distinct* one is read in Python, without recursion.
"""

import base64
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValueList

from tracejury.otlp import json_scalars
from tracejury.otlp.signals import MalformedRequest
from tracejury.otlp.size_limits import check_commas, check_items

# What protobuf's own parser stops at inside of a span's attribute.
MAX_DEPTH: Final = 47

KINDS: Final = ("string", "bool", "int", "double", "bytes", "array", "kvlist")
EMPTY: Final = len(KINDS)
_NAMES: Final = pa.array([*KINDS, "empty"])
_EMPTY_JSON: Final = {"$empty": True}

Read = Callable[[pa.Array, str], pa.Array]
Kinds = NDArray[np.int8]


def names_of(kinds: Kinds) -> pa.Array:
    """The types of a batch's attributes, of positions in `KINDS`, or `EMPTY`."""
    return pa.DictionaryArray.from_arrays(pa.array(kinds), _NAMES)


def typed_texts(values: pa.Array, read: Read) -> tuple[Kinds, pa.Array]:
    """The kind and the text of each `AnyValue`; the text of an empty one is null."""
    kinds = np.full(len(values), EMPTY, np.int8)
    texts = [pa.nulls(len(values), pa.string())]
    for kind in reversed(range(EMPTY)):
        column = read(values, f"{KINDS[kind]}_value")
        if column.null_count < len(column):
            kinds[column.is_valid().to_numpy(zero_copy_only=False)] = kind
            texts.insert(0, texts_of(KINDS[kind], column))
    return kinds, pc.coalesce(*texts)


def parsed_texts(values: Sequence[AnyValue]) -> tuple[Kinds, pa.Array]:
    """The kind and the text of values that protobuf's own classes hold."""
    fields = [value.WhichOneof("value") for value in values]
    kinds = np.array(
        [KINDS.index(field.removesuffix("_value")) if field else EMPTY for field in fields], np.int8
    )
    texts = np.full(len(values), None, object)
    for kind in set(kinds.tolist()) - {EMPTY}:
        at = np.flatnonzero(kinds == kind)
        contents = [getattr(values[place], f"{KINDS[kind]}_value") for place in at.tolist()]
        if KINDS[kind] in {"array", "kvlist"}:
            contents = [content.SerializeToString() for content in contents]
        texts[at] = texts_of(KINDS[kind], pa.array(contents)).to_pylist()
    return kinds, pa.array(texts, pa.string())


def texts_of(kind: str, column: pa.Array) -> pa.Array:
    """The texts of values of one kind."""
    match kind:
        case "string":
            return column
        case "double":
            return _double_texts(column)
        case "bytes":
            return json_scalars.by_distinct(column, pa.string(), _base64)
        case "array" | "kvlist":
            if pa.types.is_string(column.type):
                # Protobuf's were counted before; in JSON they are text until now.
                check_commas(pc.sum(pc.count_substring(column, ",")).as_py() or 0)
            return json_scalars.by_distinct(column, pa.string(), lambda raw: nested_text(kind, raw))
        case _:
            return column.cast(pa.string())


def _double_texts(doubles: pa.Array) -> pa.Array:
    texts = doubles.cast(pa.string())  # the shortest that reads back as the same double
    if pc.all(pc.is_finite(doubles)).as_py():
        return texts
    for arrows, ours in (("nan", "NaN"), ("inf", "Infinity"), ("-inf", "-Infinity")):
        is_it = pc.equal(texts, pa.scalar(arrows, pa.string()))
        texts = pc.if_else(is_it, pa.scalar(ours, pa.string()), texts)
    return texts


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def nested_text(kind: str, raw: bytes | str) -> str:
    """One array or kvlist, from protobuf or JSON, as the JSON that `Batch` documents."""
    if isinstance(raw, bytes):
        plain = _plain(_protobuf_list(kind, raw), _protobuf_node)
    else:
        plain = _plain(_json_list(kind, raw), _json_node)
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


# The values are looked at one after another, and may be millions: protobuf makes an object of each
# that is looked at, so none is kept.
@dataclass(frozen=True, slots=True)
class _Items:
    values: Sequence[Any]

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class _Pairs:
    keys: list[str]
    values: Iterable[Any]

    def __len__(self) -> int:
        return len(self.keys)


def _plain(root: _Items | _Pairs, read: Callable[[Any], Any]) -> Any:
    """The JSON of a list, inner lists too; `read` gives a node's own JSON, or its list."""
    done: list[Any] = [None]
    waiting: list[tuple[Any, Any, Any, int]] = [(root, done, 0, 1)]
    items = 0
    while waiting:
        node, into, at, depth = waiting.pop()
        items += len(node)
        check_items(items)
        if depth > MAX_DEPTH:
            raise MalformedRequest(f"An attribute value is nested deeper than {MAX_DEPTH} levels.")
        into[at], places = _container(node)
        for value, (place, where) in zip(node.values, places, strict=True):
            content = read(value)
            if isinstance(content, _Items | _Pairs):
                waiting.append((content, place, where, depth + 1))
            else:
                place[where] = content
    return done[0]


def _container(node: _Items | _Pairs) -> tuple[Any, Iterable[tuple[Any, Any]]]:
    """An empty JSON container for a list, and the place in it of each of the list's values."""
    if isinstance(node, _Items):
        items = [None] * len(node.values)
        return items, ((items, index) for index in range(len(items)))
    if len(set(node.keys)) == len(node.keys) and not any(k.startswith("$") for k in node.keys):
        members = dict.fromkeys(node.keys)
        return members, ((members, key) for key in node.keys)
    pairs = [[key, None] for key in node.keys]
    return {"$kvlist": pairs}, ((pair, 1) for pair in pairs)


def _plain_double(number: float) -> Any:
    if math.isfinite(number):
        return number
    return {"$double": "NaN" if math.isnan(number) else f"{'-' * (number < 0)}Infinity"}


def _protobuf_list(kind: str, raw: bytes) -> _Items | _Pairs:
    try:
        parsed = ArrayValue.FromString(raw) if kind == "array" else KeyValueList.FromString(raw)
    except DecodeError as error:
        raise MalformedRequest(f"A value of type {kind} cannot be read: {error}.") from error
    return _protobuf_values(kind, parsed.values)


def _protobuf_values(kind: str, values: Sequence[Any]) -> _Items | _Pairs:
    if kind.startswith("kvlist"):
        return _Pairs([entry.key for entry in values], (entry.value for entry in values))
    return _Items(values)


def _protobuf_node(value: AnyValue) -> Any:
    field = value.WhichOneof("value")
    match field:
        case "string_value" | "bool_value" | "int_value":
            return getattr(value, field)
        case "double_value":
            return _plain_double(value.double_value)
        case "bytes_value":
            return {"$bytes": _base64(value.bytes_value)}
        case "array_value" | "kvlist_value":
            return _protobuf_values(field, getattr(value, field).values)
        case _:
            return _EMPTY_JSON


def _json_list(kind: str, raw: str) -> _Items | _Pairs:
    try:
        content = json.loads(raw, object_pairs_hook=_first_of_each)
    except RecursionError:
        raise MalformedRequest(
            f"An attribute value is nested deeper than {MAX_DEPTH} levels."
        ) from None
    except ValueError as error:
        raise MalformedRequest(f"An attribute value is not valid JSON: {error}.") from error
    return _list_of(kind, content)


def _first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # The parser of the rest of the request keeps the first of repeated keys, too.
    return dict(reversed(pairs))


def _list_of(kind: str, content: Any) -> _Items | _Pairs:
    values = _member(_object(content), "values") or []
    if not isinstance(values, list):
        raise MalformedRequest(f"The values of a value of type {kind} are no list.")
    if kind == "array":
        return _Items(values)
    entries = [_object(entry) for entry in values]
    return _Pairs(
        [_scalar_text(entry.get("key") or "") for entry in entries],
        (entry.get("value") for entry in entries),
    )


def _json_node(value: Any) -> Any:
    members = _object(value)
    for kind in KINDS:
        content = _member(members, f"{kind}_value")
        if content is not None:
            return _json_content(kind, content)
    return _EMPTY_JSON


def _json_content(kind: str, content: Any) -> Any:
    if kind in {"array", "kvlist"}:
        return _list_of(kind, content)
    text = _scalar_text(content)
    match kind:
        case "bool":
            return json_scalars.boolean(text, "bool_value")
        case "int":
            return json_scalars.int64(text, "int_value")
        case "double":
            return _plain_double(json_scalars.double(text, "double_value"))
        case "bytes":
            return {"$bytes": _base64(json_scalars.unbase64(text, "bytes_value"))}
        case _:
            return text


def _object(content: Any) -> dict[str, Any]:
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise MalformedRequest("An attribute value holds something else where an object belongs.")
    return content


def _member(members: dict[str, Any], name: str) -> Any:
    camel = members.get(_camel(name))
    return members.get(name) if camel is None else camel


@cache
def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def _scalar_text(content: Any) -> str:
    return content if isinstance(content, str) else json.dumps(content)
