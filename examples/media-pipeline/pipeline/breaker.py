"""A circuit breaker: after some failures in a row it refuses, and after a while it lets one try."""

import time


class BreakerOpenError(Exception):
    """The target failed too often in a row: it is not called for now."""


class CircuitBreaker:
    """Counts the failures of one target in this process; `failures` of None never refuses."""

    def __init__(self, target, failures, *, rest_seconds):
        self._target = target
        self._limit = failures
        self._rest_seconds = rest_seconds
        self._failures = 0
        self._opened = 0.0

    def check(self):
        if self._limit is None or self._failures < self._limit:
            return
        if time.monotonic() - self._opened < self._rest_seconds:
            raise BreakerOpenError(
                f"circuit breaker is open: {self._target} failed {self._failures} times in a row"
            )

    def succeeded(self):
        self._failures = 0

    def failed(self):
        self._failures += 1
        self._opened = time.monotonic()
