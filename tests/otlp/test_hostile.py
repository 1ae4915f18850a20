"""Input that was made to break a decoder is refused with a sentence, or decoded and kept."""

import contextlib
import json
import os
import random
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.otlp import reference, requests
from tests.otlp.by_hand import nested_json, nested_protobuf
from tests.otlp.tables import rows

from tracejury.otlp.decode import Encoding, MalformedRequest, Signal, decode
from tracejury.otlp.json_columns import OBJECT_LIMIT
from tracejury.telemetry.batch import Batch

SPAN = {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1"}


def traces(**members: Any) -> bytes:
    return envelope([SPAN | members])


def envelope(spans: Any) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()


def from_json(body: bytes) -> Batch:
    return decode(Signal.TRACES, Encoding.JSON, [body])


def attribute(value: Any) -> bytes:
    return traces(attributes=[{"key": "a", "value": value}])


def attribute_of(body: bytes) -> tuple[str, str]:
    (row,) = from_json(body).span_attributes.to_pylist()
    return row["type"], row["value"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "input length is 0 at line 1, column 1"),
        (b"   ", "input data is empty"),
        (b"[]", r"something else than an object at \$\."),
        (b"null", "The body is null"),
        (b"5", r"something else than an object at \$\."),
        (b'{"resourceSpans":{}}', r"than a list at \$\.resourceSpans\."),
        (b'{"resource_spans":{}}', r"than a list at \$\.resource_spans\."),
        (b'{"resourceSpans":[5]}', r"than an object at \$\.resourceSpans\[\*\]\."),
        (b'{"resourceSpans":[{"scopeSpans":""}]}', "than a list at .*scopeSpans"),
        (envelope({}), "than a list at .*spans"),
        (envelope([SPAN, []]), r"than an object at .*spans\[\*\]"),
        (traces(attributes={"http.method": "GET"}), "than a list at .*attributes"),
        (traces(events=5), "than a list at .*events"),
        (traces(events=[{"attributes": {}}]), r"than a list at .*events\[\*\]\.attributes"),
        (traces(status="ERROR"), "than an object at .*status"),
        (attribute("GET"), r"than an object at .*attributes\[\*\]\.value"),
        (b'{"resourceSpans":\n [}', "unexpected character at line 2, column 3"),
        (b'{"resourceSpans":[', "at line 1, column 19"),
        (b'{"a":"\xff"}', "not valid UTF-8"),
        (b'{"a":"\\ud800"}', "surrogate"),
        (traces(startTimeUnixNano=-1), "out of range"),
        (traces(startTimeUnixNano=2**64), "out of range"),
        (traces(startTimeUnixNano="9" * 5000), "no integer"),
        (traces(startTimeUnixNano=1.5), "no integer"),
        (traces(startTimeUnixNano="soon"), "no number"),
        (traces(startTimeUnixNano=[1]), "no number"),
        (traces(kind="SPAN_KIND_OTHER"), "no number"),
        (attribute({"boolValue": "maybe"}), "neither true nor false"),
        (attribute({"intValue": 2**63}), "out of range"),
        (attribute({"doubleValue": "much"}), "no number"),
        (attribute({"bytesValue": "?"}), "no base64"),
        (attribute({"arrayValue": {"values": 5}}), "no list"),
        (attribute({"arrayValue": {"values": [5]}}), "where an object belongs"),
        (attribute({"kvlistValue": {"values": [{"key": "k", "value": []}]}}), "object belongs"),
        (attribute({"arrayValue": {"values": [{"intValue": 2**63}]}}), "out of range"),
    ],
)
def test_json_that_is_no_request_is_refused_with_a_sentence(body: bytes, sentence: str) -> None:
    with pytest.raises(MalformedRequest, match=sentence) as refusal:
        from_json(body)
    assert refusal.value.message.endswith(".")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"stringValue": "a\0b"}, ("string", "a\0b")),
        ({"string_value": "x"}, ("string", "x")),
        ({"intValue": "7"}, ("int", "7")),
        ({"intValue": 7}, ("int", "7")),
        ({"intValue": -(2**63)}, ("int", str(-(2**63)))),
        ({"intValue": 1.5e3}, ("int", "1500")),
        ({"boolValue": False}, ("bool", "false")),
        ({"doubleValue": 1}, ("double", "1")),
        ({"doubleValue": "NaN"}, ("double", "NaN")),
        ({"doubleValue": "-Infinity"}, ("double", "-Infinity")),
        ({"bytesValue": "_-8"}, ("bytes", "/+8=")),
        ({}, ("empty", None)),
        (None, ("empty", None)),
        ({"stringValue": None}, ("empty", None)),
        ({"arrayValue": {}}, ("array", "[]")),
        ({"kvlistValue": {"values": None}}, ("kvlist", "{}")),
        ({"arrayValue": {"values": [{}, {"doubleValue": 1}]}}, ("array", '[{"$empty":true},1.0]')),
    ],
)
def test_every_spelling_of_a_value_is_read(value: Any, expected: tuple[str, str]) -> None:
    assert attribute_of(attribute(value)) == expected


def test_what_json_leaves_open_is_taken_as_it_comes() -> None:
    body = b'\xef\xbb\xbf{"resourceSpans":[null,{"scopeSpans":[null,{"spans":[null]}]}],"x":[{}]}'
    assert from_json(body).rejections.to_pylist() == [
        {
            "request": 0,
            "rejected": 1,
            "reason": "1 of 1 span left out: "
            "1 without a trace_id of 16 bytes that are not all zero.",
        }
    ]


def test_the_first_of_repeated_keys_counts() -> None:
    body = traces(name="first").replace(b'"first"', b'"first","name":"second"')
    assert from_json(body).spans["name"].to_pylist() == ["first"]
    twice = b'{"arrayValue":{"values":[{"intValue":1,"intValue":2}]}}'
    assert attribute_of(attribute("v").replace(b'"v"', twice)) == ("array", "[1]")


def test_ids_are_hexadecimal_of_either_case() -> None:
    link = {"traceId": "ABCD", "spanId": "0x"}
    decoded = from_json(traces(traceId="aB" * 16, spanId="Ff" * 8, links=[link, {}]))
    (span,) = decoded.spans.to_pylist()
    assert (span["trace_id"], span["span_id"]) == (b"\xab" * 16, 2**64 - 1)
    assert decoded.links["trace_id"].to_pylist() == [b"\xab\xcd", b""]
    assert decoded.links["span_id"].to_pylist() == [b"", b""]


@pytest.mark.parametrize(
    "trace_id", ["", "0" * 32, "1" * 30, "1" * 34, "g" * 32, "1" * 31, None, 5, "é" * 16]
)
def test_a_span_whose_trace_id_is_none_is_left_out_and_counted(trace_id: Any) -> None:
    decoded = from_json(envelope([SPAN, SPAN | {"traceId": trace_id}]))
    assert decoded.spans.num_rows == 1
    assert decoded.rejections["rejected"].to_pylist() == [1]


@pytest.mark.parametrize("levels", [1, 46, 47])
def test_a_value_may_be_nested_as_deep_as_protobuf_reads(levels: int) -> None:
    expected = "[" * levels + "1" + "]" * levels
    ExportTraceServiceRequest.FromString(nested_protobuf(levels))
    for encoding, body in (
        (Encoding.PROTOBUF, nested_protobuf(levels)),
        (Encoding.JSON, nested_json(levels)),
    ):
        decoded = decode(Signal.TRACES, encoding, [body])
        assert decoded.span_attributes["value"].to_pylist() == [expected]


@pytest.mark.parametrize("levels", [48, 49, 50, 51, 60, 200, 2000])
def test_a_protobuf_value_nested_deeper_is_refused(levels: int) -> None:
    with pytest.raises(DecodeError):
        ExportTraceServiceRequest.FromString(nested_protobuf(levels))
    with pytest.raises(MalformedRequest):
        decode(Signal.TRACES, Encoding.PROTOBUF, [nested_protobuf(levels)])


@pytest.mark.parametrize("levels", [48, 60, 200, 2000, 100_000])
def test_a_json_value_nested_deeper_is_refused(levels: int) -> None:
    with pytest.raises(MalformedRequest, match="nested deeper than 47 levels"):
        from_json(nested_json(levels))


def test_a_body_of_nothing_but_objects_is_refused_before_it_fills_the_memory() -> None:
    objects = b"{}," * OBJECT_LIMIT
    with pytest.raises(MalformedRequest, match="more than 4,194,304 objects"):
        from_json(b'{"resourceSpans":[' + objects + b"{}]}")


def test_depth_outside_of_what_is_read_is_no_matter() -> None:
    body = traces(name="n").replace(b'"n"', b'"n","other":' + b"[" * 2000 + b"]" * 2000)
    assert from_json(body).spans["name"].to_pylist() == ["n"]


def test_truncated_protobuf_is_refused_or_read_as_protobuf_reads_it() -> None:
    whole = requests.busy_request(2).SerializeToString()
    for size in range(len(whole)):
        _same_as_protobuf(whole[:size])


def test_damaged_protobuf_is_refused_or_read_as_protobuf_reads_it() -> None:
    whole = requests.busy_request(2).SerializeToString()
    chance = random.Random(1)
    for _ in range(500):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(whole))] = chance.randrange(256)
        _same_as_protobuf(bytes(damaged))


def test_garbage_is_refused_or_read_without_a_crash() -> None:
    for size in range(1, 200):
        garbage = os.urandom(size)
        for encoding in Encoding:
            with contextlib.suppress(MalformedRequest):
                decode(Signal.TRACES, encoding, [garbage])


def _same_as_protobuf(body: bytes) -> None:
    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        # Where damage makes a group, which OTLP never has, the decoder may be the more lenient.
        with contextlib.suppress(MalformedRequest):
            decode(Signal.TRACES, Encoding.PROTOBUF, [body])
        return
    decoded = decode(Signal.TRACES, Encoding.PROTOBUF, [body])
    assert rows(decoded) == reference.rows_of_traces([request])
