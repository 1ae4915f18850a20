"""Keep the store within its bounds while it is written: the oldest workflow instances go.

A thread looks every second. It plans over a connection of its own, removes slice by slice between
the commits, and rests after each slice, so that commits get their turn.
"""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from tracejury.config import Retention
from tracejury.errors import StoreError
from tracejury.receiver.room import Room
from tracejury.store.pruning import late_parts, not_free_yet, plan
from tracejury.store.reader import Reader
from tracejury.store.removal import Slice
from tracejury.store.writer import Store

_EVERY_S: Final = 1.0
_INTERRUPT_AGAIN_S: Final = 0.05
# What has received something since then is never removed to make space, however old it is.
_STILL_RECEIVING_S: Final = 60.0
# Removing begins before the bound is reached, and ends a little below, so that it is not begun
# again at once. What is written between two looks must fit in between.
_BEGIN: Final = 0.9
_END: Final = 0.8
# While slices are removed, the log may grow by such a part of the bound; and at any time, but for
# what each checkpoint leaves half empty of the file.
_LOG: Final = 0.1
_LOG_MIB: Final = (16, 64)
# After a slice, for such a part of the time that it took, waiting for its turn included.
_REST: Final = 0.25
# Planning takes no more than so much of the time where there was nothing to remove.
_SHARE_OF_TIME: Final = 0.05

_log = logging.getLogger(__name__)


@asynccontextmanager
async def pruning(store: Store, retention: Retention) -> AsyncIterator[Room]:
    """Keep `store` within the bounds of `retention` while the block runs; yields what is left."""
    stopped = threading.Event()
    pruner = Pruner(store, retention, stopped)
    if not retention.is_bounded:
        yield pruner.room
        return
    thread = threading.Thread(target=pruner.run, name="prune")
    thread.start()
    try:
        yield pruner.room
    finally:
        await asyncio.to_thread(pruner.stop, thread)


class Pruner:
    """Removes what is too old, or too much, from a store that is being written."""

    def __init__(
        self,
        store: Store,
        retention: Retention,
        stopped: threading.Event,
        *,
        still_receiving_s: float = _STILL_RECEIVING_S,
    ) -> None:
        self._store = store
        self.room = Room(store, retention.max_size)
        self._retention = retention
        self._stopped = stopped
        self._still_receiving_s = still_receiving_s
        self._swept = {"spans": 0, "logs": 0}  # the numbers below which nothing came late
        self._rests_until = 0.0
        self._planning: Reader | None = None
        self._is_too_large = False
        self._failure = ""  # what was said of it last
        if retention.max_size is not None:
            least, most = _LOG_MIB
            store.limit_log(min(max(int(_LOG * retention.max_size) >> 20, least), most))
            self.room.measure()

    def run(self) -> None:
        """Look again and again until `stopped` is set."""
        while not self._stopped.wait(_EVERY_S):
            self.attempt()
        self.attempt()  # what came late meanwhile

    def stop(self, thread: threading.Thread) -> None:
        """End the `thread` that runs this; a plan may take long, and is given up."""
        self._stopped.set()
        while thread.is_alive():
            if (planning := self._planning) is not None:
                planning.interrupt()
            thread.join(_INTERRUPT_AGAIN_S)

    def attempt(self) -> None:
        """Look; whatever fails is said once, and tried again at the next look."""
        try:
            self.look(time.time_ns())
        except Exception as error:  # noqa: BLE001  # as above
            if str(error) != self._failure:
                cause = None if isinstance(error, StoreError) else error
                _log.warning("Nothing could be pruned: %s", error, exc_info=cause)
            self._failure = str(error)
            self.room.give_up()
        else:
            self._failure = ""

    def look(self, now_ns: int) -> None:
        """Remove what is beyond the bounds now. Raises `StoreError`."""
        self._sweep(now_ns)
        is_resting = time.monotonic() < self._rests_until and not self.room.is_full
        if self._stopped.is_set() or is_resting:
            return
        self._by_age(now_ns)
        self._by_size(now_ns)

    def _sweep(self, now_ns: int) -> None:
        """Remove what came of instances that had been removed: nothing shall be there in part."""
        with Reader.of(self._store) as reader:
            [ends] = reader.rows("""
                SELECT
                    (SELECT coalesce(max(span_no) + 1, 0) FROM stored.span) AS spans,
                    (SELECT coalesce(max(log_no) + 1, 0) FROM stored.log_record) AS logs
            """)
            if ends == self._swept:
                return
            late = late_parts(reader, **self._swept)
        if late is not None:
            self._store.prune(late, now_ns=now_ns)
        self._swept = ends

    def _by_age(self, now_ns: int) -> None:
        if self._retention.max_age_seconds is None:
            return
        until_ns = now_ns - int(self._retention.max_age_seconds * 1e9)
        with Reader.of(self._store) as reader:
            oldest_ns = reader.value("""
                SELECT least(
                    (SELECT min(received_ns) FROM stored.span),
                    (SELECT min(received_ns) FROM stored.log_record),
                    (SELECT min(received_ns) FROM stored.metric_point),
                    (SELECT min(received_ns) FROM stored.alert)
                )
            """)
            if oldest_ns is None or oldest_ns > until_ns:
                return
            begun = time.monotonic()
            slices = self._plan(reader, until_ns)
        self._prune(slices, now_ns, begun)

    def _by_size(self, now_ns: int) -> None:
        max_size = self._retention.max_size
        if max_size is None or not self._is_nearly_full(max_size):
            return
        begun = time.monotonic()
        with Reader.of(self._store) as reader:
            used = self._measure(reader)
            slices: list[Slice] = []
            if used > _BEGIN * max_size:
                until_ns = now_ns - int(self._still_receiving_s * 1e9)
                share = 1 - _END * max_size / used
                slices = self._plan(reader, until_ns, share)
        pruned = self._prune(slices, now_ns, begun)
        if pruned:
            with Reader.of(self._store) as reader:
                self._measure(reader)
        if self.room.used > max_size:
            # What was not planned to go is still receiving.
            self.room.give_up()
        self._tell(used, is_too_large=not pruned and used > max_size)

    def _measure(self, reader: Reader) -> int:
        self.room.dead = not_free_yet(reader)
        return self.room.measure()

    def _is_nearly_full(self, max_size: int) -> bool:
        """Whether it is once the log is in the file, where what it has takes less space."""
        if self._store.used_size() > _BEGIN * max_size:
            self._store.checkpoint()
            if self._store.used_size() > _BEGIN * max_size:
                return True
        self.room.dead = 0
        self.room.measure()
        return False

    def _plan(self, reader: Reader, until_ns: int, share: float | None = None) -> list[Slice]:
        self._planning = reader
        try:
            return plan(reader, self._retention.keys, until_ns=until_ns, share=share)
        except StoreError:
            if self._stopped.is_set():
                return []
            raise
        finally:
            self._planning = None

    def _prune(self, slices: list[Slice], now_ns: int, planned_s: float) -> int:
        """Remove what was planned since `planned_s`; how many slices it was."""
        if not slices:
            self._rests_until = planned_s + (time.monotonic() - planned_s) / _SHARE_OF_TIME
        pruned = 0
        used = self._store.used_size()
        for doomed in slices:
            if self._stopped.is_set():
                break
            begun = time.monotonic()
            pruned += self._store.prune(doomed, now_ns=now_ns) is not None
            used = self._shrink_log(used)
            self._stopped.wait(_REST * (time.monotonic() - begun))
        if pruned:
            self._store.forget_old_traces()
            # Only then are the blocks free.
            self._store.checkpoint()
        return pruned

    def _shrink_log(self, used: int) -> int:
        """Commits go on, and their log must not outgrow what is removed; the size to go on from."""
        max_size = self._retention.max_size
        if max_size is None or self._store.used_size() < used + _LOG * max_size:
            return used
        self._store.checkpoint()
        return self._store.used_size()

    def _tell(self, used: int, *, is_too_large: bool) -> None:
        if is_too_large and not self._is_too_large:
            _log.warning(
                "The store takes %d MiB, more than --max-size: all of it is of workflow instances "
                "that received something in the last %.0f seconds.",
                used >> 20,
                self._still_receiving_s,
            )
        self._is_too_large = is_too_large
