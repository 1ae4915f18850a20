"""The connections of the HTTP endpoint: how many there may be, and how long they may idle."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from aiohttp import web

from tracejury.receiver.answers import Code, Refused
from tracejury.receiver.http_replies import refusal

CONNECTION_LIMIT: Final = 1000
# From a connection to the end of its first request's headers: exporters send at once.
HEADER_DEADLINE_S: Final = 10.0
# Between two requests, headers included. Longer than the minute at which exporters send metrics,
# so that they find their connection open.
IDLE_DEADLINE_S: Final = 75.0

AnswerHttp: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class ConnectionServer(web.Server):
    """Keeps `CONNECTION_LIMIT` connections at once, and ends any other as soon as it is made."""

    def __init__(self, answer: AnswerHttp) -> None:
        super().__init__(self._answer)
        self._answer_begun = answer
        self._deadlines: dict[web.RequestHandler, asyncio.TimerHandle] = {}

    def __call__(self) -> web.RequestHandler:
        return _Connection(
            self,
            loop=asyncio.get_running_loop(),
            auto_decompress=False,
            keepalive_timeout=IDLE_DEADLINE_S,
        )

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if len(self._deadlines) >= CONNECTION_LIMIT:
            transport.abort()
            return
        later = asyncio.get_running_loop().call_later
        self._deadlines[handler] = later(HEADER_DEADLINE_S, transport.abort)

    def connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        if handler in self._deadlines:
            self._deadlines.pop(handler).cancel()
        super().connection_lost(handler, exc)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.protocol in self._deadlines:
            self._deadlines[request.protocol].cancel()
        return await self._answer_begun(request)


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
        response = refusal(None, Refused(code, message or "The request is no HTTP."), status=status)
        response.force_close()
        return response
