"""Requests that share a commit do not share their fate."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.receiver.requests import logs, metrics, serialized, traces, traces_json
from tests.receiver.stored import rows, span_names

from tracejury.errors import StoreError
from tracejury.otlp.signals import Encoding, Signal
from tracejury.receiver.answers import Accepted, Answer, Code, Refused
from tracejury.receiver.settlement import Request, settle
from tracejury.store.writer import Committed, Store
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
