"""How much the receiver holds in memory at once, from a request's first byte to its answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

REQUEST_LIMIT: Final = 4096
BYTES_LIMIT: Final = 256 * 2**20


class OverloadError(Exception):
    """The receiver holds as much as it may; the client should come again."""


class Admission:
    """The requests and bytes held. For one thread: the event loop's."""

    def __init__(
        self, *, request_limit: int = REQUEST_LIMIT, bytes_limit: int = BYTES_LIMIT
    ) -> None:
        self._request_limit = request_limit
        self._bytes_limit = bytes_limit
        self.requests = 0
        self.size = 0

    @contextmanager
    def admit(self) -> Iterator["Hold"]:
        """Hold one request until the block ends; raises `OverloadError` when there are too many."""
        if self.requests >= self._request_limit:
            raise OverloadError
        self.requests += 1
        hold = Hold(self)
        try:
            yield hold
        finally:
            self.requests -= 1
            self.size -= hold.size

    def take(self, size: int) -> None:
        if self.size + size > self._bytes_limit:
            raise OverloadError
        self.size += size


class Hold:
    """What one request holds."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.size = 0

    def grow(self, size: int) -> None:
        """Hold `size` bytes more; raises `OverloadError` when they do not fit."""
        self._admission.take(size)
        self.size += size
