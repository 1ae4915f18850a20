"""OTLP metrics requests for tests: generated ones of every kind, with every oddity."""

from typing import Any

from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1 import metrics_pb2 as pb
from tests.otlp.requests import (
    attributes,
    ids,
    int32,
    resources,
    scopes,
    texts,
    uint32,
    uint64,
)

_int64 = st.integers(-(2**63), 2**63 - 1)
_doubles = st.floats() | st.sampled_from([0.0, -0.0])
_temporalities = st.integers(0, 2) | st.just(7)
_values: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.builds(dict, as_int=_int64 | st.just(0)),
    st.builds(dict, as_double=_doubles),
)


def _with_value(kind: Any, **fields: Any) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda value, others: kind(**value, **others), _values, st.builds(dict, **fields)
    )


_exemplars = st.lists(
    _with_value(
        pb.Exemplar,
        filtered_attributes=attributes,
        time_unix_nano=uint64,
        trace_id=ids(16),
        span_id=ids(8),
    ),
    max_size=2,
)
_common: dict[str, Any] = {
    "attributes": attributes,
    "start_time_unix_nano": uint64,
    "time_unix_nano": uint64,
    "flags": uint32,
}
_distribution: dict[str, Any] = _common | {
    "exemplars": _exemplars,
    "count": uint64,
    "sum": st.none() | _doubles,
    "min": st.none() | _doubles,
    "max": st.none() | _doubles,
}
_counts = st.lists(uint64, max_size=3)
_numbers = _with_value(pb.NumberDataPoint, **_common, exemplars=_exemplars)
_histograms = st.builds(
    pb.HistogramDataPoint,
    **_distribution,
    bucket_counts=_counts,
    explicit_bounds=st.lists(_doubles, max_size=3),
)
_buckets = st.none() | st.builds(
    pb.ExponentialHistogramDataPoint.Buckets, offset=int32, bucket_counts=_counts
)
_exponential_histograms = st.builds(
    pb.ExponentialHistogramDataPoint,
    **_distribution,
    scale=int32,
    zero_count=uint64,
    zero_threshold=_doubles,
    positive=_buckets,
    negative=_buckets,
)
_summaries = st.builds(
    pb.SummaryDataPoint,
    **_common,
    count=uint64,
    sum=_doubles,
    quantile_values=st.lists(
        st.builds(pb.SummaryDataPoint.ValueAtQuantile, quantile=_doubles, value=_doubles),
        max_size=2,
    ),
)


def _data(kind: Any, points: Any, least: int, **fields: Any) -> st.SearchStrategy[Any]:
    return st.builds(kind, data_points=st.lists(points, min_size=least, max_size=2), **fields)


def _metrics(least: int) -> st.SearchStrategy[pb.Metric]:
    temporal = {"aggregation_temporality": _temporalities}
    data: st.SearchStrategy[dict[str, Any]] = st.one_of(
        st.builds(dict, gauge=_data(pb.Gauge, _numbers, least)),
        st.builds(dict, sum=_data(pb.Sum, _numbers, least, is_monotonic=st.booleans(), **temporal)),
        st.builds(dict, histogram=_data(pb.Histogram, _histograms, least, **temporal)),
        st.builds(
            dict,
            exponential_histogram=_data(
                pb.ExponentialHistogram, _exponential_histograms, least, **temporal
            ),
        ),
        st.builds(dict, summary=_data(pb.Summary, _summaries, least)),
    )
    described: st.SearchStrategy[dict[str, Any]] = st.builds(
        dict, name=texts, description=texts, unit=texts, metadata=attributes
    )
    return st.builds(lambda has, holds: pb.Metric(**has, **holds), described, data)


def metric_requests(*, least: int = 0) -> st.SearchStrategy[ExportMetricsServiceRequest]:
    inner = st.builds(
        pb.ScopeMetrics,
        scope=st.none() | scopes,
        metrics=st.lists(_metrics(least), min_size=least, max_size=3),
        schema_url=texts,
    )
    outer = st.builds(
        pb.ResourceMetrics,
        resource=st.none() | resources,
        scope_metrics=st.lists(inner, min_size=least, max_size=2),
        schema_url=texts,
    )
    return st.builds(ExportMetricsServiceRequest, resource_metrics=st.lists(outer, max_size=2))


def busy_request(points: int) -> ExportMetricsServiceRequest:
    """A request as an SDK sends it: sums and histograms by route, with exemplars."""
    request = ExportMetricsServiceRequest()
    holder = request.resource_metrics.add()
    holder.resource.attributes.add(key="service.name").value.string_value = "shop"
    metrics = holder.scope_metrics.add().metrics
    total, duration = metrics.add(name="requests", unit="1"), metrics.add(name="d", unit="s")
    for number in range(points):
        if number % 2:
            point: Any = total.sum.data_points.add(as_int=number)
        else:
            point = duration.histogram.data_points.add(
                count=2, sum=number / 3, bucket_counts=[1, 1, 0], explicit_bounds=[0.5, 1.0]
            )
            point.exemplars.add(trace_id=b"\1" * 16, span_id=b"\2" * 8, as_double=0.25)
        point.attributes.add(key="route").value.string_value = f"/{number % 7}"
        point.time_unix_nano = 1_700_000_000_000_000_000 + number
    return request
