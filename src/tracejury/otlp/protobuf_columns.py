"""OTLP/protobuf requests as one nested Arrow column, without an object per span."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final

import ptars
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from tracejury.otlp.signals import MalformedRequest, Signal

_OFFICIAL: Final = {
    Signal.TRACES: trace_service_pb2.ExportTraceServiceRequest.DESCRIPTOR,
    Signal.LOGS: logs_service_pb2.ExportLogsServiceRequest.DESCRIPTOR,
}

# On the wire a message and a byte string look alike. Lists inside of values are recursive, which
# no column can be, so they stay bytes here and are read by `values`.
OPAQUE: Final = {"array_value", "kvlist_value"}

# Fields that no table keeps: entities, and the profiles' string table.
_UNREAD: Final = {"entity_refs", "string_value_strindex", "key_strindex"}


def parse(signal: Signal, bodies: Sequence[bytes]) -> pa.Array:
    """One row per request: the list of its `ResourceSpans` or `ResourceLogs`."""
    try:
        return _handler(signal).list_to_record_batch(list(bodies)).column(0)
    except ValueError as error:
        reason = str(error).removeprefix("failed to decode Protobuf message: ")
        raise MalformedRequest(f"The body is not an OTLP/protobuf request: {reason}.") from error


def field(rows: pa.Array, name: str) -> pa.Array:
    """A field of some messages as a column, null where the message itself is absent."""
    # `struct_field` carries the nulls over, and takes twenty times as long.
    return pc.struct_field(rows, name) if rows.null_count else rows.field(name)


@cache
def request_descriptor(signal: Signal) -> Any:
    """The official message, with recursive values opaque and unread fields left out."""
    pool = descriptor_pool.DescriptorPool()
    for file in _files(_OFFICIAL[signal].file):
        pool.Add(file)
    return pool.FindMessageTypeByName(_OFFICIAL[signal].full_name)


@cache
def _handler(signal: Signal) -> Any:
    descriptor = request_descriptor(signal)
    return ptars.HandlerPool([descriptor.file]).get_for_message(descriptor)


def _files(file: Any) -> Iterable[FileDescriptorProto]:
    for dependency in file.dependencies:
        yield from _files(dependency)
    slim = FileDescriptorProto()
    file.CopyToProto(slim)
    for message in slim.message_type:
        _slim(message)
    yield slim


def _slim(message: DescriptorProto) -> None:
    kept = [field for field in message.field if field.name not in _UNREAD]
    for declared in kept:
        if declared.name in OPAQUE:
            declared.type = FieldDescriptorProto.TYPE_BYTES
            declared.ClearField("type_name")
    del message.field[:]
    message.field.extend(kept)
