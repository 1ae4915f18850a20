"""HTTP responses: what was answered, in the request's own encoding."""

from typing import Final

from aiohttp import web

from tracejury.otlp.alert_webhook import Content
from tracejury.otlp.signals import Encoding, Signal
from tracejury.receiver.answers import Accepted, Code, Refused
from tracejury.receiver.responses import export_response, rpc_status

CONTENT_TYPES: Final = {
    Encoding.PROTOBUF: "application/x-protobuf",
    Encoding.JSON: "application/json",
}
_STATUSES: Final = {
    Code.INVALID_ARGUMENT: 400,
    Code.UNAUTHENTICATED: 401,
    Code.NOT_FOUND: 404,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
}


def acceptance(signal: Content, encoding: Encoding, accepted: Accepted) -> web.Response:
    body = b"{}"
    if isinstance(signal, Signal):
        body = export_response(signal, encoding, accepted)
    return web.Response(body=body, content_type=CONTENT_TYPES[encoding])


def refusal(
    encoding: Encoding | None, refused: Refused, *, status: int | None = None
) -> web.Response:
    """A `google.rpc.Status`, as protobuf where the request's `encoding` is none of OTLP's."""
    encoding = encoding or Encoding.PROTOBUF
    status = status or _STATUSES[refused.code]
    headers = {}
    if refused.retry_after_s is not None:
        headers["Retry-After"] = str(refused.retry_after_s)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status == 405:
        headers["Allow"] = "POST"
    return web.Response(
        status=status,
        body=rpc_status(encoding, refused),
        content_type=CONTENT_TYPES[encoding],
        headers=headers,
    )
