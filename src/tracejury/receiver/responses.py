"""Write an answer in OTLP's words: Export responses, and google.rpc.Status for refusals."""

import json
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tracejury.otlp.signals import Encoding, Signal
from tracejury.receiver.answers import Accepted, Refused

_RETRY_INFO_TYPE: Final = "type.googleapis.com/google.rpc.RetryInfo"


def export_response(signal: Signal, encoding: Encoding, accepted: Accepted) -> bytes:
    """The `Export...ServiceResponse`; its `partial_success` is unset on full success."""
    response = _response(signal, accepted)
    if encoding is Encoding.JSON:
        return json_format.MessageToJson(response, indent=None).encode()
    return response.SerializeToString()


def rpc_status(encoding: Encoding, refused: Refused) -> bytes:
    """The `google.rpc.Status`, with a `RetryInfo` when sending again may help."""
    return _status_json(refused) if encoding is Encoding.JSON else _status_protobuf(refused)


def retry_info(seconds: int) -> bytes:
    """A `google.rpc.RetryInfo`."""
    return _submessage(1, Duration(seconds=seconds).SerializeToString())


def _response(signal: Signal, accepted: Accepted) -> Message:
    match signal:
        case Signal.TRACES:
            traces = ExportTraceServiceResponse()
            if accepted != Accepted():
                traces.partial_success.rejected_spans = accepted.rejected
                traces.partial_success.error_message = accepted.reason
            return traces
        case Signal.LOGS:
            logs = ExportLogsServiceResponse()
            if accepted != Accepted():
                logs.partial_success.rejected_log_records = accepted.rejected
                logs.partial_success.error_message = accepted.reason
            return logs
        case Signal.METRICS:
            metrics = ExportMetricsServiceResponse()
            if accepted != Accepted():
                metrics.partial_success.rejected_data_points = accepted.rejected
                metrics.partial_success.error_message = accepted.reason
            return metrics


def _status_json(refused: Refused) -> bytes:
    status: dict[str, Any] = {"code": int(refused.code), "message": refused.message}
    if refused.retry_after_s is not None:
        delay = f"{refused.retry_after_s}s"
        status["details"] = [{"@type": _RETRY_INFO_TYPE, "retryDelay": delay}]
    return json.dumps(status).encode()


def _status_protobuf(refused: Refused) -> bytes:
    # Written by hand: no dependency of ours brings google/rpc/status.proto, and three fields are
    # no reason for one. int32 code = 1; string message = 2; repeated Any details = 3.
    status = b"\x08" + _varint(refused.code) + _submessage(2, refused.message.encode())
    if refused.retry_after_s is None:
        return status
    detail = AnyMessage(type_url=_RETRY_INFO_TYPE, value=retry_info(refused.retry_after_s))
    return status + _submessage(3, detail.SerializeToString())


def _submessage(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
