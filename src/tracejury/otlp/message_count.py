"""Count the messages of protobuf requests with a parser that keeps only where their lists end.

It stops at the same errors as the parser that reads the rest, so that nothing hides behind one.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from opentelemetry.proto.common.v1.common_pb2 import ArrayValue, KeyValueList

from tracejury.otlp.message_rows import parser_of, rows_of
from tracejury.otlp.size_limits import MESSAGE_LIMIT, Tally, check_items
from tracejury.otlp.values import MAX_DEPTH

# A message takes two bytes at least.
COUNTED_ABOVE: Final = MESSAGE_LIMIT * 2

# Lists inside of values may have lists inside: each level is parsed on its own.
_LISTS: Final = {
    "array_value": ArrayValue.DESCRIPTOR,
    "kvlist_value": KeyValueList.DESCRIPTOR,
}


def refuse_too_many(message: Any, bodies: Sequence[bytes], unread: frozenset[str]) -> None:
    """Raise `MalformedRequest` where `bodies` have too many messages together, or are broken.

    Fields named `unread` do not count.
    """
    if sum(map(len, bodies)) <= COUNTED_ABOVE:
        return
    tally = Tally()
    waiting = [(message, bodies)]
    for _ in range(MAX_DEPTH + 1):  # what is nested deeper is refused, whatever it is
        rows = [
            rows_of(_parser(kind, unread), contents).to_struct_array() for kind, contents in waiting
        ]
        for parsed in rows:
            tally.add_lists(parsed)
            if parsed.type.get_field_index("values") >= 0:
                check_items(pc.max(pc.list_value_length(parsed.field("values"))).as_py())
        found = [pair for parsed in rows for pair in _lists_in_values(parsed)]
        waiting = [
            (kind, [content for at, contents in found if at == name for content in contents])
            for name, kind in _LISTS.items()
        ]
        waiting = [(kind, contents) for kind, contents in waiting if contents]


def _lists_in_values(rows: pa.StructArray) -> Iterator[tuple[str, list[bytes]]]:
    """The content of each list that is a value's, by the name of its field."""
    for member in rows.type:
        column = rows.field(member.name)
        if pa.types.is_list(column.type):
            column = pc.list_flatten(column)
        if pa.types.is_struct(column.type):
            yield from _lists_in_values(column)
        elif member.name in _LISTS:
            is_filled = pc.greater(pc.binary_length(column), pa.scalar(0, pa.int32()))
            yield member.name, column.filter(is_filled).to_pylist()


@cache
def _parser(message: Any, unread: frozenset[str]) -> Any:
    file = FileDescriptorProto(name="skeleton.proto", package="skeleton", syntax="proto3")
    _add_skeleton(file, message, unread)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return parser_of(pool.FindMessageTypeByName(f"skeleton.{_name(message)}"))


def _add_skeleton(file: FileDescriptorProto, message: Any, unread: frozenset[str]) -> bool:
    """Describe what of `message` is lists of messages, or holds some; False: there is nothing."""
    if any(known.name == _name(message) for known in file.message_type):
        return True
    fields = []
    for declared in message.fields:
        if declared.message_type is None or declared.name in unread:
            continue
        kept = FieldDescriptorProto(
            name=declared.name,
            number=declared.number,
            label=FieldDescriptorProto.LABEL_REPEATED
            if declared.is_repeated
            else FieldDescriptorProto.LABEL_OPTIONAL,
            type=FieldDescriptorProto.TYPE_BYTES,
        )
        is_list = declared.name in _LISTS
        if not is_list and _add_skeleton(file, declared.message_type, unread):
            kept.type = FieldDescriptorProto.TYPE_MESSAGE
            kept.type_name = f".skeleton.{_name(declared.message_type)}"
        if is_list or kept.type_name or declared.is_repeated:
            fields.append(kept)
    if fields:
        file.message_type.add(name=_name(message), field=fields)
    return bool(fields)


def _name(message: Any) -> str:
    return str(message.full_name).replace(".", "_")
