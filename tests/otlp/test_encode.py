"""What is written as OTLP/JSON lines reads back as the same batch."""

import json
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.otlp import metric_requests, requests
from tests.otlp.tables import rows

from tracejury.otlp.decode import Encoding, Signal, decode
from tracejury.otlp.encode import encode_json_lines
from tracejury.otlp.encode_values import attributes_of
from tracejury.telemetry import batch as layout

slow = settings(
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=settings().max_examples // 5,
)


@given(st.lists(requests.trace_requests(requests.whole_spans, least=1), max_size=3))
@slow
def test_spans_survive_the_round_trip(sent: list[Any]) -> None:
    bodies = [request.SerializeToString() for request in sent]
    batch = decode(Signal.TRACES, Encoding.PROTOBUF, bodies)
    lines = [line.encode() for line in encode_json_lines(batch)]
    assume(len(lines) == batch.requests)  # a request without records leaves no line
    assert rows(decode(Signal.TRACES, Encoding.JSON, lines)) == rows(batch)


@given(st.lists(requests.log_requests(least=1), min_size=1, max_size=3))
@slow
def test_logs_survive_the_round_trip(sent: list[Any]) -> None:
    bodies = [request.SerializeToString() for request in sent]
    batch = decode(Signal.LOGS, Encoding.PROTOBUF, bodies)
    lines = [line.encode() for line in encode_json_lines(batch)]
    assume(len(lines) == batch.requests)
    assert rows(decode(Signal.LOGS, Encoding.JSON, lines)) == rows(batch)


@given(st.lists(metric_requests.metric_requests(least=1), min_size=1, max_size=3))
@slow
def test_metrics_survive_the_round_trip(sent: list[Any]) -> None:
    bodies = [request.SerializeToString() for request in sent]
    batch = decode(Signal.METRICS, Encoding.PROTOBUF, bodies)
    lines = [line.encode() for line in encode_json_lines(batch)]
    assume(len(lines) == batch.requests)
    assert rows(decode(Signal.METRICS, Encoding.JSON, lines)) == rows(batch)


def test_a_request_is_one_line_however_large() -> None:
    bodies = [requests.busy_request(size).SerializeToString() for size in (513, 1)]
    batch = decode(Signal.TRACES, Encoding.PROTOBUF, bodies)
    lines = list(encode_json_lines(batch))
    assert len(lines) == 2
    again = decode(Signal.TRACES, Encoding.JSON, [line.encode() for line in lines])
    assert rows(again) == rows(batch)


def test_a_line_is_otlp_json_as_the_specification_writes_it() -> None:
    (line,) = encode_json_lines(
        decode(Signal.TRACES, Encoding.PROTOBUF, [requests.busy_request(1).SerializeToString()])
    )
    (span,) = json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert span["traceId"] == "0" * 31 + "1"
    assert span["startTimeUnixNano"] == "1700000000000000000"
    assert {"key": "size", "value": {"intValue": "0"}} in span["attributes"]
    assert {"key": "hit", "value": {"boolValue": True}} in span["attributes"]
    assert "parentSpanId" not in span


def test_attributes_of_several_parts_are_each_told_by_their_own_words() -> None:
    table = pa.concat_tables(
        pa.table([owner, key, kind, value], layout.ATTRIBUTES)
        for owner, key, kind, value in (
            ([0, 0, 2], ["a", "b", "a"], ["string", "int", "string"], ["x", "1", "x"]),
            ([2, 3, 3], ["c", "b", "a"], ["bool", "empty", "string"], ["true", None, "y"]),
        )
    )
    assert table["key"].num_chunks == 2
    found = attributes_of(table)
    assert dict(found) == {
        0: [{"key": "a", "value": {"stringValue": "x"}}, {"key": "b", "value": {"intValue": "1"}}],
        2: [
            {"key": "a", "value": {"stringValue": "x"}},
            {"key": "c", "value": {"boolValue": True}},
        ],
        3: [{"key": "b", "value": {}}, {"key": "a", "value": {"stringValue": "y"}}],
    }
    assert found[0][0] is found[2][0]  # made once, for there may be millions
