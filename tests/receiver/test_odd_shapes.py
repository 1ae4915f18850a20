"""Traces of every impossible shape are received, judged and shown, and none of them is lost."""

import json
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.otlp.by_hand import field
from tests.receiver.requests import TRACES, call
from tests.receiver.running import Running, running
from tests.receiver.stored import rows
from tests.test_cli import called

from tracejury.config import Config
from tracejury.store.reader import Reader
from tracejury.tui.waterfall_rows import waterfall
from tracejury.workflow.browse.opened_trace import OpenTrace, TraceSpan, open_trace
from tracejury.workflow.browse.trace_list import summarise_traces
from tracejury.workflow.rebuild import rebuild

pytestmark = pytest.mark.soak

START_NS, MS = 1_700_000_000_000_000_000, 1_000_000
LATEST_NS = 2**64 - 1
SPANS_A_REQUEST = 10_000
CHAIN, RING, FAN = 10_000, 10_000, 100_000


@dataclass(frozen=True, slots=True)
class Sent:
    """A span, of the trace that its shape is."""

    number: int
    parent: int = 0  # 0: none
    start_ns: int = START_NS
    end_ns: int = START_NS + MS
    name: bytes = b"work"


def chain() -> list[Sent]:
    return [Sent(number, number - 1, START_NS + number) for number in range(1, CHAIN + 1)]


def ring() -> list[Sent]:
    return [Sent(number, number % RING + 1, START_NS + number) for number in range(1, RING + 1)]


def fan() -> list[Sent]:
    return [Sent(number, min(number - 1, 1), START_NS + number) for number in range(1, FAN + 1)]


def own_parents() -> list[Sent]:
    return [Sent(number, number) for number in range(1, 501)]


def rings_with_more_below() -> list[Sent]:
    """Two in a circle with a child each, three in a circle, and orphans of a parent in no trace."""
    circles = [Sent(1, 2), Sent(2, 1), Sent(3, 1), Sent(4, 2), Sent(5, 6), Sent(6, 7), Sent(7, 5)]
    return [*circles, Sent(8, 99), Sent(9, 99)]


def odd_times() -> list[Sent]:
    pairs = [
        (LATEST_NS, LATEST_NS),
        (LATEST_NS, 0),
        (0, LATEST_NS),
        (0, 0),
        (START_NS, START_NS - 5),
        (START_NS, START_NS),
        (2**63 - 1, 2**63),
        (1, LATEST_NS),
    ]
    return [Sent(number, min(number - 1, 1), *pair) for number, pair in enumerate(pairs, 1)]


def twins() -> list[Sent]:
    """Spans that share an id and differ, so that none is a duplicate."""
    return [Sent(1, 2, name=b"twin %d" % number) for number in range(200)] + [Sent(2)]


def long_names() -> list[Sent]:
    return [Sent(1, name=b"n" * 2**20), Sent(2, 1, name=b"\n\t\0" * 1000), Sent(3, 1, name=b"")]


SHAPES: dict[str, Callable[[], list[Sent]]] = {
    shape.__name__: shape
    for shape in (
        chain,
        ring,
        fan,
        own_parents,
        rings_with_more_below,
        odd_times,
        twins,
        long_names,
    )
}
TRACE_IDS = {name: f"{number:032x}" for number, name in enumerate(SHAPES, 1)}


def message(span: Sent, trace_id: bytes) -> bytes:
    parent = field(4, span.parent.to_bytes(8, "big")) if span.parent else b""
    times = b"\x39" + struct.pack("<Q", span.start_ns) + b"\x41" + struct.pack("<Q", span.end_ns)
    ids = field(1, trace_id) + field(2, span.number.to_bytes(8, "big")) + parent
    return field(2, ids + field(5, span.name) + b"\x30\x02" + times)


def requests_of(shape: str) -> Iterator[bytes]:
    service = field(1, field(1, field(1, b"service.name") + field(2, field(1, b"shop"))))
    spans = [message(span, bytes.fromhex(TRACE_IDS[shape])) for span in SHAPES[shape]()]
    for begin in range(0, len(spans), SPANS_A_REQUEST):
        yield field(1, service + field(2, b"".join(spans[begin : begin + SPANS_A_REQUEST])))


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """It has received all shapes, and goes on."""
    with running(tmp_path_factory.mktemp("shapes") / "run.duckdb") as started:
        for shape in SHAPES:
            for body in requests_of(shape):
                assert call(started.grpc_target, TRACES, body) == b""
        yield started
        assert started.terminate() == ""


@pytest.fixture(scope="module")
def judged(receiver: Running) -> dict[str, Any]:
    ended = called(receiver.store.parent, "audit", "--store", receiver.store, "--format", "json")
    report: dict[str, Any] = json.loads(ended.stdout)
    return report


@pytest.fixture(scope="module")
def reader(receiver: Running) -> Iterator[Reader]:
    with Reader.open(receiver.store) as opened:
        rebuild(opened, Config())
        summarise_traces(opened)
        yield opened


def opened(reader: Reader, shape: str) -> OpenTrace:
    found = open_trace(reader, TRACE_IDS[shape])
    assert found is not None
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_every_span_is_shown_once(reader: Reader, shape: str) -> None:
    shown = [node.record for node in waterfall(opened(reader, shape))]
    names = Counter(record.name for record in shown if isinstance(record, TraceSpan))
    assert names == Counter(span.name.decode() for span in SHAPES[shape]())


@pytest.mark.parametrize("shape", ["ring", "own_parents", "rings_with_more_below"])
def test_spans_in_circles_are_marked(reader: Reader, shape: str) -> None:
    marked = {span.span_id for span in opened(reader, shape).spans if span.is_in_cycle}
    outside = {3, 4, 8, 9} if shape == "rings_with_more_below" else set()
    expected = {f"{span.number:016x}" for span in SHAPES[shape]() if span.number not in outside}
    assert marked == expected


def test_a_time_that_cannot_be_is_kept_and_gives_no_duration(receiver: Running) -> None:
    found = rows(
        receiver.store,
        f"""
        SELECT start_ns, end_ns, duration_ns FROM span
        WHERE trace_id = '{TRACE_IDS["odd_times"]}' ORDER BY span_id
        """,
    )
    sent = odd_times()
    assert [(row["start_ns"], row["end_ns"]) for row in found] == [
        (span.start_ns, span.end_ns) for span in sent
    ]
    assert [row["duration_ns"] for row in found] == [0, None, None, None, None, 0, 1, None]


def test_what_cannot_be_is_a_finding(judged: dict[str, Any]) -> None:
    [check] = [check for check in judged["checks"] if check["id"] == "ING-01"]
    told = " ".join(finding["message"] for finding in check["findings"])
    for how in ("an end before the start", "without a start", "without an end", "without a name"):
        assert how in told


def test_the_audit_counts_every_span(judged: dict[str, Any]) -> None:
    assert judged["trust"]["spans"] == sum(len(shape()) for shape in SHAPES.values())


def test_the_report_is_for_people_whatever_was_sent(receiver: Running) -> None:
    ended = called(receiver.store.parent, "audit", "--store", receiver.store)
    assert ended.returncode == 1, ended.stderr  # something failed: the shapes did
    assert ended.stderr == ""
    assert len(ended.stdout) < 30_000
    assert "\0" not in ended.stdout
