"""Count the data points of a metrics request: metrics are answered and counted, not stored."""

from typing import Final

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from tracejury.otlp.signals import Encoding, MalformedRequest

_KINDS: Final = ("gauge", "sum", "histogram", "exponential_histogram", "summary")


def count_points(encoding: Encoding, body: bytes) -> int:
    """The number of data points in `body`; raises `MalformedRequest`."""
    return sum(
        _points(metric)
        for resource in _parse(encoding, body).resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )


def _parse(encoding: Encoding, body: bytes) -> ExportMetricsServiceRequest:
    try:
        if encoding is Encoding.PROTOBUF:
            return ExportMetricsServiceRequest.FromString(body)
        # Ids of exemplars are hex, which this parser takes for base64; only points are counted.
        return json_format.Parse(body, ExportMetricsServiceRequest(), ignore_unknown_fields=True)
    except (DecodeError, json_format.ParseError, ValueError) as error:
        raise MalformedRequest(f"The body is not an OTLP/{encoding} request: {error}.") from error


def _points(metric: Metric) -> int:
    return sum(len(getattr(metric, kind).data_points) for kind in _KINDS if metric.HasField(kind))
