"""How workflows fared around a fault, how soon it was noticed, and how soon they recovered."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.report.example_audit import EXAMPLE
from tests.workflow.drawn import RECEIVED_NS, START_NS, Record, Span, deliver

from tracejury.config import Config
from tracejury.otlp.alert_webhook import alerts_of
from tracejury.scorecard.fault_results import fault_results
from tracejury.scorecard.result import FaultCourse, FaultResult, Phases, Suspect
from tracejury.store.reader import Reader
from tracejury.store.writer import Store
from tracejury.workflow.faults import Fault
from tracejury.workflow.rebuild import prepare

SECOND = 10**9


def fault(name: str, from_s: int, until_s: int) -> Fault:
    return Fault(name, START_NS + from_s * SECOND, START_NS + until_s * SECOND, "error", "stock")


FAULTS = (fault("outage", 100, 120), fault("one", 1000, 1020), fault("other", 1010, 1030))


def requests(path: str, seconds: range, *, took_s: float = 1, fails: bool = False) -> list[Record]:
    return [
        Span(
            10_000 * len(path) + at, f"GET {path}", at * 1000, (at + took_s) * 1000,
            trace=10_000 * len(path) + at, kind="SERVER", service="web",
            status="ERROR" if fails else "UNSET", attributes={"http.route": path},
        )
        for at in seconds
    ]  # fmt: skip


RUN = [
    *requests("/orders", range(10, 20)),
    *requests("/orders", range(105, 113), fails=True),
    *requests("/orders", range(121, 126), took_s=9),
    *requests("/orders", range(140, 160)),
    *requests("/stay", range(10, 30)),
    *requests("/stay", range(100, 110)),
    *requests("/stay", range(130, 150)),
    *requests("/stay", range(1012, 1018), fails=True),
    *requests("/orders", range(1012, 1014)),
]


def webhook(at_s: int, *, service: str = "", name: str = "ab") -> bytes:
    began = f"2023-11-14T22:{13 + (20 + at_s) // 60:02}:{(20 + at_s) % 60:02}Z"
    alert = {
        "status": "firing",
        "labels": {"alertname": "ManyErrors", "service": service},
        "annotations": {},
        "startsAt": began,
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": name,
    }
    return json.dumps(
        {"version": "4", "groupKey": "{}", "receiver": "us", "alerts": [alert]}
    ).encode()


@pytest.fixture(scope="module")
def results() -> Iterator[tuple[FaultResult, ...]]:
    store = Store.in_memory()
    deliver(store, RUN)
    store.commit([alerts_of([webhook(112)])], received_ns=RECEIVED_NS, source="drawn")
    store.close()
    with Reader.of(store) as reader:
        prepare(reader, Config(), injected=FAULTS)
        yield fault_results(reader, FAULTS)


def test_each_workflow_has_its_course(results: tuple[FaultResult, ...]) -> None:
    assert results[0].workflows == (
        FaultCourse(
            "GET /orders",
            Phases(10, 8, 25),
            Phases(1.0, 0.0, 1.0),
            Phases(1000.0, 1000.0, 9000.0),
            "recovered",
            5.0,
        ),
        FaultCourse(
            "GET /stay",
            Phases(20, 10, 20),
            Phases(1.0, 1.0, 1.0),
            Phases(1000.0, 1000.0, 1000.0),
            "unharmed",
            None,
        ),
    )


def test_it_is_noticed_by_the_alert_and_by_the_first_error(
    results: tuple[FaultResult, ...],
) -> None:
    noticed = [(result.detected_after_s, result.first_error_after_s) for result in results]
    assert noticed == [(12.0, 6.0), (None, 13.0), (None, 3.0)]


def test_what_two_faults_did_at_once_is_laid_to_neither(results: tuple[FaultResult, ...]) -> None:
    assert {course.recovery for result in results[1:] for course in result.workflows} == {
        "ambiguous"
    }


def test_what_an_earlier_fault_left_behind_is_not_how_it_was_before(
    results: tuple[FaultResult, ...],
) -> None:
    _, one, _ = results
    assert one.success_before == 1.0
    assert {hurt.workflow: hurt.p95_before_ms for hurt in one.hurt} == {
        "GET /orders": 1000.0,
        "GET /stay": 1000.0,
    }


def test_what_lasts_into_the_next_fault_is_laid_to_that_one() -> None:
    first, second = fault("first", 100, 110), fault("second", 130, 150)
    run = [
        *requests("/orders", range(10, 30)),
        *requests("/orders", range(104, 105), fails=True),
        *requests("/orders", range(115, 121)),
        *requests("/orders", range(129, 130), took_s=5, fails=True),
    ]
    store = Store.in_memory()
    deliver(store, run)
    store.close()
    with Reader.of(store) as reader:
        prepare(reader, Config(), injected=(first, second))
        results = fault_results(reader, (first, second))
    assert [[hurt.failed for hurt in result.hurt] for result in results] == [[1], [1]]
    assert results[0].success_after == 1
    assert results[1].success_during == 0


def test_a_clock_that_is_behind_moves_no_instance_into_a_fault() -> None:
    asked = [
        replace(request, service="stock", parent=request.id, id=request.id + 500,
                start_ms=request.start_ms - 30_000, end_ms=request.end_ms - 30_000)
        for request in requests("/orders", range(140, 150))
        if isinstance(request, Span)
    ]  # fmt: skip
    outage = (fault("outage", 100, 120),)
    store = Store.in_memory()
    deliver(store, [*requests("/orders", range(140, 150)), *asked])
    store.close()
    with Reader.of(store) as reader:
        prepare(reader, Config(), injected=outage)
        [result] = fault_results(reader, outage)
        phases = reader.rows("SELECT DISTINCT phase FROM fault_phase")
    assert phases == [{"phase": "after"}]
    assert result.hurt == ()


def test_a_target_is_found_among_the_suspects_by_the_address_it_was_called_by() -> None:
    """The fault file says redis; the calls name an address, and the system in an attribute."""
    slow = Fault("slow", START_NS + 400 * SECOND, START_NS + 499 * SECOND, "delay", "redis")

    def asks(at: int) -> list[Record]:
        took = 400 if 400 <= at < 500 else 5 + at % 7
        to_redis = {
            "db.system.name": "redis",
            "db.operation.name": "GET",
            "server.address": "10.0.0.9",
        }
        begin = at * 1000.0
        return [
            Span(1, "GET /", begin, begin + took + 9, trace=at, kind="SERVER", service="web"),
            Span(
                2, "GET", begin + 4, begin + 4 + took, trace=at, parent=1, kind="CLIENT",
                service="web", attributes=to_redis,
            ),
        ]  # fmt: skip

    store = Store.in_memory()
    deliver(store, [one for at in range(10, 800, 10) for one in asks(at)])
    store.close()
    with Reader.of(store) as reader:
        prepare(reader, Config(), injected=(slow,))
        [result] = fault_results(reader, (slow,))
    assert (result.suspects[0].service, result.rank_of_target) == ("10.0.0.9", 1)


def test_an_alert_that_names_another_fault_s_target_detects_nothing() -> None:
    """An alert that names neither target may be either's."""
    named = [
        Fault("first", START_NS + 100 * SECOND, START_NS + 110 * SECOND, "error", "stock"),
        Fault("second", START_NS + 120 * SECOND, START_NS + 130 * SECOND, "error", "mail"),
    ]

    def detected(*alerts: bytes) -> list[float | None]:
        store = Store.in_memory()
        deliver(store, requests("/orders", range(10, 160)))
        store.commit([alerts_of(list(alerts))], received_ns=RECEIVED_NS, source="drawn")
        store.close()
        with Reader.of(store) as reader:
            prepare(reader, Config(), injected=tuple(named))
            return [result.detected_after_s for result in fault_results(reader, tuple(named))]

    assert detected(webhook(125, service="mail")) == [None, 5.0]
    assert detected(webhook(125, service="mail"), webhook(128, service="stock", name="cd")) == [
        28.0,
        5.0,
    ]
    assert detected(webhook(125)) == [25.0, 5.0]


def test_what_failed_before_a_fault_is_not_its_first_error() -> None:
    """The request that passes the failure on ends only in the fault."""
    run = [
        Span(1, "GET /", 95_000, 101_000, trace=1, kind="SERVER", service="web", status="ERROR"),
        Span(
            2, "GET", 95_100, 96_000, trace=1, parent=1, kind="CLIENT", service="web",
            status="ERROR", attributes={"server.address": "stock"},
        ),
        *requests("/orders", range(100, 120)),
    ]  # fmt: skip

    def first_error(*records: Record) -> float | None:
        store = Store.in_memory()
        deliver(store, records)
        store.close()
        with Reader.of(store) as reader:
            prepare(reader, Config(), injected=FAULTS[:1])
            [result] = fault_results(reader, FAULTS[:1])
        return result.first_error_after_s

    assert first_error(*run) is None
    assert first_error(*run, *requests("/stay", range(107, 109), fails=True)) == 8.0


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ((4.1, 3.9), "none of several suspects stands out"),
        ((4.1, 0.2), "nothing stands out"),
        ((), "nothing stands out"),
    ],
)
def test_two_that_changed_much_are_not_called_nothing(scores: tuple[float, ...], said: str) -> None:
    suspects = tuple(Suspect(f"service-{score}", "", score, ()) for score in scores)
    fault = replace(EXAMPLE.faults[1], suspects=suspects)
    assert fault.why_none_stands_out == said
    assert not replace(fault, stands_out=True).why_none_stands_out


@pytest.mark.parametrize(
    ("before_s", "after_s", "stands_out", "said"),
    [
        (None, None, True, ""),
        (29.6, None, True, "api stands out in the 29.6 s before, too: it began before the window"),
        (None, 0.3, False, "api stands out in the 0.3 s after: it lasted beyond the window"),
        (
            90.0,
            1200.0,
            True,
            "api stands out in the 90 s before and the 1,200 s after, too:"
            " it began before and lasted beyond the window",
        ),
    ],
)
def test_a_window_that_leaves_out_a_part_of_its_fault_is_told(
    before_s: float | None, after_s: float | None, stands_out: bool, said: str
) -> None:
    fault = replace(
        EXAMPLE.faults[1],
        suspects=(Suspect("api", "", 4.1, ()), Suspect("web", "", 4.0, ())),
        stands_out=stands_out,
        changed_before_s=before_s,
        changed_after_s=after_s,
    )
    assert fault.about_window == said
