"""What SDKs counted of their own spans, drawn → the bytes of OTLP requests. See README.md."""

from typing import Final
from zlib import crc32

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from tests.checks.drawing import BASE_NS, DrawingError, Notes, nanoseconds, resource_of

_CUMULATIVE: Final = 2
_PROCESSED: Final = "otel.sdk.processor.span.processed"
_COUNTS: Final = {
    "started": ("otel.sdk.span.started", "otel.span.sampling_result", "RECORD_AND_SAMPLE"),
    "unsampled": ("otel.sdk.span.started", "otel.span.sampling_result", "DROP"),
    "live": ("otel.sdk.span.live", "", ""),
    "processed": (_PROCESSED, "", ""),
    "queue_full": (_PROCESSED, "error.type", "queue_full"),
}


def counts(block: str) -> list[bytes]:
    """One request a line: the counts of a process up to a moment."""
    return [_request(line) for line in block.splitlines() if line.strip()]


def _request(line: str) -> bytes:
    service, time, *tokens = line.split()
    notes = Notes.parse(tokens, line)
    began_ns = _began(notes.attributes.pop("began", ""), f"{service} {notes.settings}")
    request = ExportMetricsServiceRequest()
    holder = request.resource_metrics.add(resource=resource_of(service, notes))
    metrics = holder.scope_metrics.add().metrics
    for name, count in notes.attributes.items():
        if name not in _COUNTS:
            raise DrawingError(f"{name!r} is no count: {line.strip()}")
        metric, key, value = _COUNTS[name]
        data = metrics.add(name=metric).sum
        data.aggregation_temporality = _CUMULATIVE  # type: ignore[assignment]
        point = data.data_points.add(
            start_time_unix_nano=began_ns, time_unix_nano=nanoseconds(time), as_int=int(count)
        )
        if key:
            point.attributes.add(key=key).value.string_value = value
    return request.SerializeToString()


def _began(time: str, process: str) -> int:
    """No two processes begin to count in the same nanosecond, unless one forked the other."""
    return nanoseconds(time) if time else BASE_NS + crc32(process.encode()) % 1_000_000
