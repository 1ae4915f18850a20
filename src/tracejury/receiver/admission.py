"""How much the receiver holds in memory at once, from a request's first byte to its answer.

Where most of that only arrives, slow clients hold the room that others need: then the one that has
been longest about it is turned away, and not whoever comes next.
"""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Final

REQUEST_LIMIT: Final = 4096
BYTES_LIMIT: Final = 96 * 2**20


class OverloadError(Exception):
    """The receiver holds as much as it may; the client should come again."""


class Admission:
    """The requests and bytes held. For one thread: the event loop's."""

    def __init__(
        self, *, request_limit: int = REQUEST_LIMIT, bytes_limit: int = BYTES_LIMIT
    ) -> None:
        self._request_limit = request_limit
        self._bytes_limit = bytes_limit
        self._arriving: dict[Hold, None] = {}  # the longest first
        self.requests = 0
        self.size = 0

    @contextmanager
    def admit(self) -> Iterator["Hold"]:
        """Hold one request until the block ends; raises `OverloadError` when there are too many."""
        if self.requests >= self._request_limit:
            if 2 * len(self._arriving) <= self._request_limit:
                raise OverloadError
            self._turn_away(next(iter(self._arriving)))
        self.requests += 1
        hold = Hold(self)
        try:
            yield hold
        finally:
            if not hold.is_turned_away:
                self.requests -= 1
                self.size -= hold.size

    def take(self, size: int, hold: "Hold") -> None:
        while self.size + size > self._bytes_limit:
            others = [other for other in self._arriving if other is not hold and other.size]
            if 2 * sum(other.size for other in others) <= self._bytes_limit:
                raise OverloadError
            self._turn_away(others[0])
        self.size += size

    def begin(self, hold: "Hold") -> None:
        self._arriving[hold] = None

    def end(self, hold: "Hold") -> None:
        self._arriving.pop(hold, None)

    def _turn_away(self, hold: "Hold") -> None:
        self.end(hold)
        self.requests -= 1
        self.size -= hold.size
        hold.turn_away()


class Hold:
    """What one request holds."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._patience = asyncio.timeout(None)
        self.is_turned_away = False
        self.size = 0

    async def arrived(self, body: Awaitable[bytes]) -> bytes:
        """The whole body; raises `OverloadError` when others need the room meanwhile."""
        self._admission.begin(self)
        try:
            async with self._patience:
                return await body
        except TimeoutError:
            if self.is_turned_away:
                raise OverloadError from None
            raise
        finally:
            self._admission.end(self)

    def grow(self, size: int) -> None:
        """Hold `size` bytes more; raises `OverloadError` when they do not fit."""
        if self.is_turned_away:
            raise OverloadError
        self._admission.take(size, self)
        self.size += size

    def turn_away(self) -> None:
        self.is_turned_away = True
        self._patience.reschedule(asyncio.get_running_loop().time())
