"""What is written as OTLP/JSON lines reads back as the same batch."""

import json
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.otlp import metric_requests, requests
from tests.otlp.tables import rows

from tracejury.otlp.decode import Encoding, Signal, decode
from tracejury.otlp.encode import encode_json_lines

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
