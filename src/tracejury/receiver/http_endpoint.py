"""OTLP over HTTP: POST /v1/traces, /v1/logs and /v1/metrics, as protobuf or JSON.

Alertmanager posts its webhooks to /api/alerts, as JSON.
Beside it GET /healthz and /metrics, which are about the receiver itself.
"""

from typing import Final

from aiohttp import web

from tracejury.otlp.alert_webhook import Content
from tracejury.otlp.signals import Encoding, Signal
from tracejury.receiver.access import unauthenticated
from tracejury.receiver.answers import Accepted, Code, Refused
from tracejury.receiver.http_body import RefusedRequestError, read_body
from tracejury.receiver.http_connection import ConnectionServer
from tracejury.receiver.http_origins import Origins
from tracejury.receiver.http_replies import CONTENT_TYPES, acceptance, refusal
from tracejury.receiver.intake import Intake
from tracejury.receiver.meter import CONTENT_TYPE

_CONTENTS: Final[dict[str, Content]] = {
    **{f"/v1/{signal}": signal for signal in Signal},
    "/api/alerts": "alerts",
}
_ENCODINGS: Final = {name: encoding for encoding, name in CONTENT_TYPES.items()}
_WEBHOOK_ENCODINGS: Final = {CONTENT_TYPES[Encoding.JSON]: Encoding.JSON}


def http_runner(
    intake: Intake, *, grace_s: float, origins: Origins | None = None
) -> web.ServerRunner:
    """What serves OTLP on the sockets it is given; at its end, requests get `grace_s` to finish."""
    server = ConnectionServer(_Endpoint(intake, origins or Origins()).answer)
    return web.ServerRunner(server, shutdown_timeout=grace_s)


class _Endpoint:
    def __init__(self, intake: Intake, origins: Origins) -> None:
        self._intake = intake
        self._origins = origins

    async def answer(self, request: web.BaseRequest) -> web.Response:
        content = _CONTENTS.get(request.path, "none")
        encoding = Encoding.JSON if content == "alerts" else _ENCODINGS.get(request.content_type)
        try:
            response = self._origins.preflight(request) or await self._routed(request)
        except RefusedRequestError as error:
            response = refusal(encoding, error.refused, status=error.status)
        self._intake.meter.answered("http", content, str(response.status))
        self._origins.admit(request, response)
        return response

    async def _routed(self, request: web.BaseRequest) -> web.Response:
        is_known = self._intake.access.admits(request.headers.get("Authorization"))
        if request.path == "/healthz" and request.method in {"GET", "HEAD"}:
            return self._health(is_told_why=is_known)
        if not is_known:
            raise RefusedRequestError(401, unauthenticated())
        if request.path == "/metrics" and request.method in {"GET", "HEAD"}:
            exposition = self._intake.exposition().encode()
            return web.Response(body=exposition, headers={"Content-Type": CONTENT_TYPE})
        return await self._take(request, _content(request))

    async def _take(self, request: web.BaseRequest, content: Content) -> web.Response:
        encodings = _ENCODINGS if isinstance(content, Signal) else _WEBHOOK_ENCODINGS
        encoding = encodings.get(request.content_type)
        if encoding is None:
            raise RefusedRequestError(
                415,
                Refused(
                    Code.INVALID_ARGUMENT,
                    f"Content-Type is {request.headers.get('Content-Type', 'missing')}; "
                    f"it must be {' or '.join(encodings)}.",
                ),
            )
        limit = self._intake.request_limit
        answer = await self._intake.take(
            content, encoding, lambda hold: read_body(request, hold, limit=limit)
        )
        if isinstance(answer, Accepted):
            return acceptance(content, encoding, answer)
        return refusal(encoding, answer)

    def _health(self, *, is_told_why: bool) -> web.Response:
        failure = self._intake.pipeline.failure
        if failure is None:
            return web.json_response({"status": "ok"})
        told = {"status": "degraded"} | ({"reason": failure} if is_told_why else {})
        return web.json_response(told, status=503)


def _content(request: web.BaseRequest) -> Content:
    content = _CONTENTS.get(request.path)
    if content is None:
        message = f"Nothing is here; post to {', '.join(_CONTENTS)}."
        raise RefusedRequestError(404, Refused(Code.NOT_FOUND, message))
    if request.method != "POST":
        refused = Refused(Code.UNIMPLEMENTED, "Only POST is answered here.")
        raise RefusedRequestError(405, refused)
    return content
