"""A person finds a root against the clock, at the terminal."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from tests.report.example_audit import EXAMPLE
from tests.tui.requests import MS, START_NS, Span, stored
from tests.tui.screens import KeptReader, Load, browsing, judged

from tracejury.config import Config
from tracejury.scorecard.diagnosis import diagnosis
from tracejury.scorecard.result import Audit, FaultResult
from tracejury.store.reader import Reader
from tracejury.tui.commands import RunCommands
from tracejury.tui.stopwatch import Stopwatch, fault_of
from tracejury.workflow.rebuild import rebuild
from tracejury.workflow.stopwatch import Measurement, measurements

FAULT = replace(
    EXAMPLE.faults[0],
    id="hang-9",
    target="provider.example",
    start_ns=START_NS,
    end_ns=START_NS + 50 * MS,
)
SPANS = (
    Span(1, name="POST /jobs", service="web"),
    Span(2, parent=1, name="work"),
    Span(
        3,
        parent=2,
        name="call",
        kind="CLIENT",
        is_error=True,
        attributes={"server.address": "provider.example"},
    ),
)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Hands:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture(scope="module")
def run() -> Callable[[Path, FaultResult], Load]:
    @cache
    def reader() -> Reader:
        opened = KeptReader.of(stored(SPANS))
        rebuild(opened, Config())
        return opened

    def loading(file: Path, fault: FaultResult) -> Load:
        def load() -> tuple[Audit, Reader]:
            found = diagnosis(reader(), measurements(file))
            return replace(EXAMPLE, faults=(fault,), diagnosis=found), reader()

        return load

    return loading


async def test_without_telemetry_there_is_nothing_to_search() -> None:
    async with browsing(judged(stored([]))) as person:
        await person.press("S")
        assert person.app.stopwatch.search is None


async def test_from_the_alert_to_the_root(
    run: Callable[[Path, FaultResult], Load], tmp_path: Path
) -> None:
    file, clock = tmp_path / "times", Hands()
    async with browsing(run(file, FAULT), stopwatch=Stopwatch(file, clock)) as person:
        assert "provider.example" in await person.press("d")
        screen = await person.press("S")
        assert "◷ 0:00" in screen
        # Whoever searches is not told.
        assert "provider.example" not in screen
        clock.time += timedelta(seconds=133)
        assert "◷ 2:13" in await person.press("t", "enter")
        await person.press("n")
        assert "2.2 minutes" in await person.press("m")
        assert measurements(file) == (
            Measurement(
                "hang-9", NOON.isoformat(), 2.217, "worker", "call",
                "01" + 30 * "a", "0000000000000003", is_right=True,
            ),
        )  # fmt: skip
        screen = await person.press("d")
        assert "◷ 2.2 min by the stopwatch: worker call for hang-9 right" in screen
        assert "provider.example" in screen


async def test_nothing_is_kept_of_a_search_that_is_discarded_or_never_began(
    run: Callable[[Path, FaultResult], Load], tmp_path: Path
) -> None:
    file = tmp_path / "times"
    async with browsing(run(file, FAULT), stopwatch=Stopwatch(file, Hands())) as person:
        await person.press("t", "enter")
        assert "No stopwatch runs" in await person.press("m")
        await person.press("S")
        assert "runs since 0:00" in await person.press("S")
        assert "◷" not in await person.press("X")
        await person.press("escape")
        offered = {hit.text: hit async for hit in RunCommands(person.app.screen).discover()}
        offered["Stopwatch: start at the alert"].command()
        assert "Open a trace" in await person.press("m")
    assert not file.exists()


async def test_a_trace_says_whose_fault_it_is_and_what_cannot_be_kept_goes_on(
    run: Callable[[Path, FaultResult], Load], tmp_path: Path
) -> None:
    file = tmp_path / "absent" / "times"
    load = run(file, replace(FAULT, target=""))
    async with browsing(load, stopwatch=Stopwatch(file, Hands())) as person:
        await person.press("t", "enter", "S")
        screen = await person.press("m")
        assert "cannot be written" in " ".join(screen.split())
        assert "◷ 0:00" in screen
        file.parent.mkdir()
        await person.press("m")
    [measured] = measurements(file)
    assert (measured.fault, measured.service, measured.is_right) == ("hang-9", "web", None)


def test_a_failure_belongs_to_the_one_fault_that_was_at_work() -> None:
    later = replace(FAULT, id="later", start_ns=FAULT.end_ns, end_ns=FAULT.end_ns + 10)
    assert fault_of([FAULT, later], START_NS, START_NS + 1) is FAULT
    assert fault_of([FAULT, later], START_NS, FAULT.end_ns) is None
    assert fault_of([FAULT, later], later.end_ns + 1, later.end_ns + 2) is None
