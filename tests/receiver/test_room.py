"""A flood does not pass --max-size while something is removed for it: it is told to come again."""

import asyncio
import os
import threading
import time
from pathlib import Path
from typing import Final

import pytest
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
from tests.receiver.requests import TRACES, Reply, failure, post, traces
from tests.receiver.stored import span_names
from tests.receiver.test_unavailable import Endpoints, endpoints
from tests.workflow.drawn import RECEIVED_NS, Span, deliver

from tracejury.config import Retention
from tracejury.errors import StoreError
from tracejury.receiver import retention
from tracejury.receiver.admission import Admission
from tracejury.receiver.retention import Pruner
from tracejury.receiver.room import NO_ROOM
from tracejury.store.writer import Store

ROOM: Final = 2**20
LARGE: Final = os.urandom(ROOM).hex()


def bounded(path: Path, received_ns: int) -> tuple[Store, Pruner]:
    """A store with one instance of that time, and `ROOM` bytes less than its bound."""
    store = Store.open(path)
    deliver(store, [Span(1, "first", attributes={"text": LARGE})], received_ns=received_ns)
    store.checkpoint()
    bound = Retention(max_size=store.used_size() + ROOM)
    return store, Pruner(store, bound, threading.Event())


async def sent(receiver: Endpoints, name: str, text: str = "") -> Reply:
    body = traces(name, text=text, trace_id=name.encode().rjust(16))
    return await asyncio.to_thread(post, receiver.http_port, "/v1/traces", body)


async def health(receiver: Endpoints) -> int:
    reply = await asyncio.to_thread(post, receiver.http_port, "/healthz", b"", method="GET")
    return reply.status


async def test_what_finds_no_room_is_told_to_come_again_until_the_oldest_is_removed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "run.duckdb"
    store, pruner = bounded(path, RECEIVED_NS)
    async with endpoints(store, Admission(), pruner) as receiver:
        assert (await sent(receiver, "fits", LARGE)).status == 200
        refused = await sent(receiver, "flood")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "3")
        assert refused.rpc_status().message == NO_ROOM.message
        failed = await asyncio.to_thread(failure, receiver.grpc_target, TRACES, traces("flood"))
        assert failed.code().name == "UNAVAILABLE"
        trailers = dict(failed.trailing_metadata())
        wait = RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"])
        assert wait.retry_delay.seconds == 3
        assert await health(receiver) == 503
        await asyncio.to_thread(pruner.look, time.time_ns())
        assert await health(receiver) == 200
        assert (await sent(receiver, "again")).status == 200
    assert span_names(path) == ["again", "fits"]
    assert caplog.messages == [
        f"{NO_ROOM.message} Exporters are asked to send again.",
        "The store takes more again.",
    ]


async def test_where_nothing_can_be_removed_the_store_grows_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "run.duckdb"
    store, pruner = bounded(path, time.time_ns())
    async with endpoints(store, Admission(), pruner) as receiver:
        assert (await sent(receiver, "fits", LARGE)).status == 200
        assert (await sent(receiver, "flood")).status == 503
        await asyncio.to_thread(pruner.look, time.time_ns())
        assert "more than --max-size" in caplog.messages[-1]
        assert await health(receiver) == 200
        for name in ("more", "yet more"):
            assert (await sent(receiver, name, LARGE)).status == 200
    assert span_names(path) == ["first", "fits", "more", "yet more"]


def test_where_too_little_can_be_removed_the_store_grows(tmp_path: Path) -> None:
    path = tmp_path / "run.duckdb"
    store, pruner = bounded(path, RECEIVED_NS)
    with store:
        large = Span(2, "large", trace=2, attributes={"text": 3 * LARGE})
        deliver(store, [large], received_ns=time.time_ns())
        pruner.room.measure()
        was_full = pruner.room.is_full
        pruner.look(time.time_ns())
        assert (was_full, pruner.room.is_full) == (True, False)
    assert span_names(path) == ["large"]


def test_where_nothing_can_be_pruned_for_an_error_the_store_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store, pruner = bounded(tmp_path / "run.duckdb", RECEIVED_NS)
    with store:
        deliver(store, [Span(2, attributes={"text": LARGE})])
        pruner.room.measure()
        was_full = pruner.room.is_full

        def fail(*_: object, **__: object) -> None:
            raise StoreError("Broken.", next_step="")

        monkeypatch.setattr(retention, "plan", fail)
        pruner.attempt()
        assert (was_full, pruner.room.is_full) == (True, False)
    assert "Nothing could be pruned: Broken." in caplog.messages


def test_a_store_that_is_larger_than_its_new_bound_takes_what_comes(tmp_path: Path) -> None:
    store, _ = bounded(tmp_path / "run.duckdb", RECEIVED_NS)
    with store:
        pruner = Pruner(store, Retention(max_size=1), threading.Event())
        assert not pruner.room.is_full
