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
        self._is_held = False  # from when it was kept until it was given up
        self.dead = 0  # of the bytes in use, what removed rows take
        self.used = 0
        self.is_full = False

    def measure(self) -> int:
        """The bytes that count against the bound; and whether there is room is known anew."""
        if self._max_size is None:
            return 0
        self.used = max(0, self._store.used_size() - self.dead)
        is_over = self.used > self._max_size
        self._is_held |= not is_over
        self._judge(is_full=is_over and self._is_held)
        return self.used

    def give_up(self) -> None:
        """Let the store grow past the bound, until it is within it again."""
        self._is_held = False
        self._judge(is_full=False)

    def _judge(self, *, is_full: bool) -> None:
        if is_full and not self.is_full:
            _log.warning("%s Exporters are asked to send again.", NO_ROOM.message)
        if self.is_full and not is_full:
            _log.warning("The store takes more again.")
        self.is_full = is_full
