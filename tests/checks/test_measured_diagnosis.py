"""OBS-13 takes what the stopwatch measured: the last time that could be graded, after an alert."""

from collections.abc import Iterator

import pytest
from tests.scorecard.test_fault_results import fault, webhook
from tests.workflow.drawn import RECEIVED_NS, Span, deliver, span_id, trace_id

from tracejury.checks.check import Judgement
from tracejury.checks.evidence import Evidence
from tracejury.checks.observability.slow_diagnosis import judge
from tracejury.config import Config
from tracejury.otlp.alert_webhook import alerts_of
from tracejury.store.reader import Reader
from tracejury.store.writer import Store
from tracejury.workflow.rebuild import prepare
from tracejury.workflow.stopwatch import Measurement, as_table

FAULT = fault("outage", 100, 120)


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    failing = Span(1, "POST /orders", 110_000, 111_000, kind="SERVER", status="ERROR")
    store = Store.in_memory()
    deliver(store, [failing])
    store.commit([alerts_of([webhook(112)])], received_ns=RECEIVED_NS, source="drawn")
    store.close()
    with Reader.of(store) as opened:
        prepare(opened, Config(), injected=(FAULT,))
        yield opened


def measured(
    day: int, minutes: float, *, is_right: bool | None, fault: str = "outage"
) -> Measurement:
    started = f"2026-03-{day:02}T12:00:00+00:00"
    place = (trace_id(1), span_id(1))
    return Measurement(fault, started, minutes, "shop", "POST /orders", *place, is_right)


def judged(reader: Reader, *times: Measurement) -> Judgement:
    reader.register("measured_diagnosis", as_table(times))
    return judge(Evidence(reader, Config(), has_baseline=False))


def test_a_right_root_in_time_holds(reader: Reader) -> None:
    slow, fast = measured(1, 40, is_right=True), measured(2, 4.25, is_right=True)
    found = judged(reader, fast, slow)
    assert [(unit.exposures, unit.findings) for unit in found.units] == [(1, ())]
    assert found.reason == ""
    assert "Measured for `POST /orders`: 4.2 minutes." in found.note


def test_a_right_root_that_took_too_long_fails(reader: Reader) -> None:
    [unit] = judged(reader, measured(1, 4, is_right=True), measured(2, 15, is_right=True)).units
    [finding] = unit.findings
    assert finding.message.startswith("It took 15.0 minutes to find the root of `POST /orders`")


@pytest.mark.parametrize(
    "time",
    [
        measured(2, 4, is_right=False),
        measured(2, 4, is_right=None),
        measured(2, 4, is_right=True, fault="without an alert"),
    ],
)
def test_what_is_wrong_or_cannot_be_graded_or_had_no_alert_is_no_answer(
    reader: Reader, time: Measurement
) -> None:
    found = judged(reader, time)
    assert (found.units[0].exposures, found.reason) == (0, "estimated")
