"""What each key does, as a person would notice it."""

import threading
from dataclasses import replace

import pytest
from rich.cells import cell_len
from tests.checks.alerting import alerts
from tests.report.example_audit import EXAMPLE
from tests.tui.odd_run import LINKED_TRACE, ODD, ODD_LOGS, ODD_TRACE
from tests.tui.requests import Log, Span, span_id, stored, trace_id
from tests.tui.screens import ANNOUNCED, SMALL, WIDE, KeptReader, Load, Person, browsing, judged
from textual.content import Content

from tracejury.checks.check import Finding, Reference
from tracejury.config import Config
from tracejury.errors import StoreError
from tracejury.scorecard.audit import audit
from tracejury.scorecard.result import Audit
from tracejury.store.reader import Reader
from tracejury.store.writer import Store
from tracejury.tui.app import TracejuryApp
from tracejury.tui.help_screen import KEY_WIDTH, MARKS, WORDS
from tracejury.tui.row_list import RowList
from tracejury.tui.trace_screen import TraceScreen
from tracejury.tui.waterfall_rows import Record
from tracejury.tui.words import OUTCOMES


@pytest.fixture(scope="module")
def odd() -> Load:
    return judged(stored(ODD, ODD_LOGS))


def row_under_cursor(person: Person, name: str = "#waterfall") -> Record:
    current = person.app.screen.query_one(name, RowList).current
    assert current is not None
    record: Record = current.record
    return record


async def open_odd(person: Person) -> None:
    await person.press("t", "slash")
    await person.type(f"trace:{trace_id(ODD_TRACE)[:2]}")
    await person.press("enter", "enter")
    assert isinstance(person.app.screen, TraceScreen)


async def test_digits_and_letters_go_to_the_views(odd: Load) -> None:
    async with browsing(odd) as person:
        for key, title in (("w", "Workflows (w)"), ("t", "Traces (t)"), ("f", "Checks (f)")):
            assert title in await person.press(key)
        for key, title in (("1", "Audit tasks"), ("2", "Steps"), ("3", "Traces (t)")):
            assert title in await person.press(key)


async def test_escape_goes_back_and_never_quits(odd: Load) -> None:
    async with browsing(odd) as person:
        await open_odd(person)
        await person.press("escape")
        assert not isinstance(person.app.screen, TraceScreen)
        for _ in range(5):
            await person.press("escape")
        assert person.app.is_running
        assert person.app.current_view == "scorecard-view"


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_q_and_control_c_quit(odd: Load, key: str) -> None:
    async with browsing(odd) as person:
        await open_odd(person)
        await person.pilot.press(key)
        await person.pilot.pause()
        assert not person.app.is_running


async def test_letters_are_letters_in_the_filter(odd: Load) -> None:
    async with browsing(odd) as person:
        await person.press("t", "slash")
        screen = await person.type("quit12")
        assert "quit12" in screen
        assert person.app.is_running
        assert "No trace passes" in await person.press("enter")
        assert "Traces (t) 2" in await person.press("escape")


async def test_the_cursor_moves_by_letters_and_arrows(odd: Load) -> None:
    async with browsing(odd) as person:
        await open_odd(person)
        rows = person.app.screen.query_one("#waterfall", RowList)
        places = []
        for key in ("j", "down", "k", "up", "G", "g", "end", "home", "pagedown", "pageup"):
            await person.press(key)
            places.append(rows.cursor)
        last = len(rows.rows) - 1
        assert places[:8] == [1, 2, 1, 0, last, 0, last, 0]
        assert places[8] > 1
        assert places[9] == 0


async def test_folding_by_letters_arrows_and_brackets(odd: Load) -> None:
    async with browsing(odd) as person:
        await open_odd(person)
        rows = person.app.screen.query_one("#waterfall", RowList)
        count = len(rows.rows)
        await person.press("h")
        assert len(rows.rows) < count
        await person.press("l")
        assert len(rows.rows) == count
        await person.press("right_square_bracket")
        folded = len(rows.rows)
        assert folded < count
        await person.press("left_square_bracket")
        assert len(rows.rows) == count
        await person.press("j", "left", "left")
        assert rows.cursor == 0


async def test_errors_only_and_the_next_error(odd: Load) -> None:
    async with browsing(odd) as person:
        await open_odd(person)
        await person.press("n")
        assert getattr(row_under_cursor(person), "name", "") == "bad"
        await person.press("N", "N")
        screen = await person.press("e")
        assert "errors and ghosts only" in screen
        assert "bad" in screen
        assert "good" not in screen


async def test_the_critical_path_alone(odd: Load) -> None:
    async with browsing(odd) as person:
        await open_odd(person)
        screen = await person.press("c")
        assert "critical path only" in screen
        assert "orphan one" not in screen
        assert "critical path only" not in await person.press("c")


async def test_searching_a_trace(odd: Load) -> None:
    async with browsing(odd) as person:
        await open_odd(person)
        await person.press("slash")
        await person.type("twin")
        screen = await person.press("enter")
        assert "second twin" in screen
        assert "linking" not in screen
        assert "linking" in await person.press("escape", "G")


async def test_logs_come_and_go(odd: Load) -> None:
    async with browsing(odd, size=WIDE) as person:
        await open_odd(person)
        assert "it broke" in person.screen()
        assert "it broke" not in await person.press("L")


async def test_a_link_is_followed_and_esc_comes_back(odd: Load) -> None:
    async with browsing(odd, size=WIDE) as person:
        await open_odd(person)
        await person.press("slash")
        await person.type("linking")
        await person.press("enter", "j", "enter")
        details = person.app.screen.query_one("#details", RowList)
        assert details.find(lambda detail: detail.link is not None and detail.link.name, 1)
        screen = await person.press("enter")
        assert trace_id(LINKED_TRACE) in screen
        assert getattr(row_under_cursor(person), "name", "") == "linked"
        assert trace_id(ODD_TRACE) in await person.press("escape")


async def test_evidence_opens_the_very_span(odd: Load) -> None:
    finding = Finding(
        "it failed",
        "bad",
        evidence=(
            Reference(trace_id(ODD_TRACE), span_id(3)),
            Reference(trace_id(ODD_TRACE), log=1),
        ),
    )
    check = replace(EXAMPLE.checks[5], findings=(finding,))

    def load() -> tuple[Audit, Reader]:
        return replace(EXAMPLE, checks=(check,)), odd()[1]

    async with browsing(load) as person:
        await person.press("f", "l", "j", "enter")
        assert getattr(row_under_cursor(person), "name", "") == "bad"
        await person.press("escape", "l", "j", "j", "enter")
        assert getattr(row_under_cursor(person), "body", "") == "it broke"


async def test_evidence_opens_an_alert() -> None:
    told = alerts("JobsStuck 12s..? service=[b]worker annotation:summary=nobody[/]works")
    alerted = judged(stored(ODD, told=told))

    def load() -> tuple[Audit, Reader]:
        finding = Finding("it has no runbook", "JobsStuck", evidence=(Reference(alert=0),))
        check = replace(EXAMPLE.checks[5], findings=(finding,))
        return replace(EXAMPLE, checks=(check,)), alerted()[1]

    async with browsing(load) as person:
        screen = await person.press("f", "l", "j", "enter")
        assert "Alert 0" in screen
        for part in ("firing since 20", "alertname: JobsStuck", "service: [b]worker",
                     "summary: nobody[/]works"):  # fmt: skip
            assert part in screen


async def test_y_copies_the_id(odd: Load) -> None:
    async with browsing(odd) as person:
        await person.press("t", "y")
        assert person.app.clipboard == trace_id(LINKED_TRACE)
        await open_odd(person)
        await person.press("y")
        assert person.app.clipboard == span_id(1)


async def test_s_changes_the_order(odd: Load) -> None:
    async with browsing(odd) as person:
        assert "newest first" in await person.press("t")
        assert "slowest first" in await person.press("s")
        assert "errors first" in await person.press("s")


async def test_a_step_leads_to_its_traces(odd: Load) -> None:
    async with browsing(odd) as person:
        screen = await person.press("w", "enter", "enter")
        assert "Traces (t) 1" in screen


async def test_tab_changes_the_pane_and_tasks_lead_to_checks(odd: Load) -> None:
    async with browsing(odd) as person:
        await person.press("tab")
        focused = person.app.focused
        assert focused is not None
        assert focused.id == "criteria"
        assert "Checks (f)" in await person.press("enter")
        assert " of " in person.screen()
        assert person.app.current_view == "findings-view"


async def test_the_tests_can_be_reached_in_a_small_terminal(odd: Load) -> None:
    async with browsing(odd, size=SMALL) as person:
        assert "Tests under faults" in person.screen()
        screen = await person.press("tab", "tab")
        focused = person.app.focused
        assert focused is not None
        assert focused.id == "trials"
        assert focused.size.height >= 4
        assert "Audit tasks" in screen
        assert "Criteria" in screen
        assert "Trust" in screen


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "vt100")])
async def test_without_colours_the_cursor_is_seen(
    odd: Load, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    async with browsing(odd) as person:
        await person.press("t", "j")
        strips = person.app.screen._compositor.render_strips()
        turned = [
            sum(part.cell_length for part in strip if part.style and part.style.reverse)
            for strip in strips
        ]
        reversed_lines = [number for number, cells in enumerate(turned) if cells > 40]
        rows = person.app.screen.query_one("#traces", RowList)
        # Below the frame and the names of the columns.
        assert reversed_lines == [rows.region.y + 2 + rows.cursor]


async def test_a_test_leads_to_the_checks_of_the_clause_that_decided(odd: Load) -> None:
    async with browsing(odd, size=(120, 40)) as person:
        assert "Tests under faults" in person.screen()
        await person.press("tab", "tab")
        focused = person.app.focused
        assert focused is not None
        assert focused.id == "trials"
        assert "open: No job is stuck" in person.screen()  # S02, which needs no fault
        assert "ST-01" in await person.press("enter")
        assert person.app.current_view == "findings-view"


async def test_help_lists_the_keys_of_where_one_is(odd: Load) -> None:
    async with browsing(odd, size=(120, 60)) as person:
        await open_odd(person)
        screen = await person.press("question_mark")
        for words in ("Critical path", "Next error", "Fold all", "Copy id", "Quit", "ghost"):
            assert words in screen
        assert "Critical path" in await person.press("escape")


async def test_the_palette_has_our_own_help_and_none_that_escape_cannot_undo(odd: Load) -> None:
    async with browsing(odd) as person:
        offered = [command.title for command in person.app.get_system_commands(person.app.screen)]
        assert {"Help", "Theme", "Quit"} <= set(offered)
        assert not {"Keys", "Maximize", "Minimize"} & set(offered)
        await person.press("ctrl+p")
        await person.type("Help")
        assert "Keys, marks and words" in await person.press("enter")
        assert "Keys, marks and words" not in await person.press("escape")


async def test_help_lists_every_key_of_every_screen(odd: Load) -> None:
    async with browsing(odd, size=(120, 200)) as person:
        for keys in (["1"], ["2"], ["3"], ["4"], ["4", "tab"], ["5"], ["3", "enter"]):
            await person.press(*keys)
            bound = [
                active.binding.description
                for active in person.app.screen.active_bindings.values()
                if not active.binding.system
            ]
            screen = await person.press("question_mark")
            assert [said for said in bound if said not in screen] == []
            await person.press("escape")


def test_help_explains_every_mark_and_short_form_in_one_line() -> None:
    for short_form, meaning in (*MARKS, *WORDS):
        assert cell_len(short_form) <= KEY_WIDTH - 4
        assert len(meaning) <= 43
    marks = " ".join(mark for mark, _ in MARKS).split()
    assert {word.mark for word in OUTCOMES.values()} <= set(marks)


async def test_a_row_that_is_cut_can_be_read_in_full() -> None:
    name = "[b]" + "a long name of a span " * 20 + "which ends"
    async with browsing(judged(stored([Span(1, name=name, end=100)]))) as person:
        screen = await person.press("t")
        assert "which ends" not in screen
        screen = await person.press("o")
        assert "which ends" in screen
        assert "[b]a long name" in screen
        assert trace_id(1) in screen
        assert "which ends" not in await person.press("escape")


async def test_where_nothing_failed_the_next_failure_is_told_to_be_none() -> None:
    async with browsing(judged(stored([Span(1, name="root", end=100)]))) as person:
        assert "None of these traces has an error" in await person.press("t", "n")
    checks = tuple(replace(check, outcome="pass") for check in EXAMPLE.checks)
    reader = judged(stored([]))()[1]
    async with browsing(lambda: (replace(EXAMPLE, checks=checks), reader)) as person:
        assert "None of these checks fails" in await person.press("f", "n")


async def test_the_details_of_a_finding_scroll_by_the_keys_of_lists(odd: Load) -> None:
    async with browsing(odd, size=(50, 16)) as person:
        await person.press("f", "tab")
        pane = person.app.screen.query_one("#reason")
        places = []
        for key in ("G", "g", "j", "k"):
            await person.press(key)
            places.append(pane.scroll_y)
        assert places == [pane.max_scroll_y, 0, 1, 0]
        assert pane.max_scroll_y > 1


async def test_r_asks_the_store_again_and_stays_on_the_row() -> None:
    store = Store.in_memory()
    first = [Span(1, name="root", end=100)]
    versions = iter([stored(first), stored([*first, Span(2, 1, name="late", start=3)])])

    def load() -> tuple[Audit, Reader]:
        return judged(next(versions))()

    async with browsing(load) as person:
        await person.press("t", "enter")
        assert "late" not in person.screen()
        assert "late" in await person.press("r")
        assert getattr(row_under_cursor(person), "name", "") == "root"
    store.close()


async def test_a_run_that_is_read_again_says_so_meanwhile(odd: Load) -> None:
    hold = threading.Event()
    hold.set()

    def load() -> tuple[Audit, Reader]:
        assert hold.wait(60)
        return odd()

    async with browsing(load) as person:
        assert "↻" not in person.lines()[0]
        hold.clear()
        try:
            await person.pilot.press("r")
            await person.pilot.pause()
            assert "↻ 17 spans" in person.lines()[0]
        finally:
            hold.set()
        await person.settle()
        assert "↻" not in person.lines()[0]


async def test_of_very_many_findings_the_way_to_all_is_told(odd: Load) -> None:
    findings = tuple(Finding(f"it failed {number}", "bad") for number in range(1_234))
    check = replace(EXAMPLE.checks[5], findings=findings, outcome="fail")
    audit = replace(EXAMPLE, checks=(check,))
    async with browsing(lambda: (audit, odd()[1]), size=WIDE) as person:
        screen = await person.press("f")
        assert "The first 500 of 1,234 findings" in screen
        assert "--format json" in screen


async def test_a_live_run_says_so_and_is_read_again(odd: Load) -> None:
    async with browsing(odd, announced=ANNOUNCED) as person:
        assert "●" in person.lines()[0]
        assert "17 spans 4 logs" in person.lines()[0]


async def test_a_receiver_that_ended_is_told_until_it_is_seen(odd: Load) -> None:
    said = [""]
    async with browsing(odd, announced=ANNOUNCED, trouble=lambda: said[0]) as person:
        assert "not receiving" not in person.lines()[0]
        said[0] = "The receiver [was] ended by signal 9."
        assert "The receiver [was] ended by signal 9." in await person.press("r")
        screen = await person.press("escape")
        assert "signal 9" not in screen
        assert "✖ not receiving" in person.lines()[0]
        assert "signal 9" not in await person.press("r")


async def test_nothing_received_says_where_to_point() -> None:
    for announced, words in (
        (ANNOUNCED, "ENDPOINT=http://127.0.0.1:5317"),
        ("", "tracejury serve"),
    ):
        async with browsing(judged(stored([])), announced=announced) as person:
            assert words in person.screen()
            assert words in await person.press("t", "escape")


async def test_a_store_that_a_server_holds_says_that_it_waits() -> None:
    class Copy(KeptReader):
        is_snapshot = True

    store = stored([])

    def load() -> tuple[Audit, Reader]:
        reader = Copy.of(store)
        return audit(reader, Config()), reader

    async with browsing(load) as person:
        screen = person.screen()
        assert "the screen fills as spans arrive" in screen
        assert "tracejury serve" not in screen


async def test_the_minutes_scroll_where_there_is_no_room_for_all(odd: Load) -> None:
    said = {f"cause {number}": 1.0 for number in range(30)}
    assert EXAMPLE.diagnosis is not None
    diagnosis = replace(EXAMPLE.diagnosis, breakdown=said)
    hard = replace(EXAMPLE, diagnosis=diagnosis)
    async with browsing(lambda: (hard, odd()[1])) as person:
        screen = await person.press("d")
        assert "Faults and suspects" in screen
        assert "cause 29" not in screen
        screen = await person.press("shift+tab", "G")
        assert "What would save how much" in screen
        assert "cause 29" in screen


async def test_the_first_spans_end_the_emptiness() -> None:
    versions = iter([stored([]), stored([Span(1)])])

    def load() -> tuple[Audit, Reader]:
        return judged(next(versions))()

    async with browsing(load, announced=ANNOUNCED) as person:
        assert "Audit tasks" in await person.press("r")


async def test_a_run_that_cannot_be_read_says_why(odd: Load) -> None:
    answers = iter([odd])

    def load() -> tuple[Audit, Reader]:
        for answer in answers:
            return answer()
        raise StoreError("The store [/x] is gone.", next_step="Find it.")

    async with browsing(load) as person:
        screen = await person.press("r")
        assert "The store [/x] is gone." in screen
        assert "Audit tasks" in screen


async def test_the_screen_answers_while_the_store_is_asked(odd: Load) -> None:
    hold = threading.Event()

    def slow() -> tuple[Audit, Reader]:
        hold.wait(60)
        return odd()

    app = TracejuryApp(slow)
    async with app.run_test() as pilot:
        await pilot.press("question_mark")
        assert app.screen.query("#help")
        hold.set()
        await app.workers.wait_for_complete()


async def test_a_click_moves_and_a_double_click_opens(odd: Load) -> None:
    async with browsing(odd) as person:
        await person.pilot.click("#tab-traces-view")
        await person.settle()
        assert person.app.current_view == "traces-view"
        await person.pilot.click("#traces", offset=(10, 3))
        await person.settle()
        assert person.app.screen.query_one("#traces", RowList).cursor == 1
        await person.pilot.click("#traces", offset=(10, 3), times=2)
        await person.settle()
        assert isinstance(person.app.screen, TraceScreen)


async def test_a_trace_of_many_spans_draws_only_what_shows() -> None:
    spans = [Span(1, name="root", end=9000)]
    spans += [Span(number, 1, start=number, end=number + 1) for number in range(2, 5_001)]
    async with browsing(judged(stored(spans, [Log("end", span=4_000)]))) as person:
        screen = await person.press("t", "enter", "G")
        assert "5,000 spans" in screen
        rows = person.app.screen.query_one("#waterfall", RowList)
        draw, drawn = rows._draw, []

        def counting(row: object, width: int) -> Content:
            drawn.append(row)
            return draw(row, width)

        rows._draw = counting
        rows.refresh()
        await person.settle()
        assert 0 < len(drawn) < 30
