"""What a query answers, in each format: times, lists and structs as their readers want them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tracejury.report.answer import render_answer
from tracejury.store.query import Answer, ask
from tracejury.store.reader import Reader
from tracejury.store.writer import Store

ASKED = """
    SELECT
        make_timestamptz(2026, 1, 31, 12, 0, 0, 'UTC') AS at,
        INTERVAL 90 MINUTE AS took,
        [DATE '2026-01-31', NULL] AS days,
        {'name': '=1+1', 'spans': 2} AS step
"""


@pytest.fixture
def answer(tmp_path: Path) -> Iterator[Answer]:
    path = tmp_path / "run.duckdb"
    Store.open(path).close()
    with Reader.open(path) as reader:
        yield ask(reader, ASKED, time_limit_s=60)


def test_a_program_reads_strings_and_values(answer: Answer) -> None:
    [row] = json.loads(render_answer(answer, "json"))
    assert row.pop("at").startswith("2026-01-31 ")
    assert row == {
        "took": "1:30:00",
        "days": ["2026-01-31", None],
        "step": {"name": "=1+1", "spans": 2},
    }


@pytest.mark.parametrize(
    ("written_as", "written"),
    [
        ("csv", '1:30:00,"[""2026-01-31"", null]","{""name"": ""=1+1"", ""spans"": 2}"\n'),
        ("table", '1:30:00  ["2026-01-31", null]  {"name": "=1+1", "spans": 2}\n'),
    ],
)
def test_a_list_and_a_struct_are_written_as_json(
    answer: Answer, written_as: str, written: str
) -> None:
    assert render_answer(answer, written_as).endswith(written)
