"""Requests that share a commit do not share their fate."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.receiver.requests import logs, metrics, serialized, traces, traces_json
from tests.receiver.stored import rows, span_names

from tracejury.errors import StoreError
from tracejury.otlp.signals import Encoding, Signal
from tracejury.receiver import settlement
from tracejury.receiver.answers import Accepted, Answer, Code, Refused
from tracejury.receiver.pipeline import Pipeline
from tracejury.receiver.settlement import Request, settle
from tracejury.store.contents import Committed
from tracejury.store.writer import Store
from tracejury.telemetry.batch import Batch


def protobuf(body: bytes, signal: Signal = Signal.TRACES) -> Request:
    return Request(signal, Encoding.PROTOBUF, body)


def codes(answers: Sequence[Answer]) -> list[Code | None]:
    return [answer.code if isinstance(answer, Refused) else None for answer in answers]


def test_garbage_costs_its_neighbours_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run.duckdb"
    requests = [
        protobuf(traces("a")),
        protobuf(b"\xff"),
        Request(Signal.TRACES, Encoding.JSON, traces_json("b")),
        Request(Signal.TRACES, Encoding.JSON, b"{"),
        protobuf(logs("started"), Signal.LOGS),
        protobuf(b"\xff", Signal.LOGS),
        protobuf(serialized(metrics(points=3)), Signal.METRICS),
        protobuf(b"\xff", Signal.METRICS),
        protobuf(traces("c")),
    ]
    with Store.open(path) as store:
        answers = settle(store, requests)
    bad = Code.INVALID_ARGUMENT
    assert codes(answers) == [None, bad, None, bad, None, bad, None, bad, None]
    assert span_names(path) == ["a", "b", "c"]
    # One commit has one time of receipt.
    assert len(rows(path, "SELECT DISTINCT received_ns FROM stored.delivery")) == 1


async def test_requests_that_become_many_rows_share_no_commit_and_all_are_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.duckdb"
    requests = [
        protobuf(traces("a", "b")),
        protobuf(logs("started"), Signal.LOGS),
        protobuf(b"\xff"),  # so that the others of its kind are decoded one by one
        protobuf(traces("c", "d")),
        protobuf(traces("e", trace_id=b"")),
        protobuf(logs("ended"), Signal.LOGS),
    ]
    monkeypatch.setattr(settlement, "COMMIT_ROWS", 4)  # what one of them becomes, or two
    async with AsyncExitStack() as running:
        store = running.enter_context(Store.open(path))
        pipeline = Pipeline(store)
        running.push_async_callback(pipeline.stop)
        answers = await asyncio.gather(*map(pipeline.submit, requests))
        assert codes(answers) == [None, None, Code.INVALID_ARGUMENT, None, None, None]
        assert [answer.rejected for answer in answers if isinstance(answer, Accepted)] == [
            *(0, 0, 0, 1, 0),
        ]
        assert settle(store, requests) == answers  # all stored before
    assert span_names(path) == ["a", "b", "c", "d"]
    assert len(rows(path, "FROM stored.log_record")) == 2
    commits = rows(path, "SELECT DISTINCT received_ns FROM stored.delivery")
    assert len(commits) >= 6  # three at least, twice


def test_each_request_is_told_of_its_own_refused_spans(tmp_path: Path) -> None:
    bad = traces("x", trace_id=b"")
    with Store.open(tmp_path / "run.duckdb") as store:
        answers = settle(store, [protobuf(traces("a")), protobuf(bad + bad), protobuf(bad)])
    assert [answer.rejected for answer in answers if isinstance(answer, Accepted)] == [0, 2, 1]
    assert answers[0] == Accepted()


class Allergic(Store):
    """Cannot store a batch with a span of a certain name."""

    def commit(self, batches: Sequence[Batch], *, received_ns: int, source: str) -> list[Committed]:
        if any("poison" in batch.spans["name"].to_pylist() for batch in batches):
            raise StoreError("A constraint is violated.", next_step="")
        return super().commit(batches, received_ns=received_ns, source=source)


@pytest.mark.parametrize("position", [0, 3, 6])
def test_a_request_that_cannot_be_stored_costs_its_neighbours_nothing(
    tmp_path: Path, position: int
) -> None:
    path = tmp_path / "run.duckdb"
    names = list("abcdef")
    names.insert(position, "poison")
    with Allergic.open(path) as store:
        answers = settle(store, [protobuf(traces(name)) for name in names])
    assert [code is None for code in codes(answers)] == [name != "poison" for name in names]
    assert span_names(path) == list("abcdef")


class Broken(Store):
    def commit(self, batches: Sequence[Batch], *, received_ns: int, source: str) -> list[Committed]:
        raise RuntimeError("lost")


def test_a_store_that_fails_keeps_nobodys_telemetry_from_being_sent_again(tmp_path: Path) -> None:
    with Broken.open(tmp_path / "run.duckdb") as store:
        answers = settle(store, [protobuf(traces(name)) for name in "abc"])
    assert codes(answers) == [Code.UNAVAILABLE] * 3
    assert all(isinstance(answer, Refused) and answer.retry_after_s == 3 for answer in answers)
