"""Take the one message of a gRPC call, of so few calls at once that they bound the memory.

gRPC holds what has come of a message and tells nobody how much: up to the largest size, twice while
it is put together. Until a message is asked for, it stays with its sender. So only `TURNS` calls
ask at once, the latest first: what waits longer is a flood. Messages come with their calls; who is
late with one gives up its turn, the sooner the more wait, and of those, too, there may be only so
many.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final, cast

from tracejury.receiver.admission import Hold, OverloadError
from tracejury.receiver.answers import Code, Refused

MESSAGE_DEADLINE_S: Final = 30.0
TURNS: Final = 3
LATE_LIMIT: Final = 4
_PROMPT_S: Final = 0.5
_LEAST_PROMPT_S: Final = 0.05  # a message that has come is read in a thousandth of a second


class NoMessageError(Exception):
    """The call has no message, or none in time."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.refused = Refused(code, message)


class Messages:
    """The messages of all calls. For one thread: the event loop's."""

    def __init__(self) -> None:
        self._free = TURNS
        self._waiting: list[asyncio.Future[None]] = []
        self._late: set[asyncio.Timeout] = set()

    async def take(self, messages: AsyncIterator[bytes], hold: Hold) -> bytes:
        """The message; raises `NoMessageError`, and `OverloadError` where others need the room."""
        deadline = asyncio.get_running_loop().time() + MESSAGE_DEADLINE_S
        patience = asyncio.timeout_at(deadline)
        try:
            async with patience:
                message = await self._in_turn(messages, patience)
        except TimeoutError:
            if patience.when() != deadline:
                raise OverloadError from None
            raise NoMessageError(
                Code.DEADLINE_EXCEEDED,
                f"The message took longer than {MESSAGE_DEADLINE_S:.0f} seconds.",
            ) from None
        except StopAsyncIteration:
            raise NoMessageError(Code.INVALID_ARGUMENT, "The call has no message.") from None
        hold.grow(len(message))
        return message

    async def _in_turn(self, messages: AsyncIterator[bytes], patience: asyncio.Timeout) -> bytes:
        await self._turn()
        prompt = max(_PROMPT_S / (1 + len(self._waiting) / TURNS), _LEAST_PROMPT_S)
        timer = asyncio.get_running_loop().call_later(prompt, self._note_late, patience)
        try:
            # gRPC's generator keeps the last message it gave, and itself in a cycle, unless closed.
            async with aclosing(cast("AsyncGenerator[bytes]", aiter(messages))) as received:
                return await anext(received)
        finally:
            timer.cancel()
            if patience in self._late:
                self._late.remove(patience)
            else:
                self._pass_on()

    async def _turn(self) -> None:
        if self._free:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn in self._waiting:
                self._waiting.remove(turn)
            else:
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        if self._waiting:
            self._waiting.pop().set_result(None)
        else:
            self._free += 1

    def _note_late(self, patience: asyncio.Timeout) -> None:
        if len(self._late) < LATE_LIMIT:
            self._late.add(patience)
            self._pass_on()
        else:
            patience.reschedule(asyncio.get_running_loop().time())
