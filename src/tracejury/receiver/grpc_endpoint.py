"""OTLP over gRPC: the three Export calls, taken as raw bytes.

The handlers parse nothing, so a body that is no protobuf is answered INVALID_ARGUMENT, where a
generated servicer would answer INTERNAL. On the wire a call with one message and a stream of one
are the same; taken as a stream, the message is read only after its sender was let in.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final, TypeAlias

import grpc

from tracejury.errors import ReceiverError
from tracejury.otlp.signals import Encoding, Signal
from tracejury.receiver.access import unauthenticated
from tracejury.receiver.answers import Answer, Refused
from tracejury.receiver.grpc_messages import Messages, NoMessageError
from tracejury.receiver.intake import Intake
from tracejury.receiver.responses import export_response, retry_info, rpc_status
from tracejury.receiver.tls import Tls

CONNECTION_LIMIT: Final = 1000
# What one client may ask at once; the rest waits on its side, where it costs us no memory.
STREAM_LIMIT: Final = 100
# Calls that nobody has looked at yet. Above it gRPC cancels them in words of its own, without
# saying when to come again; our own answer is `Admission`'s, and there are far fewer of those.
_PENDING_LIMIT: Final = 16_384

_SERVICES: Final = {
    Signal.TRACES: "opentelemetry.proto.collector.trace.v1.TraceService",
    Signal.LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
    Signal.METRICS: "opentelemetry.proto.collector.metrics.v1.MetricsService",
}
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}

_Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"


def bind_grpc(
    host: str, port: int, *, tls: Tls | None, request_limit: int
) -> tuple[grpc.aio.Server, int]:
    """A server that holds `port` of `host` and answers nothing yet, and the port's number."""
    server = grpc.aio.server(
        options=[
            # Else a second receiver would bind the same port and silently take half of the spans.
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", request_limit),
            ("grpc.max_allowed_incoming_connections", CONNECTION_LIMIT),
            ("grpc.server_handshake_timeout_ms", 10_000),
            ("grpc.max_concurrent_streams", STREAM_LIMIT),
            ("grpc.server.max_pending_requests", _PENDING_LIMIT),
            ("grpc.server.max_pending_requests_hard_limit", _PENDING_LIMIT),
            # Else a fast client is let send megabytes of a message that nobody has asked for.
            ("grpc.http2.bdp_probe", 0),
            # A client that vanished without a word is noticed, and one that asks for signs of life
            # as often as every ten seconds gets them.
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.keepalive_timeout_ms", 20_000),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
            ("grpc.keepalive_permit_without_calls", 1),
        ]
    )
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        if tls is None:
            return server, server.add_insecure_port(address)
        return server, server.add_secure_port(address, tls.credentials)
    except RuntimeError as error:
        raise ReceiverError(
            f"Port {port} of {host} cannot be used for gRPC.",
            next_step="Choose another with --grpc-port.",
        ) from error


def answer_exports(server: grpc.aio.Server, intake: Intake) -> None:
    """Let `server` take the Export calls of all signals."""
    taken = Messages()
    server.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler(
                service,
                {
                    "Export": grpc.stream_unary_rpc_method_handler(
                        _Export(signal, intake, taken).__call__
                    )
                },
            )
            for signal, service in _SERVICES.items()
        ]
    )


class _Export:
    def __init__(self, signal: Signal, intake: Intake, taken: Messages) -> None:
        self._signal = signal
        self._intake = intake
        self._messages = taken

    async def __call__(self, messages: AsyncIterator[bytes], context: _Context) -> bytes:
        # A client that gives up cancels this call, while its bytes stay in memory until committed.
        answer = await asyncio.shield(asyncio.ensure_future(self._counted(messages, context)))
        if isinstance(answer, Refused):
            await context.abort(_CODES[answer.code], answer.message, _trailers(answer))
        return export_response(self._signal, Encoding.PROTOBUF, answer)

    async def _counted(self, messages: AsyncIterator[bytes], context: _Context) -> Answer:
        answer = await self._answer(messages, context)
        code = answer.code.name if isinstance(answer, Refused) else "OK"
        self._intake.meter.answered("grpc", self._signal, code)
        return answer

    async def _answer(self, messages: AsyncIterator[bytes], context: _Context) -> Answer:
        if not self._intake.access.admits(_authorization(context)):
            return unauthenticated()
        try:
            return await self._intake.take(
                self._signal,
                Encoding.PROTOBUF,
                lambda hold: self._messages.take(messages, hold),
            )
        except NoMessageError as error:
            return error.refused


def _authorization(context: _Context) -> str | None:
    for name, value in context.invocation_metadata() or ():
        if name == "authorization":
            return value if isinstance(value, str) else value.decode("latin-1")
    return None


def _trailers(refused: Refused) -> tuple[tuple[str, bytes], ...]:
    status = ("grpc-status-details-bin", rpc_status(Encoding.PROTOBUF, refused))
    if refused.retry_after_s is None:
        return (status,)
    # The Python exporter reads the wait from a trailer of its own, not from the status' details.
    return (status, ("google.rpc.retryinfo-bin", retry_info(refused.retry_after_s)))
