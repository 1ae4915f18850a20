"""Protobuf and JSON written byte by byte, for what no encoder would write."""

import json
from typing import Any

IDS = b"\x0a\x10" + b"\1" * 16 + b"\x12\x08" + b"\1" * 8  # trace_id and span_id of a span


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field of a message."""
    size, varint = len(content), bytearray()
    while size > 0x7F:
        varint.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([number << 3 | 2, *varint, size]) + content


def traces_of(span: bytes) -> bytes:
    """A request with one span, of which the fields are given."""
    return field(1, field(2, field(2, span)))


def attribute(key: bytes, value: bytes) -> bytes:
    """An attribute of a span; `value` is an `AnyValue`."""
    return field(9, field(1, key) + field(2, value))


def nested_protobuf(levels: int, *, ids: bytes = IDS) -> bytes:
    """A span with an attribute in so many arrays; protobuf would not build them all."""
    value = b"\x18\x01"  # int_value: 1
    for _ in range(levels):
        value = field(5, field(1, value))
    return traces_of(ids + attribute(b"deep", value))


def traces_json(**members: Any) -> bytes:
    """A request with one span, of which the fields are given, but for its ids."""
    span = {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1"} | members
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


def nested_json(levels: int) -> bytes:
    """The same as OTLP/JSON."""
    value = '{"arrayValue":{"values":[' * levels + '{"intValue":1}' + "]}}" * levels
    body = traces_json(attributes=[{"key": "a", "value": "deep"}])
    return body.replace(b'"deep"', value.encode())
