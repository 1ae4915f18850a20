"""What of a JSON request was read although OTLP/JSON spells it otherwise.

Keys in snake_case and the names of enumerations' values are what protobuf's own JSON has, so some
writers send them. Refusing them would lose telemetry, and reading them in silence would leave the
writer wrong.
"""

import re
from functools import cache
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_SNAKE_CASE_KEY: Final = rb'([a-z]+_[a-z_]+)"\s*:'
_ENUM_NAME: Final = (
    rb'(kind|code|severityNumber|severity_number|aggregationTemporality)"\s*:\s*"[A-Z]'
)
_ODD: Final = re.compile(rb'"(?:' + _SNAKE_CASE_KEY + rb"|" + _ENUM_NAME + rb")")


def odd_spelling(body: bytes) -> str:
    """A sentence that names what is spelled otherwise; empty where nothing is."""
    keys = set[str]()
    enums = set[str]()
    for key, enum in _ODD.findall(body):
        if enum:
            enums.add(enum.decode())
        elif key.decode() in _snake_case_names():
            keys.add(key.decode())
    complaints = []
    if keys:
        complaints.append(f"has lowerCamelCase keys, not {', '.join(sorted(keys))}")
    if enums:
        complaints.append(f"has numbers for enumerations, not names in {', '.join(sorted(enums))}")
    return f"Accepted, but OTLP/JSON {' and '.join(complaints)}." if complaints else ""


@cache
def _snake_case_names() -> frozenset[str]:
    names = set[str]()
    seen = set[str]()
    waiting: list[Any] = [
        request.DESCRIPTOR
        for request in (
            ExportTraceServiceRequest,
            ExportLogsServiceRequest,
            ExportMetricsServiceRequest,
        )
    ]
    while waiting:
        message = waiting.pop()
        if message.full_name not in seen:
            seen.add(message.full_name)
            names.update(field.name for field in message.fields if "_" in field.name)
            waiting += [field.message_type for field in message.fields if field.message_type]
    return frozenset(names)
