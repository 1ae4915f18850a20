"""Read a request's body, whatever its framing and compression, and never more than is allowed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from tracejury.receiver.admission import Hold
from tracejury.receiver.answers import Code, Refused, too_large
from tracejury.receiver.decompression import (
    CONTENT_ENCODINGS,
    CorruptBodyError,
    Decompression,
    decompression,
)

BODY_DEADLINE_S: Final = 30.0


class RefusedRequestError(Exception):
    """An HTTP request that is answered with `status`, and `refused` as its body."""

    def __init__(self, status: int, refused: Refused) -> None:
        super().__init__(refused.message)
        self.status = status
        self.refused = refused


def bad_request(message: str) -> RefusedRequestError:
    return RefusedRequestError(400, Refused(Code.INVALID_ARGUMENT, message))


async def read_body(request: web.BaseRequest, hold: Hold, *, limit: int) -> bytes:
    """The decompressed body, `limit` bytes at most.

    Raises `RefusedRequestError`, and `OverloadError` from `hold`.
    """
    if (request.content_length or 0) > limit:
        raise RefusedRequestError(413, too_large(limit))
    await _invite(request)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_DEADLINE_S):
            async for piece in _pieces(request):
                if len(body) + len(piece) > limit:
                    raise RefusedRequestError(413, too_large(limit))
                hold.grow(len(piece))
                body += piece
    except TimeoutError as error:
        raise RefusedRequestError(
            408,
            Refused(
                Code.DEADLINE_EXCEEDED,
                f"The body took longer than {BODY_DEADLINE_S:.0f} seconds.",
            ),
        ) from error
    except (web.RequestPayloadError, ConnectionError) as error:
        raise bad_request("The body is wrongly framed, or it ends too early.") from error
    return bytes(body)


async def _invite(request: web.BaseRequest) -> None:
    """Tell a client that asks first, as curl does, to send its body."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


def _pieces(request: web.BaseRequest) -> AsyncIterator[bytes]:
    named = request.headers.get("Content-Encoding", "")
    try:
        unfolding = decompression(named)
    except KeyError:
        raise bad_request(
            f"Content-Encoding {named!r} is not understood; send {', '.join(CONTENT_ENCODINGS)}."
        ) from None
    chunks = request.content.iter_any()
    return chunks if unfolding is None else _unfolded(chunks, unfolding, named)


async def _unfolded(
    chunks: AsyncIterator[bytes], unfolding: Decompression, name: str
) -> AsyncIterator[bytes]:
    try:
        async for chunk in chunks:
            for piece in unfolding.feed(chunk):
                yield piece
                # A chunk may unfold to a thousand times its size; others want their turn.
                await asyncio.sleep(0)
        unfolding.end()
    except CorruptBodyError as error:
        raise bad_request(f"The body is not {name}, or it ends too early.") from error
