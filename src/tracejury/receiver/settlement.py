"""Settle some requests together: decode, commit once, and an answer for each."""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Final

from tracejury.errors import StoreError
from tracejury.otlp.alert_webhook import Content
from tracejury.otlp.decode import decode
from tracejury.otlp.json_spelling import odd_spelling
from tracejury.otlp.message_count import COUNTED_ABOVE
from tracejury.otlp.signals import Encoding, MalformedRequest, Signal
from tracejury.receiver.answers import RETRY_AFTER_FAILURE_S, Accepted, Answer, Code, Refused
from tracejury.store.writer import Store
from tracejury.telemetry.batch import Batch

# More at once is not faster, and of no more than that the messages need not be counted first.
_DECODED_AT_ONCE: Final = COUNTED_ABOVE

# Two bytes of a body may become a row. Of requests that become more, one commit takes only the
# first; those of usual telemetry, as many as share a commit, become half of it.
COMMIT_ROWS: Final = 2**20

_TABLES: Final = [table.name for table in fields(Batch) if table.name != "requests"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came, decompressed."""

    signal: Content
    encoding: Encoding
    body: bytes


@dataclass(frozen=True, slots=True)
class Reading:
    """Some requests as they were understood; the answers hold once the batches are on disk.

    `taken` says which: each has its answer, and those that are missing belong into later commits.
    """

    received_ns: int
    taken: list[int] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Whether the batches have as many rows as one commit is to take."""
        return _rows(self.batches) >= COMMIT_ROWS


def read(requests: Sequence[Request]) -> Reading:
    """Understand `requests`, the first at least, which needs no store."""
    reading = Reading(time.time_ns())
    for signal, encoding, positions in _groups(requests):
        bodies = [requests[position].body for position in positions]
        outcomes = _decode(signal, encoding, bodies, reading)
        if encoding is Encoding.JSON and isinstance(signal, Signal):
            outcomes = [
                _warned(outcome, body) for outcome, body in zip(outcomes, bodies, strict=False)
            ]
        reading.taken.extend(positions[: len(outcomes)])
        reading.answers.extend(outcomes)
        if reading.is_full:
            break
    return reading


def settle(
    store: Store, requests: Sequence[Request], reading: Callable[[], Reading] | None = None
) -> list[Answer]:
    """Store `requests`; an `Accepted` one is on disk.

    They share one commit unless they become too many rows. A request that cannot be decoded or
    stored costs no other request anything. `reading` gives what `read` says of all of them, in
    their order, or raises what it raised, where that was done before.
    """
    try:
        if reading is None:
            return _read_and_write(store, requests)
        return _write(store, reading())
    except Exception as error:  # noqa: BLE001  # whatever one body provokes, its client is answered
        if len(requests) == 1:
            return [_refusal(error)]
        return _settle_halves(store, requests, error)


def _settle_halves(store: Store, requests: Sequence[Request], error: Exception) -> list[Answer]:
    middle = len(requests) // 2
    halves = [requests[:middle], requests[middle:]]
    answers: list[list[Answer] | None] = [_try_together(store, half) for half in halves]
    if answers == [None, None]:
        # No half can be stored: it is the store that fails, not what it was given.
        return [_refusal(error)] * len(requests)
    return [
        answer
        for half, settled in zip(halves, answers, strict=True)
        for answer in (settle(store, half) if settled is None else settled)
    ]


def _try_together(store: Store, requests: Sequence[Request]) -> list[Answer] | None:
    try:
        return _read_and_write(store, requests)
    except Exception:  # noqa: BLE001  # reported by whoever finds the request that provokes it
        return None


def _read_and_write(store: Store, requests: Sequence[Request]) -> list[Answer]:
    answers: dict[int, Answer] = {}
    left = list(range(len(requests)))
    while left:
        reading = read([requests[position] for position in left])
        taken = [left[at] for at in reading.taken]
        answers |= zip(taken, _write(store, reading), strict=True)
        left = [position for position in left if position not in answers]
    return [answers[position] for position in range(len(requests))]


def _write(store: Store, reading: Reading) -> list[Answer]:
    try:
        if reading.batches:
            store.commit(reading.batches, received_ns=reading.received_ns, source="serve")
    except StoreError:
        raise
    except Exception as error:
        # Whatever it is, the telemetry is in order: its sender had better keep it.
        raise StoreError(
            f"The store could not be written: {error}.", next_step="Send it again."
        ) from error
    return reading.answers


def _groups(requests: Sequence[Request]) -> Iterator[tuple[Content, Encoding, list[int]]]:
    """The positions of requests that are decoded together."""
    alike: dict[tuple[Content, Encoding], list[int]] = defaultdict(list)
    for position, request in enumerate(requests):
        alike[request.signal, request.encoding].append(position)
    for (signal, encoding), positions in alike.items():
        group: list[int] = []
        size = 0
        for position in positions:
            body_size = len(requests[position].body)
            if group and size + body_size > _DECODED_AT_ONCE:
                yield signal, encoding, group
                group, size = [], 0
            group.append(position)
            size += body_size
        yield signal, encoding, group


def _decode(
    signal: Content, encoding: Encoding, bodies: Sequence[bytes], reading: Reading
) -> list[Answer]:
    """Add the batches of `bodies`, or of the first of them, to `reading`, and give the answers."""
    try:
        batch = decode(signal, encoding, bodies)
    except MalformedRequest as error:
        if len(bodies) == 1:
            return [Refused(Code.INVALID_ARGUMENT, str(error))]
        answers: list[Answer] = []
        for body in bodies:
            if reading.is_full:
                break
            answers += _decode(signal, encoding, [body], reading)
        return answers
    reading.batches.append(batch)
    return list(_acceptances(batch))


def _rows(batches: Sequence[Batch]) -> int:
    return sum(getattr(batch, name).num_rows for batch in batches for name in _TABLES)


def _acceptances(batch: Batch) -> Iterator[Accepted]:
    rejections = {row["request"]: row for row in batch.rejections.to_pylist()}
    for request in range(batch.requests):
        row = rejections.get(request)
        yield Accepted(row["rejected"], row["reason"]) if row else Accepted()


def _warned(answer: Answer, body: bytes) -> Answer:
    """A rejection of nothing, with a reason, is how OTLP says that something is odd."""
    if isinstance(answer, Refused):
        return answer
    warning = odd_spelling(body)
    return replace(answer, reason=f"{answer.reason} {warning}".strip()) if warning else answer


def _refusal(error: Exception) -> Refused:
    if isinstance(error, StoreError):
        return Refused(Code.UNAVAILABLE, str(error), retry_after_s=RETRY_AFTER_FAILURE_S)
    _log.error("A request could not be processed; it was refused.", exc_info=error)
    return Refused(Code.INTERNAL, "The request cannot be processed; this is tracejury's fault.")
