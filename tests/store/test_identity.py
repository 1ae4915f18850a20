"""What is a duplicate, and what only looks like one."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.otlp import metric_requests, requests
from tests.store.stores import contents_of, counts
from tests.workflow import drawn
from tests.workflow.drawn import Event, Log, Record, Span

from tracejury.otlp.decode import Encoding, Signal, decode
from tracejury.store.content_hash import ContentHashes
from tracejury.store.contents import Committed
from tracejury.store.reader import Reader
from tracejury.store.writer import Store
from tracejury.telemetry.batch import Batch

few = settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow], derandomize=True)

SPAN = Span(1, attributes={"a": "1"}, events=[Event("e", {"k": "v"})], links=[(2, 2)])


def batch_of(*records: Record) -> Batch:
    [(signal, body)] = drawn.requests(records)
    return decode(signal, Encoding.PROTOBUF, [body])


def commit(store: Store, *batches: Batch) -> list[Committed]:
    return store.commit(batches, received_ns=drawn.RECEIVED_NS, source="test")


def stored_counts(store: Store) -> tuple[int, int]:
    with Reader.of(store) as reader:
        return counts(reader)


@few
@given(
    requests.trace_requests(requests.any_spans, least=1),
    requests.log_requests(least=1),
    metric_requests.metric_requests(least=1),
)
def test_json_and_protobuf_have_the_same_identity(
    traces: ExportTraceServiceRequest,
    logs: ExportLogsServiceRequest,
    metrics: ExportMetricsServiceRequest,
) -> None:
    store = Store.in_memory()
    sent = {Signal.TRACES: traces, Signal.LOGS: logs, Signal.METRICS: metrics}
    for signal, request in sent.items():
        commit(store, decode(signal, Encoding.PROTOBUF, [request.SerializeToString()]))
    before = contents_of(store)
    for signal, request in sent.items():
        [again] = commit(store, decode(signal, Encoding.JSON, [requests.as_json(request)]))
        assert again.stored == 0
        assert again.duplicates == again.received - again.rejected
    assert contents_of(store) == before
    store.close()


def test_an_equal_span_is_dropped_and_counted() -> None:
    store = Store.in_memory()
    assert commit(store, batch_of(SPAN, SPAN)) == [Committed(2, 1, 1, 0)]
    assert commit(store, batch_of(SPAN)) == [Committed(1, 0, 1, 0)]
    with Reader.of(store) as reader:
        for view in ("resource", "span"):
            reader.derive(view)
        assert reader.rows("SELECT span_id, duplicates FROM span") == [
            {"span_id": "0000000000000001", "duplicates": 2}
        ]
        assert reader.value("SELECT sum(duplicates) FROM stored.delivery") == 2


def test_duplicates_are_known_across_restarts(tmp_path: Path) -> None:
    path = tmp_path / "run.duckdb"
    log = Log("once", trace=1, span=1)
    for expected in ([1, 0], [0, 1], [0, 1]):
        with Store.open(path) as store:
            for record in (SPAN, log):
                [done] = commit(store, batch_of(record))
                assert [done.stored, done.duplicates] == expected
    with Reader.open(path) as reader:
        assert counts(reader) == (1, 1)


def variants() -> Sequence[Span]:
    return [
        replace(SPAN, name="other"),
        replace(SPAN, end_ms=11),
        replace(SPAN, start_ms=1),
        replace(SPAN, parent=9),
        replace(SPAN, kind="CLIENT"),
        replace(SPAN, status="ERROR"),
        replace(SPAN, message="why"),
        replace(SPAN, flags=0x100),
        replace(SPAN, trace_state="a=b"),
        replace(SPAN, dropped_attributes=1),
        replace(SPAN, attributes={"a": "2"}),
        replace(SPAN, attributes={"b": "1"}),
        replace(SPAN, attributes={"a": 1}),
        replace(SPAN, attributes={}),
        replace(SPAN, events=[Event("e", {"k": "w"})]),
        replace(SPAN, events=[Event("e", {"k": "v"}), Event("e", {"k": "v"})]),
        replace(SPAN, events=[]),
        replace(SPAN, links=[(2, 3)]),
        replace(SPAN, links=[]),
        replace(SPAN, service="other"),
        replace(SPAN, resource={"service.instance.id": "b"}),
    ]


def test_equal_ids_with_other_content_are_kept() -> None:
    store = Store.in_memory()
    every = [SPAN, *variants()]
    assert commit(store, batch_of(*every)) == [Committed(len(every), len(every), 0, 0)]
    [again] = commit(store, batch_of(*reversed(every)))
    assert again.duplicates == len(every)
    assert stored_counts(store) == (len(every), 0)


def test_the_order_of_attributes_is_no_other_content() -> None:
    store = Store.in_memory()
    commit(store, batch_of(replace(SPAN, attributes={"a": "1", "b": "2"})))
    [again] = commit(store, batch_of(replace(SPAN, attributes={"b": "2", "a": "1"})))
    assert again == Committed(1, 0, 1, 0)


def test_log_records_repeat_inside_a_request_and_mean_it() -> None:
    store = Store.in_memory()
    assert commit(store, batch_of(Log("tick"), Log("tick"))) == [Committed(2, 2, 0, 0)]
    assert commit(store, batch_of(Log("tick"), Log("tick"))) == [Committed(2, 0, 2, 0)]
    assert commit(store, batch_of(Log("tick"), Log("tock"))) == [Committed(2, 1, 1, 0)]
    assert stored_counts(store) == (0, 3)


def test_the_requests_of_one_batch_are_earlier_and_later() -> None:
    [(_, body)] = drawn.requests([Log("tick"), Log("tick")])
    store = Store.in_memory()
    together = decode(Signal.LOGS, Encoding.PROTOBUF, [body, body])
    assert commit(store, together) == [Committed(4, 2, 2, 0)]


def test_several_batches_share_a_commit_and_are_counted_apart() -> None:
    store = Store.in_memory()
    done = commit(
        store,
        batch_of(SPAN, Span(2)),
        batch_of(Log("tick"), Log("tick")),
        batch_of(Span(2), Span(3), Span(0)),
        batch_of(Log("tick"), Log("tock")),
    )
    assert done == [
        Committed(2, 2, 0, 0),
        Committed(2, 2, 0, 0),
        Committed(3, 1, 1, 1),
        Committed(2, 1, 1, 0),
    ]
    with Reader.of(store) as reader:
        delivered: list[dict[str, Any]] = reader.rows("""
            SELECT signal, sum(received)::BIGINT AS received, sum(stored)::BIGINT AS stored,
                sum(duplicates)::BIGINT AS duplicates, sum(rejected)::BIGINT AS rejected
            FROM stored.delivery
            GROUP BY signal
            ORDER BY signal DESC
        """)
    assert [tuple(row.values()) for row in delivered] == [
        ("traces", 5, 3, 1, 1),
        ("logs", 4, 3, 1, 0),
    ]


def test_attributes_events_and_links_stay_with_their_span() -> None:
    store = Store.in_memory()
    spans = [
        Span(n, attributes={"n": str(n)}, events=[Event(f"e{n}", {"n": str(n)})], links=[(n, n)])
        for n in range(1, 6)
    ]
    commit(store, batch_of(*spans[:2]), batch_of(*spans[1:4]))
    commit(store, batch_of(spans[0], spans[4], spans[3]))
    with Reader.of(store) as reader:
        for view in ("resource", "span_attribute", "span_event", "span_link"):
            reader.derive(view)
        rows = reader.rows("""
            SELECT attribute.span_id, attribute.value, event.name, event.attributes,
                link.linked_span_id
            FROM span_attribute AS attribute
            JOIN span_event AS event USING (span_no)
            JOIN span_link AS link USING (span_no)
            ORDER BY span_id
        """)
    assert [tuple(row.values()) for row in rows] == [
        (drawn.span_id(n), str(n), f"e{n}", f'{{"n":"{n}"}}', drawn.span_id(n)) for n in range(1, 6)
    ]


def changed(request: ExportMetricsServiceRequest, change: Callable[[Any], object]) -> bytes:
    """The request, with its histogram's only point changed."""
    other = ExportMetricsServiceRequest()
    other.CopyFrom(request)
    change(other.resource_metrics[0].scope_metrics[0].metrics[0].histogram.data_points[0])
    return other.SerializeToString()


def test_a_metrics_request_sent_again_is_dropped_and_counted() -> None:
    body = metric_requests.busy_request(9).SerializeToString()
    batch = decode(Signal.METRICS, Encoding.PROTOBUF, [body])
    store = Store.in_memory()
    assert commit(store, batch) == [Committed(9, 9, 0, 0)]
    assert commit(store, batch, batch) == [Committed(9, 0, 9, 0)] * 2
    with Reader.of(store) as reader:
        [counted] = reader.rows("SELECT sum(duplicates)::INT AS again FROM stored.delivery")
        assert counted == {"again": 18}
    store.close()


def test_equal_points_within_one_request_are_kept() -> None:
    request = metric_requests.busy_request(1)
    points = request.resource_metrics[0].scope_metrics[0].metrics[1].histogram.data_points
    points.add().CopyFrom(points[0])
    batch = decode(Signal.METRICS, Encoding.PROTOBUF, [request.SerializeToString()])
    store = Store.in_memory()
    assert commit(store, batch) == [Committed(2, 2, 0, 0)]
    store.close()


def test_points_that_differ_in_anything_are_different() -> None:
    request = metric_requests.busy_request(1)
    del request.resource_metrics[0].scope_metrics[0].metrics[0]
    changes: list[Callable[[Any], object]] = [
        lambda point: None,
        lambda point: point.bucket_counts.reverse(),
        lambda point: point.bucket_counts.append(0),
        lambda point: point.explicit_bounds.pop(),
        lambda point: setattr(point, "sum", 1e-300),
        lambda point: point.ClearField("sum"),
        lambda point: point.exemplars.pop(),
        lambda point: setattr(point.exemplars[0], "as_int", 0),
        lambda point: point.exemplars[0].filtered_attributes.add(key="k"),
        lambda point: point.attributes.add(key="k"),
        lambda point: setattr(point, "flags", 1),
        lambda point: setattr(point, "start_time_unix_nano", 1),
    ]
    bodies = [changed(request, change) for change in changes]
    store = Store.in_memory()
    [committed] = commit(store, decode(Signal.METRICS, Encoding.PROTOBUF, bodies))
    assert committed == Committed(len(changes), len(changes), 0, 0)
    store.close()


def test_values_that_are_all_missing_have_a_hash() -> None:
    nothing = pa.array([None, None], pa.string()).dictionary_encode()
    assert not len(nothing.dictionary)
    hashes = ContentHashes({"values": pa.table({"value": nothing})}).rows("values")
    assert hashes[0] == hashes[1]
