"""A store that counts what it takes."""

import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property

from tracejury.receiver.first_seen import FirstSeen
from tracejury.receiver.meter import Meter
from tracejury.store.contents import Committed
from tracejury.store.removal import Removed, Slice
from tracejury.store.writer import Store
from tracejury.telemetry.batch import Batch


class MeasuredStore(Store):
    """Tells its `meter` of every commit, and of what is pruned; `first_seen` of commits, if set."""

    first_seen: FirstSeen | None = None

    @cached_property
    def meter(self) -> Meter:
        return Meter()

    def commit(self, batches: Sequence[Batch], *, received_ns: int, source: str) -> list[Committed]:
        started = time.monotonic()
        committed = super().commit(batches, received_ns=received_ns, source=source)
        self.meter.committed(time.monotonic() - started)
        for batch, part in zip(batches, committed, strict=True):
            kind = _kind(batch)
            self.meter.settled(kind, "stored", part.stored)
            self.meter.settled(kind, "duplicate", part.duplicates)
            self.meter.settled(kind, "rejected", part.rejected)
        if self.first_seen is not None:
            # Whatever fails here, such as a closed stderr: the commit is on disk.
            with suppress(Exception):
                self.first_seen.note(self, batches)
        return committed

    def prune(self, doomed: Slice, *, now_ns: int) -> Removed | None:
        removed = super().prune(doomed, now_ns=now_ns)
        if removed is not None:
            self.meter.pruned(removed.counts())
        return removed


def _kind(batch: Batch) -> str:
    """What a batch holds; it is of one signal."""
    if batch.alerts.num_rows:
        return "alerts"
    if batch.points.num_rows:
        return "points"
    return "logs" if batch.logs.num_rows else "spans"
