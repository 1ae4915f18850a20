"""What an SDK sends of its own counts of spans."""

from collections.abc import Sequence

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from tests.workflow.drawn import RECEIVED_NS

from tracejury.otlp.decode import Encoding, Signal, decode
from tracejury.store.writer import Store

DELTA, CUMULATIVE = 1, 2
STARTED, LIVE = "otel.sdk.span.started", "otel.sdk.span.live"
PROCESSED = "otel.sdk.processor.span.processed"
_RESULT = "otel.span.sampling_result"
KEYS = {STARTED: _RESULT, LIVE: _RESULT, PROCESSED: "error.type"}
SAMPLED = "RECORD_AND_SAMPLE"

# Start, time, count, and the value of the metric's attribute.
Point = tuple[int, int, int, str]


def send(
    store: Store,
    metric: str,
    temporality: int,
    points: Sequence[Point],
    *,
    service: str = "shop",
    instance: str | None = "a",
) -> None:
    request = ExportMetricsServiceRequest()
    holder = request.resource_metrics.add()
    for key, value in (("service.name", service), ("service.instance.id", instance)):
        if value is not None:
            holder.resource.attributes.add(key=key).value.string_value = value
    data = holder.scope_metrics.add().metrics.add(name=metric).sum
    data.aggregation_temporality = temporality  # type: ignore[assignment]
    for start, time, count, reason in points:
        point = data.data_points.add(start_time_unix_nano=start, time_unix_nano=time, as_int=count)
        if reason:
            point.attributes.add(key=KEYS[metric]).value.string_value = reason
    batch = decode(Signal.METRICS, Encoding.PROTOBUF, [request.SerializeToString()])
    store.commit([batch], received_ns=RECEIVED_NS, source="test")
