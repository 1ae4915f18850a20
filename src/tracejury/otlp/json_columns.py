"""OTLP/JSON requests as the nested Arrow column that protobuf gives, without an object per span.

DuckDB is used here as a JSON engine and as nothing else: an in-memory connection, one `from_json`.
It is the only JSON parser at hand that fills Arrow columns directly, takes integers as numbers or
strings and ignores unknown fields. Everything is read as text and converted column by column,
because what `from_json` cannot convert it silently makes NULL.

Both spellings of a field are read: `traceId`, as OTLP says, and `trace_id`.
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

from tracejury.otlp import json_scalars
from tracejury.otlp.protobuf_columns import OPAQUE, request_descriptor
from tracejury.otlp.signals import MalformedRequest, Signal

_SYNTAX_ERROR: Final = re.compile(r"Malformed JSON at byte (\d+) of input: (.*?)\.\s+Input: ", re.S)

_local: Final = threading.local()


def parse(signal: Signal, bodies: Sequence[bytes]) -> pa.Array:
    """One row per request: the list of its `ResourceSpans` or `ResourceLogs`."""
    requests = pa.table({"body": _texts(bodies)})
    query = f"SELECT json_type(body), from_json(body, '{_structure(signal)}') FROM requests"  # noqa: S608
    connection = _connection()
    connection.register("requests", requests)
    try:
        parsed = connection.sql(query).to_arrow_table()
    except duckdb.InvalidInputException as error:
        raise MalformedRequest(_located(bodies[0], str(error))) from error
    finally:
        connection.unregister("requests")
    if pc.any(pc.not_equal(parsed.column(0), "OBJECT")).as_py():
        raise MalformedRequest("The body is JSON, but not an object as every OTLP request is.")
    return field(parsed.column(1).combine_chunks(), request_descriptor(signal).fields[0].name)


def field(rows: pa.Array, name: str) -> pa.Array:
    """A field of some messages, as protobuf would have given it, but null where it is absent."""
    declared = _declared(name)
    column = pc.struct_field(rows, declared.json_name)
    if name != declared.json_name:
        other = pc.struct_field(rows, name)
        if other.null_count < len(other):
            column = pc.coalesce(column, other)
    if declared.message_type is not None or name in OPAQUE:
        return column
    return json_scalars.convert(column, declared)


def _connection() -> duckdb.DuckDBPyConnection:
    # A connection serves one thread at a time.
    if not hasattr(_local, "connection"):
        config = {"threads": 1, "enable_external_access": False}
        _local.connection = duckdb.connect(":memory:", config=config)
    connection: duckdb.DuckDBPyConnection = _local.connection
    return connection


def _texts(bodies: Sequence[bytes]) -> pa.Array:
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


@cache
def _structure(signal: Signal) -> str:
    return json.dumps(_shape(request_descriptor(signal)))


def _shape(message: Any) -> dict[str, Any]:
    shape: dict[str, Any] = {}
    for declared in message.fields:
        inner = "JSON" if declared.name in OPAQUE else "VARCHAR"
        kind = _shape(declared.message_type) if declared.message_type else inner
        for spelling in {declared.json_name, declared.name}:
            shape[spelling] = [kind] if declared.is_repeated else kind
    return shape


@cache
def _declared(name: str) -> Any:
    # A field has the same type in every message that has it.
    waiting = [request_descriptor(Signal.TRACES), request_descriptor(Signal.LOGS)]
    while waiting:
        message = waiting.pop()
        if name in message.fields_by_name:
            return message.fields_by_name[name]
        waiting += [inner.message_type for inner in message.fields if inner.message_type]
    raise KeyError(name)
