"""Attributes that are written otherwise than any exporter does are read as protobuf reads them."""

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.otlp import reference
from tests.otlp.tables import rows

from tracejury.otlp.decode import Encoding, Signal, decode

KEY = b"\x0a\x01k"


def value(content: bytes) -> bytes:
    return b"\x12" + bytes([len(content)]) + content


STRING = value(b"\x0a\x02ab")

UNUSUAL = {
    "value before key": STRING + KEY,
    "no key": STRING,
    "no value": KEY,
    "empty value": KEY + value(b""),
    "nothing": b"",
    "key twice": KEY + b"\x0a\x01j" + STRING,
    "value twice": KEY + STRING + value(b"\x18\x07"),
    "two kinds in one value": KEY + value(b"\x0a\x02ab\x18\x07"),
    "unknown field after the value": KEY + STRING + b"\x78\x01",
    "unknown field in the value": KEY + value(b"\x78\x01\x0a\x02ab"),
    "length in two bytes without need": b"\x0a\x81\x00k" + STRING,
    "length in three bytes": b"\x0a\x81\x80\x00k" + STRING,
    "bool above one": KEY + value(b"\x10\x05"),
    "bool in two bytes": KEY + value(b"\x10\x81\x00"),
    "integer in two bytes without need": KEY + value(b"\x18\x81\x00"),
    "lowest integer": KEY + value(b"\x18" + b"\x80" * 9 + b"\x01"),
    "minus one": KEY + value(b"\x18" + b"\xff" * 9 + b"\x01"),
    "double": KEY + value(b"\x21" + bytes(6) + b"\xf0\x3f"),
    "text of 200 bytes": KEY + b"\x12\xcb\x01\x0a\xc8\x01" + b"x" * 200,
    "text of 20 KiB": KEY + b"\x12\x84\xa0\x01\x0a\x80\xa0\x01" + b"x" * 20_480,
    "bytes": KEY + value(b"\x3a\x02\xff\xfe"),
}


def length(size: int) -> bytes:
    return bytes([size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14])


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + length(len(content)) + content


def request(*attributes: bytes) -> bytes:
    ids = field(1, b"\1" * 16) + field(2, b"\1" * 8)
    span = ids + b"".join(field(9, attribute) for attribute in attributes)
    return field(1, field(2, field(2, span)))


@pytest.mark.parametrize("name", UNUSUAL)
def test_an_unusual_attribute_is_read_as_protobuf_reads_it(name: str) -> None:
    body = request(KEY + STRING, UNUSUAL[name], KEY + value(b"\x18\x07"))
    expected = reference.rows_of_traces([ExportTraceServiceRequest.FromString(body)])
    assert rows(decode(Signal.TRACES, Encoding.PROTOBUF, [body])) == expected


def test_usual_and_unusual_attributes_keep_their_order() -> None:
    body = request(*UNUSUAL.values(), *reversed(UNUSUAL.values()))
    expected = reference.rows_of_traces([ExportTraceServiceRequest.FromString(body)])
    assert rows(decode(Signal.TRACES, Encoding.PROTOBUF, [body])) == expected
