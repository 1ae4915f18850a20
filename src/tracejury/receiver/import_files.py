"""Load OTLP files into a store, record by record, and say what was wrong with the rest."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from tracejury.otlp.decode import MalformedRequest, decode
from tracejury.otlp.files import BrokenRecord, FileRequest, read_requests
from tracejury.otlp.message_count import COUNTED_ABOVE
from tracejury.store.contents import Committed
from tracejury.store.writer import Store
from tracejury.telemetry.batch import Batch

# A commit takes about as long for a hundred requests as for one.
_BYTES_A_COMMIT: Final = COUNTED_ABOVE
_REQUESTS_A_COMMIT: Final = 256


@dataclass(frozen=True, slots=True)
class Refused:
    """A record of a file that was not loaded."""

    path: Path
    position: str
    reason: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of a file."""

    stored: int
    duplicates: int
    rejected: int
    refused: tuple[Refused, ...]

    @property
    def has_loaded(self) -> bool:
        """Whether anything of it is in the store now, or was before."""
        return bool(self.stored or self.duplicates)


def import_file(
    store: Store, path: Path, on_progress: Callable[[int, int, int], None] = lambda *_: None
) -> Loaded:
    """Load the file at `path`. `on_progress` is told bytes read, bytes in all, records stored.

    Raises `InputError` when the file cannot be read or is no OTLP at all.
    """
    refused: list[Refused] = []
    committed: list[Committed] = []

    def tell(read: int, total: int) -> None:
        on_progress(read, total, sum(part.stored for part in committed))

    for batches in _ahead(_batches(_groups(read_requests(path, tell)), path, refused)):
        committed += store.commit(batches, received_ns=time.time_ns(), source=path.name)
    first = refused[0] if refused else Refused(path, "", "")
    store.record_unread(path.name, len(refused), first.position, first.reason, time.time_ns())
    return Loaded(
        stored=sum(part.stored for part in committed),
        duplicates=sum(part.duplicates for part in committed),
        rejected=sum(part.rejected for part in committed),
        refused=tuple(refused),
    )


def _ahead(groups: Iterator[list[Batch]]) -> Iterator[list[Batch]]:
    """The same, each read in a thread while the one before is being stored."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="read") as thread:
        coming = thread.submit(next, groups, None)
        while (group := coming.result()) is not None:
            coming = thread.submit(next, groups, None)
            yield group


def _groups(
    records: Iterator[FileRequest | BrokenRecord],
) -> Iterator[list[FileRequest | BrokenRecord]]:
    group: list[FileRequest | BrokenRecord] = []
    size = 0
    for record in records:
        record_size = len(record.body) if isinstance(record, FileRequest) else 0
        if group and (size + record_size > _BYTES_A_COMMIT or len(group) == _REQUESTS_A_COMMIT):
            yield group
            group, size = [], 0
        group.append(record)
        size += record_size
    if group:
        yield group


def _batches(
    groups: Iterator[list[FileRequest | BrokenRecord]], path: Path, refused: list[Refused]
) -> Iterator[list[Batch]]:
    """What each group says; what cannot be read is added to `refused`."""
    for group in groups:
        good = []
        for record in group:
            if isinstance(record, BrokenRecord):
                refused.append(Refused(path, record.position, record.reason))
            else:
                good.append(record)
        batches: list[Batch] = []
        for _, alike in groupby(good, key=lambda request: (request.signal, request.encoding)):
            batches += _decoded(list(alike), path, refused)
        if batches:
            yield batches


def _decoded(alike: Sequence[FileRequest], path: Path, refused: list[Refused]) -> list[Batch]:
    """One batch; or, where a request is broken, one batch each for the others."""
    first = alike[0]
    try:
        return [decode(first.signal, first.encoding, [request.body for request in alike])]
    except MalformedRequest as error:
        if len(alike) == 1:
            refused.append(Refused(path, first.position, error.message))
            return []
    return [batch for request in alike for batch in _decoded([request], path, refused)]
