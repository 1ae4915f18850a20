"""What moved since an earlier run, on the screen."""

from dataclasses import replace

import pytest
from tests.report.example_audit import EXAMPLE
from tests.report.hostile_audit import hostile
from tests.report.test_comparison import RESIZE
from tests.tui.conftest import Golden
from tests.tui.odd_run import ODD, ODD_LOGS
from tests.tui.requests import stored
from tests.tui.screens import Load, browsing, with_example

from tracejury.config import Config
from tracejury.scorecard.compare import Run
from tracejury.scorecard.result import Outcome
from tracejury.scorecard.step_durations import Quantile, StepDurations
from tracejury.telemetry.safe_text import UNSAFE


def earlier() -> Run:
    """A run that was better in one check, worse in another, and better observed."""
    becomes: dict[str, Outcome] = {"TIM-01": "pass", "PAR-01": "fail"}
    checks = tuple(
        replace(check, outcome=becomes.get(check.id, check.outcome)) for check in EXAMPLE.checks
    )
    audit = replace(EXAMPLE, checks=checks, inputs=("monday.duckdb",), coverage=0.9, workflows=())
    return Run(audit, {RESIZE: StepDurations(1, 0, Quantile(1, 1, 1), None)})


@pytest.fixture(scope="module")
def later() -> Load:
    return with_example(stored(ODD, ODD_LOGS), Config())


async def test_the_screen_of_what_moved(later: Load, golden: Golden) -> None:
    async with browsing(later, before=earlier()) as person:
        golden("compare-80x24", await person.press("c"))


async def test_enter_opens_the_checks_and_escape_goes_back(later: Load) -> None:
    async with browsing(later, before=earlier()) as person:
        assert "What moved" in await person.press("c")
        assert "What moved" not in await person.press("escape")
        assert "TIM-01" in await person.press("c", "enter")
        assert person.app.current_view == "findings-view"


async def test_without_an_earlier_run_there_is_nothing_to_open(later: Load) -> None:
    async with browsing(later) as person:
        assert await person.press("c") == await person.press("escape")


async def test_hostile_text_of_an_earlier_run_steers_nothing(later: Load) -> None:
    async with browsing(later, before=Run(hostile(), {})) as person:
        screen = await person.press("c")
        assert UNSAFE.findall(screen.replace("\n", "")) == []
