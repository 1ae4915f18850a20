"""CORS: which web pages may send telemetry from a browser. None, unless they are named."""

from collections.abc import Collection
from typing import Final

from aiohttp import web

_ANY: Final = "*"
_PREFLIGHT_LIFE_S: Final = 7200


class Origins:
    """The origins whose pages may read our answers; `*` stands for all."""

    def __init__(self, allowed: Collection[str] = ()) -> None:
        self._allowed = frozenset(allowed)

    def preflight(self, request: web.BaseRequest) -> web.Response | None:
        """The answer to a browser that asks before it sends; None for any other request."""
        is_asking = "Access-Control-Request-Method" in request.headers
        if request.method != "OPTIONS" or not is_asking or self._admitted(request) is None:
            return None
        headers = {
            "Access-Control-Allow-Methods": "POST",
            "Access-Control-Max-Age": str(_PREFLIGHT_LIFE_S),
        }
        if asked := request.headers.get("Access-Control-Request-Headers"):
            headers["Access-Control-Allow-Headers"] = asked
        return web.Response(status=204, headers=headers)

    def admit(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Let the page that sent `request` read `response`, where its origin is allowed."""
        if not self._allowed:
            return
        response.headers["Vary"] = "Origin"
        admitted = self._admitted(request)
        if admitted is not None:
            response.headers["Access-Control-Allow-Origin"] = admitted

    def _admitted(self, request: web.BaseRequest) -> str | None:
        origin = request.headers.get("Origin")
        return origin if origin in self._allowed or _ANY in self._allowed else None
