"""Telemetry can neither crash the screens, nor style them, nor reach the terminal."""

import base64
import unicodedata
from dataclasses import replace

import pytest
from tests.report.example_audit import EXAMPLE
from tests.report.hostile_audit import hostile
from tests.tui.requests import Log, Span, stored
from tests.tui.screens import SMALL, WIDE, Load, Person, browsing, judged
from textual.command import CommandList

from tracejury.checks.check import Finding, Reference
from tracejury.scorecard.result import Audit
from tracejury.store.reader import Reader
from tracejury.tui.content import safe
from tracejury.tui.tab_bar import VIEWS
from tracejury.tui.trace_screen import TraceScreen

NAMES = (
    "GET [/foo]",
    "[@click=app.quit]x[/]",
    "[bold red]loud[/bold red]",
    "\x1b]2;PWNED\x07\x1b\\title",
    "\x9b31mred\x00nul\x7f",
    "right\u202eto left\u2066",
    "two\nlines\tand\rmore",
    "[link=file:///etc/passwd]here[/link]",
    "\U000e0041tag\u200bzero",
    "界" * 60,
    "x" * 200_000,
    "",
)


@pytest.fixture(scope="module")
def hostile_run() -> Load:
    spans = [
        Span(
            number,
            max(number - 1, 0),
            name=name,
            service=name,
            start=number,
            end=number + 1,
            is_error=True,
            attributes={name[:50]: name, "job.id": NAMES[3]},
            links=((1, 1),),
            event=name,
        )
        for number, name in enumerate(NAMES, 1)
    ]
    orphan = Span(90, 91, name=NAMES[1], service=NAMES[3], start=3, end=4)
    return judged(stored([*spans, orphan], [Log(name, span=2, service=name) for name in NAMES]))


def assert_clean(person: Person) -> None:
    for line in person.lines():
        unsafe = [c for c in line if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
        assert unsafe == []
    assert person.app.is_running


async def visit_everything(person: Person) -> None:
    assert_clean(person)
    for key in "12345":
        await person.press(key)
        assert_clean(person)
        for inner in ("tab", "G", "g", "l", "j", "l", "j"):
            await person.press(inner)
            assert_clean(person)
    await person.press("3", "enter")
    for key in ("n", "e", "e", "c", "c", "L", "i", "G", "k", "tab", "G", "question_mark", "escape"):
        await person.press(key)
        assert_clean(person)


@pytest.mark.parametrize("size", [SMALL, WIDE])
async def test_hostile_telemetry_is_shown_as_text(hostile_run: Load, size: tuple[int, int]) -> None:
    async with browsing(hostile_run, size=size) as person:
        await visit_everything(person)


async def test_markup_in_a_name_is_shown_as_it_came(hostile_run: Load) -> None:
    async with browsing(hostile_run, size=(200, 50)) as person:
        screen = await person.press("t", "enter")
        assert "GET [/foo]" in screen
        assert "[@click=app.quit]x[/]" in screen
        assert "\\x1b]2;PWNED" in screen


async def test_no_name_becomes_an_action_or_a_style(hostile_run: Load) -> None:
    async with browsing(hostile_run, size=(200, 50)) as person:
        await person.press("t", "enter")
        metas = [
            segment.style.meta
            for strip in person.app.screen._compositor.render_strips()
            for segment in strip
            if segment.style
        ]
        assert not any("@click" in meta for meta in metas)


async def test_a_failed_instance_opens_its_trace(hostile_run: Load) -> None:
    async with browsing(hostile_run, size=WIDE) as person:
        screen = await person.press("5", "j")
        assert "1 workflow instance failed, in 1 place" in screen
        assert "failed, at least" in screen
        await person.press("enter")
        assert isinstance(person.app.screen, TraceScreen)
        assert_clean(person)


async def test_every_row_of_details_opens_in_full(hostile_run: Load) -> None:
    async with browsing(hostile_run) as person:
        await person.press("t", "enter", "j", "j", "j", "enter")
        for _ in range(8):
            await person.press("enter")
            assert_clean(person)
            await person.press("escape", "tab", "tab", "j")


async def test_a_workflow_without_a_name_has_its_steps() -> None:
    spans = [Span(1, name="", end=9), Span(2, 1, name="inner", end=5)]
    async with browsing(judged(stored(spans))) as person:
        screen = await person.press("w")
        assert "(no name)" in screen
        assert "Steps of (no name)" in screen
        assert "inner" in screen


@pytest.mark.parametrize("key", ["w", "t"])
async def test_a_narrow_terminal_leaves_room_for_names(key: str) -> None:
    spans = [Span(1, name="checkout", service="web", end=9)]
    async with browsing(judged(stored(spans)), size=(40, 16)) as person:
        listed = (await person.press(key)).splitlines()
        assert any("checkout" in line and "│" in line for line in listed)


async def test_a_name_of_many_characters_leaves_room_in_the_palette() -> None:
    long = judged(stored([Span(1, name="x" * 10_000, end=9), Span(2, trace=2, name="xx", end=9)]))
    async with browsing(long) as person:
        await person.press("ctrl+p")
        await person.type("Traces of xx")
        await person.settle()
        offered = [hit.prompt for hit in person.app.screen.query_one(CommandList).options]
        assert len(offered) == 2
        assert max(len(str(prompt)) for prompt in offered) < 200


async def test_a_hostile_audit_is_shown_as_text(hostile_run: Load) -> None:
    def load() -> tuple[Audit, Reader]:
        reader = hostile_run()[1]
        return hostile(), reader

    async with browsing(load, size=WIDE) as person:
        for key in "124545":
            await person.press(key)
            assert_clean(person)
            for inner in ("l", "j", "l", "j", "j"):
                await person.press(inner)
                assert_clean(person)


async def test_evidence_that_is_not_stored_is_only_told(hostile_run: Load) -> None:
    finding = Finding("lost", "x", evidence=(Reference(trace_id="\x1b[31m", span_id="y"),))
    check = replace(EXAMPLE.checks[5], findings=(finding,))

    def load() -> tuple[Audit, Reader]:
        return replace(EXAMPLE, checks=(check,)), hostile_run()[1]

    async with browsing(load) as person:
        screen = await person.press("f", "l", "j", "enter")
        assert "The trace is not stored." in screen
        assert_clean(person)


async def test_the_palette_shows_names_as_text(hostile_run: Load) -> None:
    async with browsing(hostile_run) as person:
        await person.press("ctrl+p")
        await person.type("traces")
        await person.settle()
        assert_clean(person)


async def test_what_is_copied_steers_no_terminal(
    hostile_run: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with browsing(hostile_run) as person:
        written: list[str] = []
        assert person.app._driver is not None
        monkeypatch.setattr(person.app._driver, "write", written.append)
        person.app.copy(NAMES[3])
        sent = next(text for text in written if text.startswith("\x1b]52;c;"))
        copied = base64.b64decode(sent.removeprefix("\x1b]52;c;").rstrip("\a")).decode()
        assert copied == safe(NAMES[3])
        assert "\x1b" not in copied


def test_every_view_is_visited_here() -> None:
    assert len(VIEWS) == len("12345")
