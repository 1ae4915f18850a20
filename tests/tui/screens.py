"""Run the app as a person would, without a terminal, and read its screen as text."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache

from tests.report.example_audit import EXAMPLE
from textual.pilot import Pilot
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

from tracejury.config import Config
from tracejury.receiver.announcement import announcement
from tracejury.receiver.listening import Addresses
from tracejury.scorecard.audit import audit
from tracejury.scorecard.compare import Run
from tracejury.scorecard.result import Audit
from tracejury.scorecard.workflows import workflows
from tracejury.store.reader import Reader
from tracejury.store.writer import Store
from tracejury.tui.app import TracejuryApp
from tracejury.tui.stopwatch import Stopwatch
from tracejury.workflow.rebuild import rebuild

SMALL, WIDE = (80, 24), (120, 40)

# What a receiver says that could not have the usual ports.
ANNOUNCED = announcement(Addresses("127.0.0.1", 5317, 5318)).removesuffix("Ctrl-C stops.")

Load = Callable[[], tuple[Audit, Reader]]


class KeptReader(Reader):
    """Stays open when an app closes it, so that a run is judged once for many tests."""

    def close(self) -> None:
        pass

    def stop(self) -> None:
        pass


def judged(store: Store) -> Load:
    """Load as the command line does."""

    @cache
    def load() -> tuple[Audit, Reader]:
        reader = KeptReader.of(store)
        return audit(reader, Config()), reader

    return load


def with_example(store: Store, config: Config) -> Load:
    """Load the audit made by hand, so that no new check changes a screen; traces are real."""

    @cache
    def load() -> tuple[Audit, Reader]:
        reader = KeptReader.of(store)
        rebuild(reader, config)
        return replace(EXAMPLE, workflows=workflows(reader)), reader

    return load


class Person:
    """Presses keys, waits until everything is there, and reads."""

    def __init__(self, pilot: Pilot[None], app: TracejuryApp) -> None:
        self.pilot = pilot
        self.app = app

    async def press(self, *keys: str) -> str:
        for key in keys:
            await self.pilot.press(key)
            await self.settle()
        await self.settle()
        return self.screen()

    async def type(self, text: str) -> str:
        names = {"/": "slash", ":": "colon", "=": "equals_sign", ">": "greater_than_sign"}
        names |= {" ": "space", '"': "quotation_mark", ".": "full_stop", "-": "minus"}
        await self.pilot.press(*(names.get(character, character) for character in text))
        return await self.press()

    async def settle(self) -> None:
        await self.pilot.pause()
        while list(self.app.workers):
            await self.app.workers.wait_for_complete()
            await self.pilot.pause()
        while not self._footed():
            await self.pilot.pause(0.01)

    def _footed(self) -> bool:
        """The footer follows the keys in its own time: some refreshes later on a busy machine."""
        screen = self.app.screen
        bound = {
            bound.binding.action for bound in screen.active_bindings.values() if bound.binding.show
        }
        return all(
            {key.action for key in footer.query(FooterKey) if key.size.width} == bound
            for footer in screen.query(Footer)
        )

    def lines(self) -> list[str]:
        strips = self.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip) for strip in strips]

    def screen(self) -> str:
        return "".join(f"{line.rstrip()}\n" for line in self.lines())


@asynccontextmanager
async def browsing(
    load: Load,
    *,
    size: tuple[int, int] = SMALL,
    announced: str = "",
    trouble: Callable[[], str] = str,
    stopwatch: Stopwatch | None = None,
    before: Run | None = None,
) -> AsyncIterator[Person]:
    app = TracejuryApp(
        load,
        title="test",
        announced=announced,
        trouble=trouble,
        refresh_seconds=3600,
        stopwatch=stopwatch,
    )
    if before is not None:
        app.compare_with(before)
    async with app.run_test(size=size, notifications=True) as pilot:
        person = Person(pilot, app)
        await person.settle()
        yield person
