"""A file's bytes as they are needed, decompressed on the way, in bounded memory."""

import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

import zstandard

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_CHUNK: Final = 1 << 16

# zstd gives no way to bound what one call puts out; a block is at most 128 KiB from 4 bytes.
_ZSTD_CHUNK: Final = 1 << 10


class Stream:
    """Reads forward only. `damage` says why the bytes end early, where they do."""

    def __init__(self, file: BinaryIO, on_read: Callable[[int], None]) -> None:
        self._chunks = _chunks(file, on_read)
        self._buffer = bytearray()
        self.position = 0
        self.damage: str | None = None

    def peek(self, size: int) -> bytes:
        """The next bytes without reading on; fewer than asked for only at the end."""
        while len(self._buffer) < size and self._fill():
            pass
        with memoryview(self._buffer) as buffered:
            return bytes(buffered[:size])

    def read(self, size: int) -> bytes:
        taken = self.peek(size)
        self._drop(len(taken))
        return taken

    def skip(self, size: int) -> int:
        """Read on without keeping anything; how far that went."""
        left = size
        while left and (self._buffer or self._fill()):
            step = min(left, len(self._buffer))
            self._drop(step)
            left -= step
        return size - left

    def skip_all(self) -> None:
        while self._buffer or self._fill():
            self._drop(len(self._buffer))

    def line(self, limit: int) -> tuple[bytes, bool]:
        """The next line with its end, and whether that is all: of one too long, only the start."""
        searched = 0
        while (found := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > limit:
                return self._cut_line(), False
            if not self._fill():
                return self.read(searched), True
        return (self.read(found + 1), True) if found < limit else (self._cut_line(), False)

    def _cut_line(self) -> bytes:
        start = self.peek(_CHUNK)
        while (found := self._buffer.find(b"\n")) < 0:
            self._drop(len(self._buffer))
            if not self._fill():
                return start
        self._drop(found + 1)
        return start

    def _fill(self) -> bool:
        try:
            self._buffer += next(self._chunks)
        except StopIteration:
            return False
        except (zlib.error, zstandard.ZstdError, EOFError, OSError) as error:
            self.damage = str(error)
            return False
        return True

    def _drop(self, size: int) -> None:
        del self._buffer[:size]
        self.position += size


def _chunks(file: BinaryIO, on_read: Callable[[int], None]) -> Iterator[bytes]:
    magic = file.read(4)
    file.seek(0)
    if magic.startswith(_GZIP):
        pieces = _gunzip(file)
    elif magic == _ZSTD:
        pieces = _unzstd(file)
    else:
        pieces = iter(lambda: file.read(_CHUNK), b"")
    for piece in pieces:
        on_read(file.tell())
        yield piece


def _gunzip(file: BinaryIO) -> Iterator[bytes]:
    compressed = file.read(_CHUNK)
    while compressed:
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            if piece := member.decompress(compressed, _CHUNK):
                yield piece
            compressed = member.unconsumed_tail or member.unused_data
            if not compressed and not (compressed := file.read(_CHUNK)) and not member.eof:
                yield member.flush()
                raise EOFError("the compressed data ends too early")


def _unzstd(file: BinaryIO) -> Iterator[bytes]:
    compressed = file.read(_ZSTD_CHUNK)
    while compressed:
        frame = zstandard.ZstdDecompressor().decompressobj()
        while not frame.eof:
            if not compressed:
                raise EOFError("the compressed data ends too early")
            if piece := frame.decompress(compressed):
                yield piece
            compressed = frame.unused_data or file.read(_ZSTD_CHUNK)
