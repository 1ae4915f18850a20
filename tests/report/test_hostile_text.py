"""Telemetry is hostile text: no report lets it steer a terminal, a sheet or a browser."""

import csv
import html
import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from tests.report.example_audit import EXAMPLE
from tests.report.hostile_audit import HOSTILE, hostile

from tracejury.report.csv import formula_safe
from tracejury.report.markdown_text import bullets, code, escaped
from tracejury.report.render import FORMATS, render
from tracejury.report.terminal import Terminal
from tracejury.telemetry.safe_text import UNSAFE, safe_text

FORMULA = ("=", "+", "-", "@", "\t", "\r")
GITHUB = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
ANY_TEXT = st.text(st.characters() | st.sampled_from("\\`*_{}[]()<>#+-.!|~$&@=\x1b\n "))


@pytest.mark.parametrize("name", FORMATS)
def test_no_control_character_survives(name: str) -> None:
    report = render(hostile(), name)
    assert UNSAFE.findall(report.replace("\n", "")) == []
    assert report.encode()  # no surrogate either


def test_a_coloured_report_steers_nothing_but_colour() -> None:
    report = render(hostile(), "text", terminal=Terminal(has_colour=True))
    bare = re.sub(r"\x1b\[[0-9;]*m", "", report)
    assert UNSAFE.findall(bare.replace("\n", "")) == []


def test_text_takes_no_markup() -> None:
    shown = re.sub(r"\s", "", render(hostile(), "text"))
    assert "[red]x[/red][@click=app.quit]q[/]\\x1b]2;PWNED\\x07\\x1b[31m" in shown


@pytest.mark.parametrize("prefix", ["", "  ", *FORMULA])
def test_no_cell_of_a_sheet_is_a_formula(prefix: str) -> None:
    report = render(hostile(prefix), "csv")
    rows = list(csv.reader(io.StringIO(report)))
    assert len(rows) == len(list(csv.reader(io.StringIO(render(EXAMPLE, "csv")))))
    assert [cell for row in rows for cell in row if cell.lstrip(" ").startswith(FORMULA)] == []
    assert "\r" not in report


def test_numbers_of_a_sheet_stay_numbers() -> None:
    assert formula_safe("-1") == "'-1"
    rows = list(csv.DictReader(io.StringIO(render(EXAMPLE, "csv"))))
    assert {row["exposures"] for row in rows if row["check"] == "TIM-01"} == {"14"}


def kinds(tokens: list[Token]) -> list[str]:
    """Flatten the tokens of a document to what a renderer would make of them."""
    return [
        token.type
        for outer in tokens
        for token in (outer, *(outer.children or ()))
        if token.type != "text"
    ]


@pytest.mark.parametrize("prefix", ["", "# ", "- ", "1. ", "> ", "---", "\n\n", "    "])
def test_telemetry_cannot_change_the_structure_of_markdown(prefix: str) -> None:
    expected = kinds(GITHUB.parse(render(EXAMPLE, "markdown")))
    found = kinds(GITHUB.parse(render(hostile(prefix), "markdown")))
    assert [kind for kind in found if "html" in kind or "link" in kind or "image" in kind] == []
    assert found == expected


def test_markdown_leaves_github_nothing_to_link_or_to_mention() -> None:
    code_spans = r"(?<![\\`])(`+)(?!`).+?(?<!`)\1(?!`)"  # which GitHub leaves alone
    report, spans = re.subn(code_spans, "", render(hostile(), "markdown"))
    assert spans
    assert not re.search(r"https?://|www\.|@\w", report)


def test_json_keeps_what_was_sent() -> None:
    subject = json.loads(render(hostile(), "json"))["checks"][5]["findings"][0]["subject"]
    assert subject.startswith(HOSTILE.replace("\ud800", "\ufffd"))


@given(ANY_TEXT)
def test_safe_text_has_no_unsafe_character_and_changes_nothing_else(text: str) -> None:
    safe = safe_text(text)
    assert not UNSAFE.search(safe)
    assert safe_text(safe) == safe
    assert (safe == text) == (not UNSAFE.search(text))


@given(ANY_TEXT)
def test_escaped_text_reads_in_markdown_as_it_was_sent(text: str) -> None:
    visible = safe_text(text).strip()
    for written in (escaped(visible), code(visible) if visible else ""):
        rendered = GITHUB.renderInline(written).removeprefix("<code>").removesuffix("</code>")
        assert html.unescape(rendered).strip() == html.unescape(html.escape(visible))


@given(ANY_TEXT)
def test_a_list_item_is_one_paragraph(text: str) -> None:
    tokens = [token.type for token in GITHUB.parse(bullets([f"x{text}", text or "x"]))]
    assert set(tokens) <= {
        f"{block}_{end}" for block in ("bullet_list", "list_item", "paragraph")
        for end in ("open", "close")
    } | {"inline"}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\tb\r\nc", "a\\tb\\r\\nc"),
        ("\x9b\x7f\x00", "\\x9b\\x7f\\x00"),
        ("user\u202egnp.exe", "user\\u202egnp.exe"),
        ("\u2028\ud800\U000e0041", "\\u2028\\ud800\\U000e0041"),
        ("naïve 構成 👩\u200d🔧", "naïve 構成 👩\u200d🔧"),
    ],
)
def test_what_is_unsafe_becomes_visible(text: str, safe: str) -> None:
    assert safe_text(text) == safe
