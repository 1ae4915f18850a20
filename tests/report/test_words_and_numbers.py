"""Every code of the contract has its word, and no number looks better than it is."""

import io
from collections import Counter
from typing import get_args

import pytest

from tracejury.report.numbers import clock, duration
from tracejury.report.tally import together
from tracejury.report.terminal import PLAIN, Terminal
from tracejury.report.words import OUTCOMES, VERDICTS
from tracejury.scorecard.result import Outcome, TestOutcome, Verdict
from tracejury.scorecard.words import reason_sentence
from tracejury.telemetry.numbers import counted, either, percent, points, short


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_every_outcome_and_verdict_has_a_word_and_its_own_mark() -> None:
    assert set(OUTCOMES) == {*get_args(Outcome), *get_args(TestOutcome)}
    assert set(VERDICTS) == set(get_args(Verdict))
    assert len({word.mark for word in OUTCOMES.values()}) == len(OUTCOMES)


def test_an_unknown_reason_stands_for_itself() -> None:
    assert reason_sentence("no-exposure") == "nothing was seen that puts it to the test"
    assert reason_sentence("moon-phase") == "moon phase"
    assert reason_sentence("") == "no reason was recorded"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, "not observed"),
        (float("nan"), "not observed"),
        (0, "0%"),
        (1e-9, "<0.1%"),
        (0.5, "50%"),
        (0.9421, "94.2%"),
        (0.99951, ">99.9%"),
        (1, "100%"),
    ],
)
def test_only_all_of_it_is_a_hundred_percent(share: float | None, text: str) -> None:
    assert percent(share) == text


def test_numbers_are_short() -> None:
    assert [short(0), short(12.04), short(1234.56)] == ["0", "12", "1,234.6"]
    assert [points(99.96), points(100), points(31.4)] == [">99.9", "100", "31.4"]
    assert [counted(1, "span"), counted(2, "span"), counted(0, "box", "boxes")] == [
        "1 span",
        "2 spans",
        "0 boxes",
    ]


def test_a_noun_agrees_with_the_number_that_is_read() -> None:
    assert [counted(1.04, "candidate"), counted(1.1, "candidate"), counted(1000, "call")] == [
        "1 candidate",
        "1.1 candidates",
        "1,000 calls",
    ]
    assert [either(1, "was", "were"), either(0, "was", "were")] == ["was", "were"]


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, "-"),
        (float("inf"), "-"),
        (0, "0 ms"),
        (3.25, "3.25 ms"),
        (999.7, "1 s"),
        (31200, "31.2 s"),
        (120000, "2 min"),
        (9e6, "2.5 h"),
    ],
)
def test_durations_have_the_unit_that_suits_them(milliseconds: float | None, text: str) -> None:
    assert duration(milliseconds) == text


def test_a_time_that_no_calendar_has_is_shown_as_it_is() -> None:
    assert clock(1772452800000000000) == "2026-03-02 12:00:00"
    assert clock(2**64 - 1) == "2554-07-21 23:34:33"
    assert clock(10**30) == f"{10**30} ns"


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], "not-observed"),
        (["pass", "pass"], "pass"),
        (["pass", "not-applicable"], "pass"),
        (["not-applicable"], "not-applicable"),
        (["pass", "not-observed"], "not-observed"),
        (["pass", "manual"], "not-observed"),
        (["pass", "error"], "not-observed"),
        (["pass", "not-observed", "fail"], "fail"),
    ],
)
def test_a_task_holds_only_if_all_its_checks_do(outcomes: list[Outcome], expected: Outcome) -> None:
    assert together(Counter(outcomes)) == expected


def test_a_pipe_gets_neither_colour_nor_width() -> None:
    assert Terminal.of(io.StringIO(), {}) == PLAIN


@pytest.mark.parametrize(
    ("environ", "has_colour"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colour_is_for_terminals_that_want_it(environ: dict[str, str], has_colour: bool) -> None:
    assert Terminal.of(Screen(), environ).has_colour is has_colour


@pytest.mark.parametrize(("columns", "width"), [("20", 60), ("100", 100), ("400", 120)])
def test_lines_stay_readable(columns: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert Terminal.of(Screen(), {}).width == width
