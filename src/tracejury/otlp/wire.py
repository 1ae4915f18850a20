"""Protobuf's wire format, as far as telling requests apart needs it: framing and signals."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from tracejury.otlp.signals import Signal

_VARINT: Final = 0
_FIXED64: Final = 1
_BYTES: Final = 2


class Field(NamedTuple):
    """One field of a message on the wire; `start` and `end` enclose its content."""

    number: int
    wire_type: int
    start: int
    end: int


class WireError(ValueError):
    """These bytes are no protobuf."""


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at a position, and the position after it."""
    number = shift = 0
    while True:
        if at >= len(data):
            raise WireError("it ends within a number")
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
        if shift >= 70:
            raise WireError("a number is longer than 10 bytes")


def fields(data: bytes, start: int, end: int) -> Iterator[Field]:
    """The fields of the message between two positions."""
    at = start
    while at < end:
        tag, at = varint(data, at)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise WireError("a field has the number 0")
        content, after = _content(data, at, wire_type)
        if after > end:
            raise WireError("a field is longer than the message around it")
        yield Field(number, wire_type, content, after)
        at = after


def _content(data: bytes, at: int, wire_type: int) -> tuple[int, int]:
    match wire_type:
        case 0:
            return at, varint(data, at)[1]
        case 1:
            return at, at + 8
        case 2:
            size, content = varint(data, at)
            return content, content + size
        case 5:
            return at, at + 4
        case _:
            raise WireError(f"a field has the wire type {wire_type}, which OTLP never uses")


def starts_request(head: bytes, at: int, end: int | None) -> bool:
    """Whether an OTLP request may begin at a position and end at `end` (None: not known)."""
    try:
        if head[at : at + 1] != b"\n":
            return False
        size, content = varint(head, at + 1)
    except WireError:
        return False
    if end is not None and content + size > end:
        return False
    # A resource (1), a scope (2), a schema URL (3): nothing else is in the first message.
    return size == 0 or head[content : content + 1] in {b"\n", b"\x12", b"\x1a"}


def starts_delimited(head: bytes) -> bool:
    """Whether these bytes begin with a request's length and then the request.

    A request alone never passes: its first byte would be the length 10, and its first message,
    two bytes further in, would not fit into that.
    """
    try:
        size, at = varint(head, 0)
    except WireError:
        return False
    if size == 0:
        return len(head) > 1 and starts_delimited(head.lstrip(b"\0"))
    return starts_request(head, at, at + size)


def signal_of(request: bytes) -> Signal:
    """Which signal a request carries, told by its first record.

    The three requests have one skeleton (resources 1, scopes 2, records 2). A request without any
    record is called traces: nothing can come of it under any name.
    """
    whole = Field(0, _BYTES, 0, len(request))
    for resource in _messages(request, whole, 1):
        for scope in _messages(request, resource, 2):
            for record in _messages(request, scope, 2):
                if record.end > record.start:
                    return _record_signal(request, record)
    return Signal.TRACES


def _messages(data: bytes, parent: Field, number: int) -> Iterator[Field]:
    for field in fields(data, parent.start, parent.end):
        if field.number == number and field.wire_type == _BYTES:
            yield field


def _record_signal(data: bytes, record: Field) -> Signal:
    """A span has fixed times in 7 and 8; a metric has a name in 1, where a log record has none."""
    found = list(fields(data, record.start, record.end))
    types = {(field.number, field.wire_type) for field in found}
    if types & {(7, _FIXED64), (8, _FIXED64), (6, _VARINT)}:
        return Signal.TRACES
    if (1, _BYTES) not in types:
        return Signal.LOGS
    sizes = {field.number: field.end - field.start for field in found}
    has_ids = sizes[1] == 16 and sizes.get(2) == 8
    return Signal.TRACES if has_ids and not _has_points(data, found) else Signal.METRICS


def _has_points(data: bytes, found: list[Field]) -> bool:
    """Whether a record has a metric's data (5, 7, 9, 10, 11), which begins with a point's time."""
    for field in found:
        if field.number in {5, 7, 9, 10, 11} and field.wire_type == _BYTES:
            try:
                point = next(_messages(data, field, 1))
                types = {(f.number, f.wire_type) for f in fields(data, point.start, point.end)}
            except (StopIteration, WireError):
                continue
            if types & {(2, _FIXED64), (3, _FIXED64)}:
                return True
    return False
