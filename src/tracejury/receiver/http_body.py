"""Read a request's body, whatever its framing and compression, and never more than is allowed."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Final

from aiohttp import web

from tracejury.receiver.admission import Hold
from tracejury.receiver.answers import Code, Refused

BODY_LIMIT: Final = 64 * 2**20  # after decompression
BODY_DEADLINE_S: Final = 30.0

_PIECE: Final = 2**20
_GZIP: Final = 16 + zlib.MAX_WBITS


class RefusedRequestError(Exception):
    """An HTTP request that is answered with `status`, and `refused` as its body."""

    def __init__(self, status: int, code: Code, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.refused = Refused(code, message)


async def read_body(request: web.BaseRequest, hold: Hold) -> bytes:
    """The decompressed body; raises `RefusedRequestError`, and `OverloadError` from `hold`."""
    if (request.content_length or 0) > BODY_LIMIT:
        raise _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_DEADLINE_S):
            async for piece in _pieces(request):
                if len(body) + len(piece) > BODY_LIMIT:
                    raise _too_large()
                hold.grow(len(piece))
                body += piece
    except TimeoutError as error:
        raise RefusedRequestError(
            408, Code.DEADLINE_EXCEEDED, f"The body took longer than {BODY_DEADLINE_S:.0f} seconds."
        ) from error
    except (web.RequestPayloadError, ConnectionError) as error:
        raise RefusedRequestError(
            400, Code.INVALID_ARGUMENT, "The body is wrongly framed, or it ends too early."
        ) from error
    return bytes(body)


def _too_large() -> RefusedRequestError:
    return RefusedRequestError(
        413,
        Code.RESOURCE_EXHAUSTED,
        f"The body is larger than {BODY_LIMIT // 2**20} MiB after decompression. "
        "Send fewer spans in a batch.",
    )


def _pieces(request: web.BaseRequest) -> AsyncIterator[bytes]:
    match request.headers.get("Content-Encoding", "identity").strip().lower():
        case "identity" | "":
            return request.content.iter_any()
        case "gzip":
            return _gunzipped(request.content.iter_any())
        case other:
            raise RefusedRequestError(
                400,
                Code.INVALID_ARGUMENT,
                f"Content-Encoding {other!r} is not understood; gzip and identity are.",
            )


async def _gunzipped(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    members = _Members()
    async for chunk in chunks:
        try:
            for piece in members.feed(chunk):
                yield piece
                # A chunk may unfold to a thousand times its size; others want their turn.
                await asyncio.sleep(0)
        except zlib.error as error:
            raise _not_gzip() from error
    if not members.is_complete:
        raise _not_gzip()


def _not_gzip() -> RefusedRequestError:
    return RefusedRequestError(
        400, Code.INVALID_ARGUMENT, "The body is not gzip, or it ends too early."
    )


class _Members:
    """A gzip file is one compressed member after another."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._has_begun = False

    @property
    def is_complete(self) -> bool:
        return self._member.eof or not self._has_begun

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP)
            self._has_begun = True
            piece = self._member.decompress(data, _PIECE)
            if piece:
                yield piece
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
