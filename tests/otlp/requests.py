"""OTLP requests for tests: generated ones with every oddity, and them again as OTLP/JSON."""

import base64
import json
from typing import Any

from google.protobuf.json_format import MessageToDict
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

_ID_NAMES = {"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"}

texts = st.text(max_size=8)
uint32 = st.integers(0, 2**32 - 1)
uint64 = st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 2**63, 2**64 - 1])
int32 = st.integers(-(2**31), 2**31 - 1)
kinds = st.integers(0, 5) | st.just(99) | int32
keys = texts | st.sampled_from(["a", "b", "$bytes", "$kvlist", "service.name"])


def ids(size: int) -> st.SearchStrategy[bytes]:
    whole = st.binary(min_size=size, max_size=size)
    odd = st.sampled_from([b"", bytes(size), b"\1" * (size - 1), b"\1" * (size + 1)])
    return whole | whole | odd


leaves = st.one_of(
    st.just(AnyValue()),
    st.builds(AnyValue, string_value=texts),
    st.builds(AnyValue, bool_value=st.booleans()),
    st.builds(AnyValue, int_value=st.integers(-(2**63), 2**63 - 1)),
    st.builds(AnyValue, double_value=st.floats()),
    st.builds(AnyValue, bytes_value=st.binary(max_size=6)),
)


def _lists(values: st.SearchStrategy[AnyValue]) -> st.SearchStrategy[AnyValue]:
    entries = st.lists(st.builds(KeyValue, key=keys, value=values), max_size=4)
    return st.one_of(
        st.builds(AnyValue, array_value=st.builds(ArrayValue, values=st.lists(values, max_size=4))),
        st.builds(AnyValue, kvlist_value=st.builds(KeyValueList, values=entries)),
    )


values = st.recursive(leaves, _lists, max_leaves=6)
attributes = st.lists(
    st.builds(KeyValue, key=keys, value=values) | st.builds(KeyValue, key=keys), max_size=3
)
resources = st.builds(Resource, attributes=attributes, dropped_attributes_count=uint32)
scopes = st.builds(
    InstrumentationScope,
    name=texts,
    version=texts,
    attributes=attributes,
    dropped_attributes_count=uint32,
)
events = st.builds(
    Span.Event,
    time_unix_nano=uint64,
    name=texts,
    attributes=attributes,
    dropped_attributes_count=uint32,
)
links = st.builds(
    Span.Link,
    trace_id=ids(16),
    span_id=ids(8),
    trace_state=texts,
    attributes=attributes,
    dropped_attributes_count=uint32,
    flags=uint32,
)


def spans(
    trace_ids: st.SearchStrategy[bytes], span_ids: st.SearchStrategy[bytes]
) -> st.SearchStrategy[Span]:
    return st.builds(
        Span,
        trace_id=trace_ids,
        span_id=span_ids,
        parent_span_id=ids(8),
        trace_state=texts,
        flags=uint32,
        name=texts,
        kind=kinds,
        start_time_unix_nano=uint64,
        end_time_unix_nano=uint64,
        attributes=attributes,
        dropped_attributes_count=uint32,
        events=st.lists(events, max_size=2),
        dropped_events_count=uint32,
        links=st.lists(links, max_size=2),
        dropped_links_count=uint32,
        status=st.none() | st.builds(Status, message=texts, code=kinds),
    )


logs = st.builds(
    LogRecord,
    time_unix_nano=uint64,
    observed_time_unix_nano=uint64,
    severity_number=kinds,
    severity_text=texts,
    event_name=texts,
    body=st.none() | values,
    attributes=attributes,
    dropped_attributes_count=uint32,
    flags=uint32,
    trace_id=ids(16),
    span_id=ids(8),
)


any_spans = spans(ids(16), ids(8))
whole_spans = spans(
    st.binary(min_size=16, max_size=16).filter(any), st.binary(min_size=8, max_size=8).filter(any)
)


def trace_requests(
    records: st.SearchStrategy[Span], *, least: int = 0
) -> st.SearchStrategy[ExportTraceServiceRequest]:
    inner = st.builds(
        ScopeSpans,
        scope=st.none() | scopes,
        spans=st.lists(records, min_size=least, max_size=3),
        schema_url=texts,
    )
    outer = st.builds(
        ResourceSpans,
        resource=st.none() | resources,
        scope_spans=st.lists(inner, min_size=least, max_size=2),
        schema_url=texts,
    )
    return st.builds(ExportTraceServiceRequest, resource_spans=st.lists(outer, max_size=2))


def log_requests(*, least: int = 0) -> st.SearchStrategy[ExportLogsServiceRequest]:
    inner = st.builds(
        ScopeLogs,
        scope=st.none() | scopes,
        log_records=st.lists(logs, min_size=least, max_size=3),
        schema_url=texts,
    )
    outer = st.builds(
        ResourceLogs,
        resource=st.none() | resources,
        scope_logs=st.lists(inner, min_size=least, max_size=2),
        schema_url=texts,
    )
    return st.builds(ExportLogsServiceRequest, resource_logs=st.lists(outer, max_size=2))


def as_json(request: Any, *, snake: bool = False, enum_numbers: bool = True) -> bytes:
    """A request as OTLP/JSON, which writes ids in hexadecimal where protobuf's JSON has base64."""
    tree = MessageToDict(
        request, preserving_proto_field_name=snake, use_integers_for_enums=enum_numbers
    )
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            for name, content in node.items():
                if name in _ID_NAMES and isinstance(content, str):
                    node[name] = base64.b64decode(content).hex()
            waiting += node.values()
    return json.dumps(tree).encode()


def busy_request(count: int) -> ExportTraceServiceRequest:
    """A request as instrumented services send it: 13 attributes a span, some events and links."""
    request = ExportTraceServiceRequest()
    holder = request.resource_spans.add()
    holder.resource.attributes.add(key="service.name").value.string_value = "shop"
    added = holder.scope_spans.add().spans
    for number in range(count):
        span = added.add(name=f"GET /{number % 7}", kind=number % 6)
        span.trace_id = (number // 20 + 1).to_bytes(16, "big")
        span.span_id = (number + 1).to_bytes(8, "big")
        span.start_time_unix_nano = 1_700_000_000_000_000_000 + number
        for index in range(9):
            span.attributes.add(key=f"text.{index}").value.string_value = f"{number}-{index}"
        span.attributes.add(key="size").value.int_value = number
        span.attributes.add(key="ratio").value.double_value = number / 3
        span.attributes.add(key="hit").value.bool_value = number % 2 == 0
        tags = span.attributes.add(key="tags").value.array_value.values
        tags.add().string_value = "a" if number % 3 else "b"
        if number % 27 == 0:
            event = span.events.add(name="exception", time_unix_nano=number)
            event.attributes.add(key="exception.type").value.string_value = f"E{number}"
        if number % 10 == 0:
            span.links.add(trace_id=b"\1" * 16, span_id=b"\2" * 8)
    return request
