"""Decoding says of a request what protobuf's own classes say, from either encoding."""

import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.otlp import metric_requests, reference, requests
from tests.otlp.metric_reference import rows_of_metrics
from tests.otlp.tables import rows

from tracejury.otlp.decode import Encoding, MalformedRequest, Signal, decode
from tracejury.telemetry import batch
from tracejury.telemetry.batch import Batch

slow = settings(
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=settings().max_examples // 5,
)

SCHEMAS = {
    "resources": batch.RESOURCES,
    "scopes": batch.SCOPES,
    "spans": batch.SPANS,
    "events": batch.EVENTS,
    "links": batch.LINKS,
    "logs": batch.LOGS,
    "rejections": batch.REJECTIONS,
    "metrics": batch.METRICS,
    "points": batch.POINTS,
    "exemplars": batch.EXEMPLARS,
    "alerts": batch.ALERTS,
}


@given(st.lists(requests.trace_requests(requests.any_spans), max_size=3))
@slow
def test_spans_from_protobuf_are_as_the_reference_says(sent: Sequence[Any]) -> None:
    bodies = [request.SerializeToString() for request in sent]
    decoded = decode(Signal.TRACES, Encoding.PROTOBUF, bodies)
    assert decoded.requests == len(sent)
    assert rows(decoded) == reference.rows_of_traces(sent)


@given(
    st.lists(requests.trace_requests(requests.any_spans), max_size=3), st.booleans(), st.booleans()
)
@slow
def test_spans_from_json_are_as_the_reference_says(
    sent: Sequence[Any], snake: bool, enum_numbers: bool
) -> None:
    bodies = [requests.as_json(r, snake=snake, enum_numbers=enum_numbers) for r in sent]
    decoded = decode(Signal.TRACES, Encoding.JSON, bodies)
    assert decoded.requests == len(sent)
    assert rows(decoded) == reference.rows_of_traces(sent)


@given(st.lists(requests.log_requests(), max_size=3), st.booleans(), st.booleans())
@slow
def test_logs_are_as_the_reference_says(
    sent: Sequence[Any], snake: bool, enum_numbers: bool
) -> None:
    expected = reference.rows_of_logs(sent)
    bodies = [request.SerializeToString() for request in sent]
    assert rows(decode(Signal.LOGS, Encoding.PROTOBUF, bodies)) == expected
    bodies = [requests.as_json(r, snake=snake, enum_numbers=enum_numbers) for r in sent]
    assert rows(decode(Signal.LOGS, Encoding.JSON, bodies)) == expected


@given(st.lists(metric_requests.metric_requests(), max_size=3), st.booleans(), st.booleans())
@slow
def test_metrics_are_as_the_reference_says(
    sent: Sequence[Any], snake: bool, enum_numbers: bool
) -> None:
    expected = rows_of_metrics(sent)
    bodies = [request.SerializeToString() for request in sent]
    assert rows(decode(Signal.METRICS, Encoding.PROTOBUF, bodies)) == expected
    bodies = [requests.as_json(r, snake=snake, enum_numbers=enum_numbers) for r in sent]
    assert rows(decode(Signal.METRICS, Encoding.JSON, bodies)) == expected


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("signal", Signal)
def test_every_table_has_its_schema(signal: Signal, encoding: Encoding) -> None:
    body = b"{}" if encoding is Encoding.JSON else b""
    for bodies in ([], [body]):
        decoded = decode(signal, encoding, bodies)
        for field in fields(Batch):
            if field.name != "requests":
                schema = SCHEMAS.get(field.name, batch.ATTRIBUTES)
                assert getattr(decoded, field.name).schema == schema


def _python_calls(work: Callable[[], object]) -> int:
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize(
    ("signal", "busy"),
    [(Signal.TRACES, requests.busy_request), (Signal.METRICS, metric_requests.busy_request)],
)
def test_ten_times_the_records_take_no_more_python_calls(
    signal: Signal, busy: Callable[[int], Any], encoding: Encoding
) -> None:
    def body(count: int) -> bytes:
        if encoding is Encoding.JSON:
            return requests.as_json(busy(count))
        return busy(count).SerializeToString()  # type: ignore[no-any-return]

    small, large = body(512), body(5120)
    decode(signal, encoding, [small])  # what is done once per process
    few = _python_calls(lambda: decode(signal, encoding, [small]))
    many = _python_calls(lambda: decode(signal, encoding, [large]))
    assert many <= few + 5


@pytest.mark.parametrize("encoding", Encoding)
def test_threads_decode_at_once(encoding: Encoding) -> None:
    request = requests.busy_request(200)
    body = request.SerializeToString()
    if encoding is Encoding.JSON:
        body = requests.as_json(request)
    expected = decode(Signal.TRACES, encoding, [body])
    wrong: list[int] = []

    def work(number: int) -> None:
        results = [decode(Signal.TRACES, encoding, [body]) for _ in range(5)]
        wrong.extend(number for result in results if result != expected)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_bad_request_is_named_by_its_position() -> None:
    good = requests.busy_request(3)
    for encoding, body in (
        (Encoding.PROTOBUF, good.SerializeToString()),
        (Encoding.JSON, requests.as_json(good)),
    ):
        with pytest.raises(MalformedRequest) as refusal:
            decode(Signal.TRACES, encoding, [body, body, body[:-2], body])
        assert refusal.value.request == 2
