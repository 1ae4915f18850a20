"""Measurements of other things than spans, drawn → the bytes of OTLP requests. See README.md."""

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from tests.checks.drawing import BASE_NS, Notes, nanoseconds, pairs, resource_of


def metrics(block: str) -> list[bytes]:
    """One request a line: what a service measured at a moment, as a gauge."""
    return [_request(line) for line in block.splitlines() if line.strip()]


def _request(line: str) -> bytes:
    service, time, metric, value, *tokens = line.split()
    notes = Notes.parse(tokens, line)
    request = ExportMetricsServiceRequest()
    holder = request.resource_metrics.add(resource=resource_of(service, notes))
    point = (
        holder.scope_metrics.add()
        .metrics.add(name=metric)
        .gauge.data_points.add(
            start_time_unix_nano=BASE_NS, time_unix_nano=nanoseconds(time), as_double=float(value)
        )
    )
    point.attributes.extend(pairs(notes.prefixed("")))
    return request.SerializeToString()
