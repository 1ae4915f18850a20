"""OTLP over gRPC: the three Export calls, taken as raw bytes.

The handlers parse nothing, so a body that is no protobuf is answered INVALID_ARGUMENT, where a
generated servicer would answer INTERNAL.
"""

import asyncio
from typing import Final

import grpc

from tracejury.errors import ReceiverError
from tracejury.otlp.signals import Encoding, Signal
from tracejury.receiver.admission import Admission, OverloadError
from tracejury.receiver.answers import Answer, Refused, overloaded
from tracejury.receiver.pipeline import Pipeline
from tracejury.receiver.responses import export_response, retry_info, rpc_status
from tracejury.receiver.settlement import Request

MESSAGE_LIMIT: Final = 64 * 2**20

_SERVICES: Final = {
    Signal.TRACES: "opentelemetry.proto.collector.trace.v1.TraceService",
    Signal.LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
    Signal.METRICS: "opentelemetry.proto.collector.metrics.v1.MetricsService",
}
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


def bind_grpc(host: str, port: int) -> tuple[grpc.aio.Server, int]:
    """A server that holds `port` of `host` and answers nothing yet, and the port's number."""
    server = grpc.aio.server(
        options=[
            # Else a second receiver would bind the same port and silently take half of the spans.
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", MESSAGE_LIMIT),
        ]
    )
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        return server, server.add_insecure_port(address)
    except RuntimeError as error:
        raise ReceiverError(
            f"Port {port} of {host} cannot be used for gRPC.",
            next_step="Choose another with --grpc-port.",
        ) from error


def answer_exports(server: grpc.aio.Server, pipeline: Pipeline, admission: Admission) -> None:
    """Let `server` take the Export calls of all signals."""
    server.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler(
                service,
                {
                    "Export": grpc.unary_unary_rpc_method_handler(
                        _Export(signal, pipeline, admission).__call__
                    )
                },
            )
            for signal, service in _SERVICES.items()
        ]
    )


class _Export:
    def __init__(self, signal: Signal, pipeline: Pipeline, admission: Admission) -> None:
        self._signal = signal
        self._pipeline = pipeline
        self._admission = admission

    async def __call__(
        self, body: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]"
    ) -> bytes:
        # A client that gives up cancels this call, while its bytes stay in memory until committed.
        answer = await asyncio.shield(asyncio.ensure_future(self._answer(body)))
        if isinstance(answer, Refused):
            await context.abort(_CODES[answer.code], answer.message, _trailers(answer))
        return export_response(self._signal, Encoding.PROTOBUF, answer)

    async def _answer(self, body: bytes) -> Answer:
        try:
            with self._admission.admit() as hold:
                hold.grow(len(body))
                return await self._pipeline.submit(Request(self._signal, Encoding.PROTOBUF, body))
        except OverloadError:
            return overloaded()


def _trailers(refused: Refused) -> tuple[tuple[str, bytes], ...]:
    status = ("grpc-status-details-bin", rpc_status(Encoding.PROTOBUF, refused))
    if refused.retry_after_s is None:
        return (status,)
    # The Python exporter reads the wait from a trailer of its own, not from the status' details.
    return (status, ("google.rpc.retryinfo-bin", retry_info(refused.retry_after_s)))
