"""OTLP/protobuf requests as one nested Arrow column, without an object per span.

`ptars` parses what a message has once, by slimmed-down copies of the official messages. What it has
a dozen times, its attributes, is left as bytes, which `wire_attributes` reads four times as fast.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from tracejury.otlp.message_count import refuse_too_many
from tracejury.otlp.message_rows import parser_of, rows_of
from tracejury.otlp.signals import MalformedRequest, Signal
from tracejury.otlp.size_limits import check_keys, check_odd
from tracejury.otlp.values import Kinds, names_of, parsed_texts
from tracejury.otlp.wire_attributes import read_attributes, read_values

_OFFICIAL: Final = {
    Signal.TRACES: trace_service_pb2.ExportTraceServiceRequest.DESCRIPTOR,
    Signal.LOGS: logs_service_pb2.ExportLogsServiceRequest.DESCRIPTOR,
    Signal.METRICS: metrics_service_pb2.ExportMetricsServiceRequest.DESCRIPTOR,
}

# On the wire a message and a byte string look alike. Lists inside of values are recursive, which
# no column can be, so they stay bytes here and are read by `values`.
OPAQUE: Final = frozenset({"array_value", "kvlist_value"})
_RAW: Final = OPAQUE | {"attributes", "filtered_attributes", "metadata", "body"}

# Fields that no table keeps: entities, and the profiles' string table.
_UNREAD: Final = frozenset({"entity_refs", "string_value_strindex", "key_strindex"})

_OBJECTS_AT_ONCE: Final = 2**16


def parse(signal: Signal, bodies: Sequence[bytes]) -> pa.Array:
    """One row per request: the list of its resources, with what came from each."""
    refuse_too_many(_OFFICIAL[signal], bodies, _UNREAD)
    return rows_of(_parser(_OFFICIAL[signal], _RAW), bodies).column(0)


def field(rows: pa.Array, name: str) -> pa.Array:
    """A field of some messages as a column, null where the message itself is absent."""
    # `struct_field` carries the nulls over, and takes twenty times as long.
    return pc.struct_field(rows, name) if rows.null_count else rows.field(name)


def attributes(entries: pa.Array) -> list[pa.Array]:
    """Keys, types and texts of some `KeyValue` messages, each distinct one read once."""
    encoded = entries.dictionary_encode()
    try:
        keys, kinds, texts = read_attributes(encoded.dictionary, _parsed_attributes)
    except pa.ArrowInvalid as error:
        raise MalformedRequest("An attribute is not valid UTF-8.") from error
    check_keys(len(keys.dictionary))
    at = encoded.indices
    if texts.null_count:
        text_at = pc.if_else(texts.is_valid().take(at), at, pa.scalar(None, pa.int32()))
    else:
        text_at = at
    return [
        keys.take(at),
        names_of(kinds).take(at),
        pa.DictionaryArray.from_arrays(text_at, texts),
    ]


def values(values: pa.Array) -> list[pa.Array]:
    """Types and texts of some `AnyValue` messages; the text of an empty one is null."""
    try:
        kinds, texts = read_values(pc.fill_null(values, b""), _parsed_values)
    except pa.ArrowInvalid as error:
        raise MalformedRequest("A log record's body is not valid UTF-8.") from error
    return [names_of(kinds), texts]


@cache
def request_descriptor(signal: Signal) -> Any:
    """The official message, with recursive values opaque and unread fields left out."""
    return _descriptor(_OFFICIAL[signal], OPAQUE)


def _parsed_attributes(entries: pa.Array) -> tuple[pa.Array, Kinds, pa.Array]:
    keys, kinds, texts = [], [], []
    for part in _parts(entries):
        parsed = [_message(KeyValue, raw) for raw in part.to_pylist()]
        keys.append(pa.array([entry.key for entry in parsed], pa.string()))
        of_part = parsed_texts([entry.value for entry in parsed])
        kinds.append(of_part[0])
        texts.append(of_part[1])
    return pa.concat_arrays(keys), np.concatenate(kinds), pa.concat_arrays(texts)


def _parsed_values(values: pa.Array) -> tuple[Kinds, pa.Array]:
    parts = [
        parsed_texts([_message(AnyValue, raw) for raw in part.to_pylist()])
        for part in _parts(values)
    ]
    kinds, texts = zip(*parts, strict=True)
    return np.concatenate(kinds), pa.concat_arrays(texts)


def _parts(messages: pa.Array) -> Iterator[pa.Array]:
    """So few at a time that it does not matter how much memory an object of each takes."""
    check_odd(len(messages))
    for start in range(0, len(messages), _OBJECTS_AT_ONCE):
        yield messages.slice(start, _OBJECTS_AT_ONCE)


def _message(kind: Any, raw: bytes) -> Any:
    try:
        return kind.FromString(raw)
    except DecodeError as error:
        raise MalformedRequest(f"The body is not an OTLP/protobuf request: {error}.") from error


@cache
def _parser(message: Any, raw: frozenset[str]) -> Any:
    descriptor = _descriptor(message, raw)
    return parser_of(descriptor)


def _descriptor(message: Any, raw: frozenset[str]) -> Any:
    """A copy of `message` and all it consists of, in which the fields named `raw` are bytes."""
    pool = descriptor_pool.DescriptorPool()
    for file in _files(message.file, raw):
        pool.Add(file)
    return pool.FindMessageTypeByName(message.full_name)


def _files(file: Any, raw: frozenset[str]) -> Iterable[FileDescriptorProto]:
    for dependency in file.dependencies:
        yield from _files(dependency, raw)
    slim = FileDescriptorProto()
    file.CopyToProto(slim)
    for message in slim.message_type:
        _slim(message, raw)
    yield slim


def _slim(message: DescriptorProto, raw: frozenset[str]) -> None:
    kept = [field for field in message.field if field.name not in _UNREAD]
    for declared in kept:
        if declared.name in raw:
            declared.type = FieldDescriptorProto.TYPE_BYTES
            declared.ClearField("type_name")
    for inner in message.nested_type:
        _slim(inner, raw)
    del message.field[:]
    message.field.extend(kept)
