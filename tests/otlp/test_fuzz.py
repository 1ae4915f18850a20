"""Damaged requests are refused with a sentence, or read as protobuf and JSON say; nothing crashes.

`make soak` runs this for minutes.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.otlp import metric_requests, reference, requests
from tests.otlp.metric_reference import rows_of_metrics
from tests.otlp.reference import Rows
from tests.otlp.tables import rows

from tracejury.otlp.decode import Encoding, MalformedRequest, Signal, decode

fuzz = settings(
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=settings().max_examples // 8,
)


class Kind(NamedTuple):
    """The requests of a signal, protobuf's class of them, and what reading them must give."""

    requests: st.SearchStrategy[Any]
    official: Any
    rows_of: Callable[[Sequence[Any]], Rows]


KINDS = {
    Signal.TRACES: Kind(
        requests.trace_requests(requests.any_spans),
        ExportTraceServiceRequest,
        reference.rows_of_traces,
    ),
    Signal.LOGS: Kind(requests.log_requests(), ExportLogsServiceRequest, reference.rows_of_logs),
    Signal.METRICS: Kind(
        metric_requests.metric_requests(), ExportMetricsServiceRequest, rows_of_metrics
    ),
}
signals = pytest.mark.parametrize("signal", Signal)


def damaged(data: st.DataObject, body: bytes) -> bytes:
    """A body of which some places were overwritten, cut out, repeated, or filled with others."""
    for _ in range(data.draw(st.integers(1, 4))):
        place = st.integers(0, len(body))
        begin, end = sorted(data.draw(st.tuples(place, place)))
        put = data.draw(st.binary(min_size=1, max_size=4))
        body = data.draw(
            st.sampled_from(
                [
                    body[:begin] + put + body[begin + len(put) :],
                    body[:begin] + put + body[begin:],
                    body[:begin] + body[end:],
                    body[:end] + body[begin:end] + body[end:],
                    body[begin:end] + body,
                    body[:end],
                ]
            )
        )
    return body


@signals
@given(data=st.data())
@fuzz
def test_damaged_protobuf_is_refused_or_read_as_protobuf_reads_it(
    signal: Signal, data: st.DataObject
) -> None:
    kind = KINDS[signal]
    body = damaged(data, data.draw(kind.requests).SerializeToString())
    try:
        expected = kind.rows_of([kind.official.FromString(body)])
    except DecodeError:
        # Where damage makes a group, which OTLP never has, the decoder may be the more lenient.
        check_refusal(signal, Encoding.PROTOBUF, body)
        return
    assert rows(decode(signal, Encoding.PROTOBUF, [body])) == expected


def check_refusal(signal: Signal, encoding: Encoding, body: bytes) -> bool:
    """Whether it is refused; that is said in a sentence, and which of several requests it was."""
    empty = b"" if encoding is Encoding.PROTOBUF else b"{}"
    try:
        decode(signal, encoding, [empty, body, empty])
    except MalformedRequest as error:
        refusal = error
    else:
        return False
    assert refusal.request == 1
    assert refusal.message.endswith(".")
    return True


@signals
@given(data=st.data())
@fuzz
def test_damaged_json_is_refused_or_read(signal: Signal, data: st.DataObject) -> None:
    body = damaged(data, requests.as_json(data.draw(KINDS[signal].requests)))
    is_refused = check_refusal(signal, Encoding.JSON, body)
    try:
        json.loads(body.decode())
    except ValueError:
        assert is_refused


ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 2**63, 2**64, 1.5, 1e400, "", "x", "NaN", [], [[]], {}, [{}], {"values": 1}]
)


@signals
@given(data=st.data())
@fuzz
def test_json_of_another_shape_is_refused_or_read(signal: Signal, data: st.DataObject) -> None:
    tree = json.loads(requests.as_json(data.draw(KINDS[signal].requests)))
    for _ in range(data.draw(st.integers(1, 3))):
        holders = [node for node in nodes(tree) if node]
        if holders:
            holder = data.draw(st.sampled_from(holders))
            at = data.draw(
                st.sampled_from(list(holder if isinstance(holder, dict) else range(len(holder))))
            )
            holder[at] = data.draw(ODD)
    check_refusal(signal, Encoding.JSON, json.dumps(tree).encode())


def nodes(tree: Any) -> list[Any]:
    """The objects and lists of a JSON value."""
    found, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict | list):
            found.append(node)
            waiting += node.values() if isinstance(node, dict) else node
    return found


@signals
@given(data=st.data())
@fuzz
def test_json_that_says_the_same_otherwise_is_read_the_same(
    signal: Signal, data: st.DataObject
) -> None:
    """Keys in another order and unknown ones, ids in capitals, integers as numbers."""
    request = data.draw(KINDS[signal].requests)
    tree = json.loads(requests.as_json(request))
    for node in nodes(tree):
        if isinstance(node, dict):
            disguise(data, node)
    body = json.dumps(
        tree, ensure_ascii=data.draw(st.booleans()), indent=data.draw(st.none() | st.just(1))
    )
    decoded = decode(signal, Encoding.JSON, [body.encode()])
    assert rows(decoded) == KINDS[signal].rows_of([request])


def disguise(data: st.DataObject, node: dict[str, Any]) -> None:
    members = data.draw(st.permutations(list(node.items())))
    node.clear()
    for name, content in members:
        node[name] = content
        if name.endswith("Id") and data.draw(st.booleans()):
            node[name] = content.upper()
        if name == "intValue" and data.draw(st.booleans()):
            node[name] = int(content)
        if data.draw(st.integers(0, 9)) == 0:
            node[data.draw(st.sampled_from(["other", "traceID", "", "value2"]))] = data.draw(ODD)
