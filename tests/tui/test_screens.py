"""The screens of a recorded run, as text."""

import gzip
from dataclasses import replace
from pathlib import Path

import pytest
from tests.report.example_audit import EXAMPLE
from tests.report.hostile_audit import hostile
from tests.report.test_comparison import RESIZE
from tests.tui.conftest import Golden
from tests.tui.requests import stored
from tests.tui.screens import ANNOUNCED, SMALL, WIDE, Load, browsing, judged, with_example

from tracejury.config import load_config
from tracejury.otlp.decode import Encoding, Signal, decode
from tracejury.scorecard.compare import Run
from tracejury.scorecard.result import Outcome
from tracejury.scorecard.step_durations import Quantile, StepDurations
from tracejury.store.writer import Store
from tracejury.telemetry.safe_text import UNSAFE

SAMPLE = Path(__file__).parents[2] / "sample-traces" / "worker-kill"
RECEIVED_NS = 1_800_000_000_000_000_000
VIEWS = {
    "scorecard": ("1",),
    "workflows": ("w", "j", "enter"),
    "traces": ("t", "s", "s"),
    "waterfall": ("t", "s", "s", "enter", "n"),
    "details": ("t", "s", "s", "enter", "j", "enter"),
    "errors": ("t", "s", "s", "enter", "e"),
    "findings": ("f", "l", "j"),
    "diagnosis": ("d", "j"),
    "help": ("t", "question_mark"),
}


@pytest.fixture(scope="module")
def worker_kill() -> Load:
    store = Store.in_memory()
    for signal, name in ((Signal.TRACES, "traces"), (Signal.LOGS, "logs")):
        bodies = gzip.decompress((SAMPLE / f"{name}.jsonl.gz").read_bytes()).splitlines()
        batch = decode(signal, Encoding.JSON, bodies)
        store.commit([batch], received_ns=RECEIVED_NS, source="recorded")
    store.close()
    return with_example(store, load_config(SAMPLE / "tracejury.toml", start=SAMPLE))


@pytest.mark.parametrize("size", [SMALL, WIDE], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("view", VIEWS)
async def test_screen(worker_kill: Load, golden: Golden, view: str, size: tuple[int, int]) -> None:
    async with browsing(worker_kill, size=size) as person:
        screen = await person.press(*VIEWS[view])
        golden(f"{view}-{size[0]}x{size[1]}", screen)


@pytest.mark.parametrize("announced", [ANNOUNCED, ""], ids=["live", "stored"])
async def test_screen_without_telemetry(golden: Golden, announced: str) -> None:
    async with browsing(judged(stored([])), announced=announced) as person:
        golden(f"empty-{'live' if announced else 'stored'}", person.screen())


async def test_the_job_that_was_hit_is_named(worker_kill: Load) -> None:
    async with browsing(worker_kill) as person:
        screen = await person.press("t", "s", "s")
        first = next(line for line in screen.splitlines() if "◌" in line)
        job = first.split("job-")[1][:6]
        assert f"job.id job-{job}" in await person.press("enter")


@pytest.mark.parametrize(
    "size", [pytest.param((200, 50), marks=pytest.mark.long), (80, 24), (40, 12)]
)
async def test_every_view_fits_any_terminal(worker_kill: Load, size: tuple[int, int]) -> None:
    async with browsing(worker_kill, size=size) as person:
        for keys in VIEWS.values():
            await person.press("escape", "escape", *keys)
            assert len(person.lines()) == size[1]
            await person.press("escape")


def earlier() -> Run:
    """A run that was better in one check of few occasions, worse in another, better observed."""
    becomes: dict[str, Outcome] = {"TIM-01": "pass", "PAR-01": "fail"}
    checks = tuple(
        replace(check, outcome=becomes.get(check.id, check.outcome), exposures=4)
        for check in EXAMPLE.checks
    )
    audit = replace(EXAMPLE, checks=checks, inputs=("monday.duckdb",), coverage=0.9, workflows=())
    return Run(audit, {RESIZE: StepDurations(1, 0, Quantile(1, 1, 1), None)})


async def test_the_screen_of_what_moved(worker_kill: Load, golden: Golden) -> None:
    async with browsing(worker_kill, before=earlier()) as person:
        golden("compare-80x24", await person.press("c"))


async def test_an_outcome_is_spelled_in_full_in_a_small_terminal(worker_kill: Load) -> None:
    checks = tuple(
        replace(check, outcome="not-applicable") if check.id == "PAR-01" else check
        for check in earlier().audit.checks
    )
    audit = replace(earlier().audit, checks=checks)
    async with browsing(worker_kill, before=Run(audit, {})) as person:
        assert "NOT APPLICABLE" in await person.press("c")


@pytest.mark.parametrize(
    ("spans", "logs", "said"),
    [
        (9_999, 9_999, "● 9999 spans 9999 logs ✗"),
        (12_345_678, 12_345_678, "● 12.3M spans ✗"),
    ],
)
async def test_of_the_counts_nothing_is_said_in_part(
    worker_kill: Load, spans: int, logs: int, said: str
) -> None:
    audit, reader = worker_kill()
    many = replace(audit, trust=replace(audit.trust, spans=spans, logs=logs))
    async with browsing(lambda: (many, reader), announced=ANNOUNCED) as person:
        assert person.lines()[0].rstrip().endswith(said)


async def test_what_was_tested_less_is_doubtful_and_explained(worker_kill: Load) -> None:
    checks = tuple(
        replace(check, exposures=10**6) if check.id == "PAR-01" else check
        for check in earlier().audit.checks
    )
    audit = replace(earlier().audit, checks=checks, coverage=EXAMPLE.coverage)
    async with browsing(worker_kill, before=Run(audit, {})) as person:
        screen = await person.press("c")
        assert "! better" in screen
        assert "! doubtful: put to the test less than before" in screen


async def test_enter_opens_the_checks_and_escape_goes_back(worker_kill: Load) -> None:
    async with browsing(worker_kill, before=earlier()) as person:
        assert "What moved" in await person.press("c")
        assert "What moved" not in await person.press("escape")
        assert "TIM-01" in await person.press("c", "enter")
        assert person.app.current_view == "findings-view"


async def test_hostile_text_of_an_earlier_run_steers_nothing(worker_kill: Load) -> None:
    async with browsing(worker_kill, before=Run(hostile(), {})) as person:
        screen = await person.press("c")
        assert UNSAFE.findall(screen.replace("\n", "")) == []


async def test_where_nothing_stands_out_of_a_fault_its_instances_are_told(
    worker_kill: Load,
) -> None:
    async with browsing(worker_kill) as person:
        screen = await person.press("d")
        assert "What ran while" not in screen  # hang-1 stands out
        screen = await person.press("G")
        assert "What ran while outage-1 lasted" in screen
        assert "No workflow instance ran while it lasted." in screen
        assert "What ran while" not in await person.press("g")
