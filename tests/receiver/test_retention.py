"""A store is kept within its bounds while it is written, read and killed."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.receiver.requests import post, traces
from tests.receiver.running import Running, running
from tests.receiver.stored import span_names
from tests.receiver.test_meter import samples
from tests.workflow.drawn import RECEIVED_NS, Span, deliver

from tracejury.cli import main
from tracejury.store.reader import Reader
from tracejury.store.writer import Store

SPANS = 20


def pruned(receiver: Running, kind: str = "spans") -> float:
    return samples(receiver).get(f'pruned_total{{kind="{kind}"}}', 0.0)


def pruned_more(receiver: Running, than: float) -> float:
    """How many spans were pruned, once there are more."""
    deadline = time.monotonic() + 60
    while (now := pruned(receiver)) <= than:
        assert time.monotonic() < deadline
    return now


def instance(number: int, text: str = "") -> bytes:
    """A trace of `SPANS` spans, in one request."""
    return traces(
        *(f"s{place}" for place in range(SPANS)), trace_id=number.to_bytes(16, "big"), text=text
    )


@contextmanager
def sending(receiver: Running, first: int) -> Iterator[list[int]]:
    """Send traces without a pause; yields those that were acknowledged."""
    stopped = threading.Event()
    acknowledged: list[int] = []

    def send() -> None:
        number = first
        while not stopped.is_set():
            try:
                if post(receiver.http_port, "/v1/traces", instance(number, "x")).status == 200:
                    acknowledged.append(number)
            except OSError:
                return
            number += 1

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield acknowledged
    finally:
        stopped.set()
        thread.join()


def test_what_is_old_goes_and_everybody_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "run.duckdb"
    with Store.open(store) as written:
        deliver(written, [Span(1, "old"), Span(2, "older", parent=1)], received_ns=RECEIVED_NS)
    bounds = {"max_age_seconds": "3600", "max_size": str(2**30)}
    with running(store, settings=bounds) as receiver:
        told = samples(receiver)
        assert told["retention_max_age_seconds"] == 3600
        assert told["retention_max_bytes"] == 2**30
        assert 0 < told["retention_used_bytes"] < 2**30
        assert told["retention_full"] == 0
        assert pruned_more(receiver, than=0) == 2
        assert pruned(receiver, "instances") == 1
        young = traces("young", trace_id=b"\x02" * 16)
        assert post(receiver.http_port, "/v1/traces", young).status == 200
        receiver.terminate()
    assert span_names(store) == ["young"]
    main(["audit", "--store", str(store)])
    said = " ".join(capsys.readouterr().out.split())
    assert "pruned: 1 workflow instance, 2 spans, until 20" in said


def test_a_kill_while_pruning_leaves_whole_instances_and_true_counts(tmp_path: Path) -> None:
    store = tmp_path / "run.duckdb"
    sent: list[int] = []
    for life in range(3):
        with (
            running(store, settings={"max_age_seconds": "1"}) as receiver,
            sending(receiver, 1_000_000 * (life + 1)) as acknowledged,
        ):
            before = pruned_more(receiver, than=0)
            whole(store)  # a snapshot
            pruned_more(receiver, than=before)
            receiver.kill()
        sent += acknowledged
        stored, gone = whole(store)
        assert stored + gone >= len(sent) * SPANS
        assert gone > 0


def whole(path: Path) -> tuple[int, int]:
    """The spans that are stored and that were pruned; fails unless each trace is there whole."""
    with Reader.open(path) as reader:
        broken = reader.rows(
            "SELECT trace_id FROM stored.span GROUP BY trace_id HAVING count(*) <> $spans",
            {"spans": SPANS},
        )
        assert broken == []
        lone = "FROM stored.span FULL JOIN stored.span_value AS value USING (span_no)"
        assert reader.value(f"SELECT count(*) {lone} WHERE name IS NULL OR value IS NULL") == 0
        stored = int(reader.value("SELECT count(*) FROM stored.span"))
        gone = int(reader.value("SELECT coalesce(sum(spans), 0) FROM stored.pruning"))
        assert stored + gone == reader.value("SELECT sum(stored)::BIGINT FROM stored.delivery")
        assert reader.missing == reader.value("SELECT count(*) FROM stored.loss") == 0
    return stored, gone
