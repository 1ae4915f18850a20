"""Who gets room in memory, and who is turned away for whom."""

import asyncio
from contextlib import ExitStack

import pytest

from tracejury.receiver.admission import Admission, Hold, OverloadError


async def _body() -> bytes:
    return b""


class Crowd:
    """Requests that are held, some of which only arrive."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.held = ExitStack()
        self.arriving: list[asyncio.Task[bytes]] = []

    async def arrive(self, size: int = 0) -> Hold:
        hold = self.held.enter_context(self.admission.admit())
        hold.grow(size)
        never = asyncio.get_running_loop().create_future()
        self.arriving.append(asyncio.ensure_future(hold.arrived(never)))
        await asyncio.sleep(0)
        return hold

    async def wait(self, size: int = 0) -> Hold:
        hold = self.held.enter_context(self.admission.admit())
        hold.grow(size)
        await hold.arrived(_body())
        return hold

    async def turned_away(self) -> list[bool]:
        """Of those that arrive, in their order."""
        for _ in range(3):
            await asyncio.sleep(0)
        return [
            isinstance(of.exception(), OverloadError) if of.done() else False
            for of in self.arriving
        ]

    async def leave(self) -> None:
        for one in self.arriving:
            one.cancel()
        await asyncio.gather(*self.arriving, return_exceptions=True)
        self.held.close()
        assert (self.admission.requests, self.admission.size) == (0, 0)


async def test_whoever_waits_is_not_turned_away_for_a_newcomer() -> None:
    crowd = Crowd(Admission(request_limit=4, bytes_limit=100))
    for _ in range(2):
        await crowd.arrive()
        await crowd.wait()
    with pytest.raises(OverloadError), crowd.admission.admit():
        pass
    assert await crowd.turned_away() == [False, False]
    await crowd.leave()


async def test_the_one_that_arrives_longest_makes_room_where_most_only_arrive() -> None:
    crowd = Crowd(Admission(request_limit=4, bytes_limit=100))
    await crowd.wait()
    for _ in range(3):
        await crowd.arrive(10)
    await crowd.wait()
    assert await crowd.turned_away() == [True, False, False]
    assert (crowd.admission.requests, crowd.admission.size) == (4, 20)
    with pytest.raises(OverloadError), crowd.admission.admit():
        pass
    await crowd.leave()


async def test_bytes_that_wait_are_kept() -> None:
    crowd = Crowd(Admission(request_limit=9, bytes_limit=100))
    await crowd.wait(50)
    await crowd.arrive(50)
    with pytest.raises(OverloadError):
        await crowd.wait(1)
    assert await crowd.turned_away() == [False]
    await crowd.leave()


async def test_bytes_of_those_that_arrive_make_room_but_never_for_their_own() -> None:
    crowd = Crowd(Admission(request_limit=9, bytes_limit=100))
    for _ in range(3):
        await crowd.arrive(30)
    newest = await crowd.arrive(10)
    newest.grow(30)
    assert await crowd.turned_away() == [True, False, False, False]
    assert crowd.admission.size == 100
    with pytest.raises(OverloadError):
        newest.grow(90)
    await crowd.leave()


async def test_who_was_turned_away_takes_no_more() -> None:
    crowd = Crowd(Admission(request_limit=1, bytes_limit=100))
    slow = await crowd.arrive(10)
    await crowd.wait(100)
    with pytest.raises(OverloadError):
        slow.grow(1)
    assert await crowd.turned_away() == [True]
    await crowd.leave()
