"""Whether the store may grow: a flood must not pass --max-size while the oldest is removed for it.

Where there is nothing that could be removed, it may: what comes is not lost to keep a size.
"""

import logging
from typing import Final

from tracejury.receiver.answers import RETRY_AFTER_FAILURE_S, Code, Refused
from tracejury.store.writer import Store

NO_ROOM: Final = Refused(
    Code.UNAVAILABLE,
    "The store takes all of --max-size, and the oldest of it is still being removed.",
    retry_after_s=RETRY_AFTER_FAILURE_S,
)

_log = logging.getLogger(__name__)


class Room:
    """What a store takes of `max_size` bytes; None: there is no such bound.

    The thread that commits measures after each commit, the one that prunes when it has made room.
    """

    def __init__(self, store: Store, max_size: int | None) -> None:
        self._store = store
        self._max_size = max_size
        self._is_open = False  # the bound does not hold
        self._was_within = False  # what is too large when it is opened is pruned meanwhile
        self.dead = 0  # of the bytes in use, what removed rows take
        self.used = 0
        self.is_full = False

    def measure(self) -> int:
        """The bytes that count against the bound; and whether there is room is known anew."""
        if self._max_size is None:
            return 0
        self.used = max(0, self._store.used_size() - self.dead)
        self._was_within |= self.used <= self._max_size
        self._judge()
        return self.used

    def open(self, *, is_open: bool) -> None:
        """Let the store grow past the bound, since nothing can be removed; or no more."""
        self._is_open = is_open
        self._judge()

    def _judge(self) -> None:
        is_over = self._max_size is not None and self.used > self._max_size
        is_full = is_over and self._was_within and not self._is_open
        if is_full and not self.is_full:
            _log.warning("%s Exporters are asked to send again.", NO_ROOM.message)
        if self.is_full and not is_full:
            _log.warning("The store takes more again.")
        self.is_full = is_full
