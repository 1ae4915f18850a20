"""The socket on which readers ask for a snapshot of the store that is being written."""

import asyncio
import json
import logging
import os
import socket
import stat
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tracejury.errors import StoreError
from tracejury.store.snapshot import (
    SNAPSHOT_VERB,
    discard_forgotten_snapshots,
    discard_snapshot,
    share_snapshot,
    socket_addresses,
    take_snapshot,
)
from tracejury.store.writer import Store

# Readers at once, those included that have not said what they want.
READER_LIMIT: Final = 64
_VERB_DEADLINE_S: Final = 10.0
_LEAVE_DEADLINE_S: Final = 10.0

_log = logging.getLogger(__name__)


@asynccontextmanager
async def offer_snapshots(store: Store, path: Path) -> AsyncIterator[None]:
    """Answer readers of the store at `path` while the block runs."""
    discard_forgotten_snapshots(path)
    bound = _bind(path)
    if bound is None:
        _log.warning("No socket can be made for %s: it cannot be read while this runs.", path)
        yield
        return
    listener, address = bound
    copies = _Copies(store, path)

    server = await asyncio.start_unix_server(copies.answer_reader, sock=listener)
    try:
        yield
    finally:
        server.close()
        async with copies.turn:
            address.unlink(missing_ok=True)


async def _say(writer: asyncio.StreamWriter, answer: dict[str, str]) -> None:
    writer.write(json.dumps(answer).encode() + b"\n")
    await writer.drain()


async def _hand_over(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: dict[str, str]
) -> None:
    """Say where the copy is, and delete it where the reader leaves without having read that."""
    try:
        await _say(writer, answer)
        async with asyncio.timeout(_LEAVE_DEADLINE_S):
            await reader.read(1)  # nothing, once it has left; an error, where something was unread
    except TimeoutError:
        pass  # it is still there
    except OSError:
        if "path" in answer:
            discard_snapshot(Path(answer["path"]))
        raise


class _Copies:
    """One copy at a time; readers that ask while one is made share the next."""

    def __init__(self, store: Store, path: Path) -> None:
        self.turn = asyncio.Lock()
        self._places = asyncio.Semaphore(READER_LIMIT)
        self._store = store
        self._path = path
        self._waiting = 0
        self._shared: tuple[Path, float] | None = None  # and when it was begun

    async def answer_reader(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Give one reader a copy, if that is what it wants."""
        try:
            if self._places.locked():
                await _say(writer, {"error": "Too many readers wait for one."})
                return
            async with self._places:
                async with asyncio.timeout(_VERB_DEADLINE_S):
                    verb = await reader.readline()
                if verb == SNAPSHOT_VERB:
                    await _hand_over(reader, writer, await self.next())
        except (TimeoutError, OSError, ValueError):
            pass  # the reader has gone, or speaks another language
        finally:
            writer.close()

    async def next(self) -> dict[str, str]:
        """The answer to a reader: a copy of the store as it is now, or was after it had asked."""
        asked = time.monotonic()
        self._waiting += 1
        async with self.turn:
            self._waiting -= 1
            try:
                return {"path": str(await asyncio.to_thread(self._give, asked))}
            except StoreError as error:
                return {"error": str(error)}

    def _give(self, asked: float) -> Path:
        if self._shared is None or self._shared[1] < asked:
            self._forget()
            begun = time.monotonic()
            self._shared = take_snapshot(self._store), begun
        copy, _ = self._shared
        if not self._waiting:
            self._shared = None
            return copy
        return share_snapshot(copy, self._path)

    def _forget(self) -> None:
        if self._shared is not None:
            discard_snapshot(self._shared[0])
            self._shared = None


def _bind(path: Path) -> tuple[socket.socket, Path] | None:
    for address in socket_addresses(path):
        try:
            return _listen(address), address
        except OSError:
            continue
    return None


def _listen(address: Path) -> socket.socket:
    if address.parent.name == f"tracejury-{os.getuid()}":
        _make_private(address.parent)
    if address.is_socket():
        # Whoever listened there held the store, which is ours now: it was killed.
        address.unlink()
    listener = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        listener.bind(str(address))
        listener.listen()
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(mask)
    return listener


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    is_private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if not is_private or found.st_mode & 0o077:
        raise PermissionError(f"{folder} is not private")
