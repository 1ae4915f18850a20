"""OTLP over HTTP: POST /v1/traces, /v1/logs and /v1/metrics, as protobuf or JSON."""

import asyncio
from typing import Final

from aiohttp import web

from tracejury.otlp.signals import Encoding, Signal
from tracejury.receiver.admission import Admission, OverloadError
from tracejury.receiver.answers import Answer, Code, Refused, overloaded
from tracejury.receiver.http_body import RefusedRequestError, read_body
from tracejury.receiver.pipeline import Pipeline
from tracejury.receiver.responses import export_response, rpc_status
from tracejury.receiver.settlement import Request

# Both how long a client may take to send its headers, and how long a connection may idle. Longer
# than the minute at which exporters send metrics, so that they find their connection open.
_HEADER_DEADLINE_S: Final = 75.0

_SIGNALS: Final = {f"/v1/{signal}": signal for signal in Signal}
_CONTENT_TYPES: Final = {
    Encoding.PROTOBUF: "application/x-protobuf",
    Encoding.JSON: "application/json",
}
_ENCODINGS: Final = {name: encoding for encoding, name in _CONTENT_TYPES.items()}
_STATUSES: Final = {Code.INVALID_ARGUMENT: 400, Code.INTERNAL: 500, Code.UNAVAILABLE: 503}


def http_runner(pipeline: Pipeline, admission: Admission, *, grace_s: float) -> web.ServerRunner:
    """What serves OTLP on the sockets it is given; at its end, requests get `grace_s` to finish."""
    server = _Server(_Endpoint(pipeline, admission).answer)
    return web.ServerRunner(server, shutdown_timeout=grace_s)


class _Endpoint:
    def __init__(self, pipeline: Pipeline, admission: Admission) -> None:
        self._pipeline = pipeline
        self._admission = admission

    async def answer(self, request: web.BaseRequest) -> web.Response:
        if request.path == "/healthz" and request.method in {"GET", "HEAD"}:
            return self._health()
        encoding = _ENCODINGS.get(request.content_type)
        try:
            return await self._export(request, encoding)
        except RefusedRequestError as error:
            return _refusal(encoding, error.status, error.refused)

    async def _export(self, request: web.BaseRequest, encoding: Encoding | None) -> web.Response:
        signal = _signal(request)
        if encoding is None:
            raise RefusedRequestError(
                415,
                Code.INVALID_ARGUMENT,
                f"Content-Type is {request.headers.get('Content-Type', 'missing')}; "
                f"it must be {' or '.join(_ENCODINGS)}.",
            )
        answer = await self._settle(request, signal, encoding)
        if isinstance(answer, Refused):
            return _refusal(encoding, _STATUSES[answer.code], answer)
        return web.Response(
            body=export_response(signal, encoding, answer), content_type=_CONTENT_TYPES[encoding]
        )

    async def _settle(self, request: web.BaseRequest, signal: Signal, encoding: Encoding) -> Answer:
        try:
            with self._admission.admit() as hold:
                await _invite(request)
                body = await read_body(request, hold)
                return await self._pipeline.submit(Request(signal, encoding, body))
        except OverloadError:
            return overloaded()

    def _health(self) -> web.Response:
        if self._pipeline.failure is None:
            return web.json_response({"status": "ok"})
        return web.json_response(
            {"status": "degraded", "reason": self._pipeline.failure}, status=503
        )


def _signal(request: web.BaseRequest) -> Signal:
    signal = _SIGNALS.get(request.path)
    if signal is None:
        raise RefusedRequestError(
            404, Code.NOT_FOUND, f"Nothing is here; post to {', '.join(_SIGNALS)}."
        )
    if request.method != "POST":
        raise RefusedRequestError(405, Code.UNIMPLEMENTED, "Only POST is answered here.")
    return signal


async def _invite(request: web.BaseRequest) -> None:
    """Tell a client that asks first, as curl does, to send its body."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


def _refusal(encoding: Encoding | None, status: int, refused: Refused) -> web.Response:
    encoding = encoding or Encoding.PROTOBUF
    headers = {}
    if refused.retry_after_s is not None:
        headers["Retry-After"] = str(refused.retry_after_s)
    if status == 405:
        headers["Allow"] = "POST"
    return web.Response(
        status=status,
        body=rpc_status(encoding, refused),
        content_type=_CONTENT_TYPES[encoding],
        headers=headers,
    )


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Connection(
            self,
            loop=asyncio.get_running_loop(),
            auto_decompress=False,
            keepalive_timeout=_HEADER_DEADLINE_S,
        )


class _Connection(web.RequestHandler):
    """Answers what is no HTTP at all with a `google.rpc.Status` too."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status == 500:
            self.log_exception("A request could not be processed.", exc_info=exc)
        code = Code.INVALID_ARGUMENT if status < 500 else Code.INTERNAL
        response = _refusal(None, status, Refused(code, message or "The request is no HTTP."))
        response.force_close()
        return response
