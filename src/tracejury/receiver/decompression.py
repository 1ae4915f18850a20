"""Unfold a compressed body as it arrives, so that nobody has to unfold it whole to refuse it."""

import zlib
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import zstandard

_PIECE: Final = 2**20

# zstd gives no way to bound what one call puts out; a block is at most 128 KiB from 4 bytes.
_ZSTD_SLICE: Final = 2**10
# The window that RFC 9659 allows for this content encoding, and what one decoder may hold.
_ZSTD_WINDOW: Final = 2**23


class CorruptBodyError(Exception):
    """The body is not what its Content-Encoding says, or it ends too early."""


class _Stream(Protocol):
    """One compressed stream; `feed` gives pieces, and keeps what comes after the stream's end."""

    has_ended: bool
    rest: bytes

    def feed(self, data: bytes) -> Iterator[bytes]: ...


class Decompression:
    """The streams of one body: gzip and zstd bodies may be several, one after another."""

    def __init__(self, begin: "Callable[[], _Stream]") -> None:
        self._begin = begin
        self._stream: _Stream | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Pieces of bounded size; raises `CorruptBodyError`."""
        while data:
            if self._stream is None or self._stream.has_ended:
                self._stream = self._begin()
            try:
                yield from self._stream.feed(data)
            except (zlib.error, zstandard.ZstdError) as error:
                raise CorruptBodyError from error
            data = self._stream.rest

    def end(self) -> None:
        """Raises `CorruptBodyError` when more should have come."""
        if self._stream is not None and not self._stream.has_ended:
            raise CorruptBodyError


class _Zlib:
    def __init__(self, window_bits: int) -> None:
        self._stream = zlib.decompressobj(window_bits)
        self.has_ended = False
        self.rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data and not self._stream.eof:
            piece = self._stream.decompress(data, _PIECE)
            data = self._stream.unconsumed_tail
            if piece:
                yield piece
        self.has_ended = self._stream.eof
        self.rest = self._stream.unused_data


class _Zstd:
    def __init__(self) -> None:
        decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._stream = decompressor.decompressobj()
        self.has_ended = False
        self.rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        taken = 0
        while taken < len(data) and not self._stream.eof:
            piece = self._stream.decompress(data[taken : taken + _ZSTD_SLICE])
            taken += _ZSTD_SLICE
            if piece:
                yield piece
        self.has_ended = self._stream.eof
        self.rest = self._stream.unused_data + data[taken:] if self.has_ended else b""


_BEGIN: Final[dict[str, Callable[[], _Stream]]] = {
    "gzip": lambda: _Zlib(16 + zlib.MAX_WBITS),
    "x-gzip": lambda: _Zlib(16 + zlib.MAX_WBITS),
    # What HTTP calls deflate is a zlib stream (RFC 9110, 8.4.1.2).
    "deflate": lambda: _Zlib(zlib.MAX_WBITS),
    "zstd": _Zstd,
}
CONTENT_ENCODINGS: Final = ("gzip", "deflate", "zstd", "identity")


def decompression(content_encoding: str) -> Decompression | None:
    """What unfolds a body of this Content-Encoding; raises `KeyError`. None: it is not folded."""
    name = content_encoding.strip().lower()
    return None if name in {"", "identity"} else Decompression(_BEGIN[name])
