"""Before there is a run to show: what is being done, and leaving at once."""

import os
import signal
import threading
from pathlib import Path

import pytest
from tests.report.test_comparison import RESIZE
from tests.tui.requests import Span, stored
from tests.tui.screens import ANNOUNCED, Load, Person, browsing, judged

from tracejury.errors import InputError, StoreError
from tracejury.scorecard.compare import Run
from tracejury.scorecard.result import Audit
from tracejury.scorecard.step_durations import Quantile, StepDurations
from tracejury.store.reader import Reader
from tracejury.tui.app import TracejuryApp
from tracejury.tui.loading import Loading, StoppedError
from tracejury.tui.loading_view import LoadingView

ENDLESS = "SELECT count(*) FROM range(100000000000) AS a JOIN range(1000) AS b ON a.range > b.range"


@pytest.fixture(scope="module")
def run() -> Load:
    return judged(stored([Span(1, name="root", end=100)]))


class Held:
    """A load that has told how far it is, and goes on when it is let."""

    def __init__(self, run: Load) -> None:
        self.loading = Loading()
        self.told, self.go_on = threading.Event(), threading.Event()
        self._run = run

    def __call__(self) -> tuple[Audit, Reader]:
        with self.loading.reading() as progress:
            progress(Path("traces.jsonl"))(1, 2, 12_345)
        with self.loading.working("judging [b]run.duckdb") as tell:
            tell(21, 84)
            self.told.set()
            assert self.go_on.wait(60)
        return self._run()


async def test_the_first_screen_says_what_is_done_and_how_far(run: Load) -> None:
    held = Held(run)
    app = TracejuryApp(held, loading=held.loading, title="run.duckdb")
    async with app.run_test(size=(80, 24)) as pilot:
        person = Person(pilot, app)
        try:
            while not held.told.is_set():
                await pilot.pause(0.01)
            app.screen.query_one(LoadingView)._look()
            await pilot.pause()
            screen = person.screen()
        finally:
            held.go_on.set()
        assert "Opening run.duckdb" in screen
        assert "reading traces.jsonl" in screen
        assert "12,345 records" in screen
        assert "judging [b]run.duckdb" in screen
        assert "███░░░░░░░░░ 21 of 84 questions" in screen
        assert "q quits" in screen
        assert "Audit tasks" not in screen
        await person.settle()
        assert "Audit tasks" in person.screen()


def test_a_file_that_is_being_read_tells_its_share_and_its_records() -> None:
    loading = Loading()
    with loading.reading() as progress:
        tell = progress(Path("traces.jsonl"))
        assert loading.steps[0].total == 0
        tell(61, 100, 40_960)
        [step] = loading.steps
        assert (step.done, step.total, step.records, step.is_over) == (61, 100, 40_960, False)
    assert loading.steps[0].is_over


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_leaving_stops_what_is_being_judged(run: Load, key: str) -> None:
    loading, began, ended = Loading(), threading.Event(), threading.Event()
    store = stored([Span(1)])

    def endless() -> tuple[Audit, Reader]:
        reader = Reader.of(store)
        loading.opened(reader)
        began.set()
        try:
            reader.value(ENDLESS)
            reader.value(ENDLESS)
        finally:
            ended.set()
        raise AssertionError

    app = TracejuryApp(endless, loading=loading)
    async with app.run_test() as pilot:
        while not began.is_set():
            await pilot.pause(0.01)
        await pilot.press(key)
    assert ended.wait(60)  # the app takes leave of what does not end within a second


def test_leaving_stops_what_is_being_read() -> None:
    loading = Loading()
    with loading.reading() as progress:
        tell = progress(Path("traces.jsonl"))
        tell(1, 100, 0)
        loading.stop()
        with pytest.raises(StoppedError):
            tell(2, 100, 0)
    with pytest.raises(StoppedError), loading.working("judging"):
        pass


def test_a_run_that_is_opened_too_late_is_closed_again() -> None:
    loading = Loading()
    loading.stop()
    closed = []

    class Late(Reader):
        def close(self) -> None:
            closed.append(self)
            super().close()

    with pytest.raises(StoppedError):
        loading.opened(Late.of(stored([])))
    assert len(closed) == 1


async def test_to_a_terminal_that_is_gone_nothing_is_written(
    run: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with browsing(run) as person:
        told: list[str] = []
        monkeypatch.setattr(person.app._driver, "write", told.append)
        os.kill(os.getpid(), signal.SIGHUP)
        while person.app.is_running:
            await person.pilot.pause(0.01)
        person.app.copy_to_clipboard("nobody")
        assert told == []


def failing() -> tuple[Audit, Reader]:
    raise StoreError("The store [/x] is gone.", next_step="Find it.")


async def test_a_run_that_cannot_be_had_ends_the_app() -> None:
    app = TracejuryApp(failing)
    async with app.run_test() as pilot:
        await pilot.pause()
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert not app.is_running
    assert "The store [/x] is gone." in str(app.failure)


async def test_what_is_odd_about_a_run_is_said_once(run: Load) -> None:
    loading = Loading()
    loading.remarks = ["The window of fault [b]f lies outside the telemetry."]
    app = TracejuryApp(run, loading=loading)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        person = Person(pilot, app)
        await person.settle()
        assert "[b]f" in person.screen()
        assert "outside the telemetry" in person.screen()
        app.clear_notifications()
        assert "outside the telemetry" not in await person.press("r")


async def test_what_cannot_be_prepared_ends_even_an_app_that_receives(run: Load) -> None:
    def prepare() -> Run | None:
        raise InputError("The baseline holds no clean instance.", next_step="Record one.")

    app = TracejuryApp(run, prepare=prepare, announced=ANNOUNCED)
    async with app.run_test() as pilot:
        await pilot.pause()
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert not app.is_running
    assert "The baseline" in str(app.failure)


async def test_who_receives_goes_on_and_tries_again(run: Load) -> None:
    answers = iter([failing, failing, run])

    def at_last() -> tuple[Audit, Reader]:
        return next(answers)()

    async with browsing(at_last, announced=ANNOUNCED) as person:
        assert "The store [/x] is gone. Find it." in person.screen()
        assert "r tries again" in await person.press("r")
        assert len(person.app.screen_stack) == 1
        assert "Audit tasks" in await person.press("r")


async def test_an_earlier_run_is_judged_first_and_compared_with_by_c(run: Load) -> None:
    audit, _ = run()
    before = Run(audit, {RESIZE: StepDurations(1, 0, Quantile(1, 1, 1), None)})
    app = TracejuryApp(run, prepare=lambda: before)
    async with app.run_test() as pilot:
        person = Person(pilot, app)
        await person.settle()
        assert "What moved" in await person.press("c")
