"""What is waiting shares a commit. One thread decodes it while another commits what came before."""

import asyncio
import logging
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeAlias

from tracejury.errors import StoreError
from tracejury.receiver.answers import RETRY_AFTER_OVERLOAD_S, Answer, Code, Refused
from tracejury.receiver.room import NO_ROOM, Room
from tracejury.receiver.settlement import Reading, Request, read, settle
from tracejury.store.writer import Store

# What one commit takes at most. More raises the throughput little, and each answer's delay.
_COMMIT_REQUESTS: Final = 256
_COMMIT_BYTES: Final = 16 * 2**20

_log = logging.getLogger(__name__)

_Waiting: TypeAlias = tuple[Request, "asyncio.Future[Answer]"]


class Pipeline:
    """The way from a received request to its answer.

    `commit_failure` says why the last commit was impossible, None when it was not. What is refused
    for lack of `room` is so before it is decoded.
    """

    def __init__(self, store: Store, room: Room | None = None) -> None:
        self._store = store
        self.room = room or Room(store, None)
        self._loop = asyncio.get_running_loop()
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._is_closed = False
        self._is_last_taken = False
        self._is_idle = False  # nothing is waiting or being decoded
        self._thread = threading.Thread(target=self._run, name="decode")
        self._thread.start()
        self.commit_failure: str | None = None

    @property
    def failure(self) -> str | None:
        """Why requests are refused now that are in order; None when they are not."""
        return NO_ROOM.message if self.room.is_full else self.commit_failure

    async def submit(self, request: Request) -> Answer:
        """Answered once `request` is on disk, or known not to be."""
        if self._is_closed:
            return Refused(
                Code.UNAVAILABLE, "The receiver is stopping.", retry_after_s=RETRY_AFTER_OVERLOAD_S
            )
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._waiting.put((request, answer))
        return await answer

    async def stop(self) -> None:
        """Commit and answer what is waiting, and take no more. May be called again."""
        self._is_closed = True
        self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="commit") as committer:
            commit: Future[None] | None = None
            while group := self._take():
                if self.room.is_full:
                    refused = [NO_ROOM] * len(group)
                    self._loop.call_soon_threadsafe(self._answer, group, refused)
                    continue
                while group:
                    # A large body takes several times its size while it is read and committed.
                    is_large = sum(len(request.body) for request, _ in group) > 2 * _COMMIT_BYTES
                    if is_large and commit is not None:
                        commit.result()
                    reading = _read([request for request, _ in group])
                    read, group = _parted(group, reading)
                    is_large |= reading.exception() is None and reading.result().is_full
                    if commit is not None:
                        # One group is decoded ahead and no more: what comes later shares a commit.
                        commit.result()
                    commit = committer.submit(self._settle, read, reading)
                    if is_large:
                        commit.result()
                    del read, reading

    def _settle(self, group: Sequence[_Waiting], reading: "Future[Reading]") -> None:
        answers = settle(self._store, [request for request, _ in group], reading.result)
        # What is wrong with the store, the next commit finds out, too, and says.
        with suppress(StoreError, OSError):
            self.room.measure()
        self._loop.call_soon_threadsafe(self._deliver, group, answers)
        if self._is_idle:
            with suppress(StoreError, OSError):
                self._store.shorten_log()

    def _take(self) -> list[_Waiting]:
        """What is waiting, up to a commit's size; waits for the first. Empty: the end."""
        group: list[_Waiting] = []
        size = 0
        while not self._is_last_taken and len(group) < _COMMIT_REQUESTS and size < _COMMIT_BYTES:
            self._is_idle = not group
            try:
                item = self._waiting.get(block=not group)
            except queue.Empty:
                break
            self._is_idle = False
            if item is None:
                self._is_last_taken = True
                break
            group.append(item)
            size += len(item[0].body)
        return group

    def _deliver(self, group: Sequence[_Waiting], answers: Sequence[Answer]) -> None:
        self._note_health(answers)
        self._answer(group, answers)

    def _answer(self, group: Sequence[_Waiting], answers: Sequence[Answer]) -> None:
        for (_, waiter), answer in zip(group, answers, strict=True):
            if not waiter.done():
                waiter.set_result(answer)

    def _note_health(self, answers: Sequence[Answer]) -> None:
        failures = [
            answer.message
            for answer in answers
            if isinstance(answer, Refused) and answer.code is Code.UNAVAILABLE
        ]
        if failures and self.commit_failure is None:
            _log.error("%s Exporters are asked to send again.", failures[0])
        if not failures and self.commit_failure is not None:
            _log.warning("The store can be written again.")
        self.commit_failure = failures[0] if failures else None


def _read(requests: Sequence[Request]) -> "Future[Reading]":
    """What `read` gives or raises, for the thread that commits."""
    outcome: Future[Reading] = Future()
    try:
        outcome.set_result(read(requests))
    except Exception as error:  # noqa: BLE001  # raised again where the result is asked for
        outcome.set_exception(error)
    return outcome


def _parted(
    group: list[_Waiting], reading: "Future[Reading]"
) -> tuple[list[_Waiting], list[_Waiting]]:
    """What was read of a group, and what is left for later commits."""
    if reading.exception() is not None:
        return group, []
    taken = reading.result().taken
    left = sorted({*range(len(group))}.difference(taken))
    return [group[position] for position in taken], [group[position] for position in left]
