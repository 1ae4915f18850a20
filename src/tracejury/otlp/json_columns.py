"""OTLP/JSON requests as the nested Arrow column that protobuf gives, without an object per span.

DuckDB is used here as a JSON engine and as nothing else: an in-memory connection, one `from_json`.
It is the only JSON parser at hand that fills Arrow columns directly, takes integers as numbers or
strings and ignores unknown fields. Everything is read as text and converted column by column,
because what `from_json` cannot convert it silently makes NULL.

Both spellings of a field are read: `traceId`, as OTLP says, and `trace_id`, which some writers of
files use. Looking for both makes a small request ten times as slow, hence only where they occur.
"""

import json
import re
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from tracejury.otlp import json_scalars, protobuf_columns
from tracejury.otlp.json_shapes import doubtful_paths
from tracejury.otlp.nested import relisted
from tracejury.otlp.protobuf_columns import OPAQUE, request_descriptor
from tracejury.otlp.signals import MalformedRequest, Signal
from tracejury.otlp.size_limits import RECORD_LIMIT, Tally, check_keys
from tracejury.otlp.values import names_of, typed_texts

_SNAKE_CASE_KEY: Final = r'"[a-z]+(_[a-z]+)+"\s*:'

_SYNTAX_ERROR: Final = re.compile(r"Malformed JSON at byte (\d+) of input: (.*?)\.\s+Input: ", re.S)

# Each takes some three hundred bytes of memory, however few it has in the body. Telemetry of the
# largest size that is taken by default has about half as many.
OBJECT_LIMIT: Final = 2**22

# There is one between any two numbers; in no telemetry every fifth character is one.
_COMMA_LIMIT: Final = 3 * 2**22

_local: Final = threading.local()


def parse(signal: Signal, bodies: Sequence[bytes]) -> pa.Array:
    """One row per request: the list of its resources, with what came from each."""
    texts = _texts(bodies)
    both = bool(pc.any(pc.match_substring_regex(texts, _SNAKE_CASE_KEY)).as_py())
    connection = _connection()
    connection.register("requests", pa.table({"body": texts}))
    try:
        structure = _structure(request_descriptor(signal), both=both)
        if sum(body.count(b",") + body.count(b"{") for body in bodies) > RECORD_LIMIT:
            Tally().add_lists(_parsed(connection, _lists_of(structure)))
        requests = _parsed(connection, structure)
        if requests.null_count:
            raise MalformedRequest("The body is null, where an object belongs.")
        _refuse_lost(connection, doubtful_paths(requests))
    except duckdb.InvalidInputException as error:
        raise MalformedRequest(_located(bodies[0], str(error))) from error
    finally:
        connection.unregister("requests")
    return field(requests, request_descriptor(signal).fields[0].name)


def _refuse_lost(connection: duckdb.DuckDBPyConnection, paths: dict[str, str]) -> None:
    """Refuse requests that have something else where a list or an object belongs."""
    if not paths:
        return
    types = ", ".join(_types_at(path) for path in paths)
    for row in connection.sql(f"SELECT {types} FROM requests").fetchall():  # noqa: S608
        for (path, expected), found in zip(paths.items(), row, strict=True):
            if not {expected, "NULL", None}.issuperset(found):
                noun = "a list" if expected == "ARRAY" else "an object"
                raise MalformedRequest(f"The body has something else than {noun} at {path}.")


def _types_at(path: str) -> str:
    # A path without a wildcard gives one type instead of a list of them.
    types = f"json_type(body, '{path}')"
    return f"list_distinct({types})" if "*" in path else f"[{types}]"


def field(rows: pa.Array, name: str) -> pa.Array:
    """A field of some messages, as protobuf would have given it, but null where it is absent."""
    declared = _declared(name)
    column = protobuf_columns.field(rows, declared.json_name)
    if name != declared.json_name and rows.type.get_field_index(name) >= 0:
        column = pc.coalesce(column, protobuf_columns.field(rows, name))
    if name in OPAQUE or pa.types.is_struct(column.type):
        return column
    if pa.types.is_list(column.type):
        return column if pa.types.is_struct(column.type.value_type) else _repeated(column, declared)
    return json_scalars.convert(column, declared)


def _repeated(lists: pa.Array, declared: Any) -> pa.Array:
    items = pc.list_flatten(lists)
    if items.null_count:
        raise MalformedRequest(f"The field {declared.name} holds null, where a number belongs.")
    return relisted(lists, json_scalars.convert(items, declared))


def attributes(entries: pa.Array) -> list[pa.Array]:
    """Keys, types and texts of some attributes."""
    keys = pc.fill_null(field(entries, "key"), "").dictionary_encode()
    check_keys(len(keys.dictionary))
    types, texts = values(field(entries, "value"))
    return [keys, types, texts.dictionary_encode()]


def values(values: pa.Array) -> list[pa.Array]:
    """Types and texts of some values; the text of an empty one is null."""
    kinds, texts = typed_texts(values, field)
    return [names_of(kinds), texts]


def _connection() -> duckdb.DuckDBPyConnection:
    # A connection serves one thread at a time.
    if not hasattr(_local, "connection"):
        config: dict[str, str | bool | int | float | list[str]] = {
            "threads": 1,
            "enable_external_access": False,
        }
        _local.connection = duckdb.connect(":memory:", config=config)
    connection: duckdb.DuckDBPyConnection = _local.connection
    return connection


def _texts(bodies: Sequence[bytes]) -> pa.Array:
    if any(body.count(b"{") > OBJECT_LIMIT for body in bodies):
        raise MalformedRequest(f"The body has more than {OBJECT_LIMIT:,} objects.")
    if any(body.count(b",") > _COMMA_LIMIT for body in bodies):
        raise MalformedRequest(f"The body has more than {_COMMA_LIMIT:,} commas.")
    marked = [body.removeprefix(b"\xef\xbb\xbf") for body in bodies]
    try:
        return pa.array(marked, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid as error:
        raise MalformedRequest("The body is not JSON: it is not valid UTF-8.") from error


def _located(body: bytes, error: str) -> str:
    found = _SYNTAX_ERROR.search(error)
    if found is None:
        return "The body is not valid JSON."
    before = body[: int(found[1])].decode(errors="replace")
    line = before.count("\n") + 1
    column = len(before) - before.rfind("\n")
    return f"The body is not valid JSON: {found[2]} at line {line}, column {column}."


def _parsed(connection: duckdb.DuckDBPyConnection, structure: Any) -> pa.StructArray:
    query = f"SELECT from_json(body, '{json.dumps(structure)}') FROM requests"  # noqa: S608
    return connection.sql(query).to_arrow_table().column(0).combine_chunks()


def _lists_of(structure: Any) -> Any:
    """Of a structure only the lists and what holds some; None: there is nothing."""
    match structure:
        case [item]:
            return [_lists_of(item) or "BOOLEAN"]
        case dict():
            inner = {name: _lists_of(member) for name, member in structure.items()}
            return {name: member for name, member in inner.items() if member} or None
        case _:
            return None


@cache
def _structure(message: Any, *, both: bool) -> dict[str, Any]:
    structure: dict[str, Any] = {}
    for declared in message.fields:
        kind: Any = "JSON" if declared.name in OPAQUE else "VARCHAR"
        if declared.message_type:
            kind = _structure(declared.message_type, both=both)
        for spelling in {declared.json_name, declared.name if both else declared.json_name}:
            structure[spelling] = [kind] if declared.is_repeated else kind
    return structure


@cache
def _declared(name: str) -> Any:
    """How a field is declared. Wherever it is no message, it has the same type."""
    waiting = [request_descriptor(signal) for signal in Signal]
    found = None
    while waiting:
        message = waiting.pop()
        found = message.fields_by_name.get(name, found)
        if found is not None and found.message_type is None:
            return found
        waiting += [inner.message_type for inner in message.fields if inner.message_type]
    if found is None:
        raise KeyError(name)
    return found
