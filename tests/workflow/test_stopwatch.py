"""What the stopwatch measured is kept beside what was browsed, and read again."""

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tracejury.errors import InputError, StoreError
from tracejury.workflow.stopwatch import Measurement, is_root, keep, measurements, stopwatch_file

TIME = Measurement("hang-1", "2026-03-02T12:00:00+00:00", 2.5, "worker", "call", "aa", "bb", True)


def test_what_is_kept_is_read_again_oldest_first(tmp_path: Path) -> None:
    file = stopwatch_file(tmp_path / "run.duckdb")
    other = replace(TIME, fault="", is_right=None, service="line\nbreak \ud800 \u2028")
    assert measurements(file) == ()
    keep(file, TIME)
    keep(file, other)
    assert measurements(file) == (TIME, other)
    assert file.name == "run.duckdb.stopwatch.jsonl"
    assert file.stat().st_mode & 0o777 == 0o600


def line_of(minutes: float) -> str:
    return json.dumps(asdict(replace(TIME, minutes=minutes)))


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"fault": "a"}',
        "[" * 100_000,
        *map(line_of, (math.nan, math.inf, -1, 1e300, True)),
    ],
)
def test_a_line_that_is_no_measurement_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "times"
    keep(file, TIME)
    with file.open("a", encoding="utf-8") as stream:
        stream.write(f"{line}\n")
    with pytest.raises(InputError, match="line 2 is no measurement"):
        measurements(file)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        keep(tmp_path / "absent" / "times", TIME)


@pytest.mark.parametrize(
    ("target", "names", "right"),
    [
        ("payment", ("Payment",), True),
        ("db", ("shop", "db:5432"), True),
        ("payment", ("checkout",), False),
        ("payment", (), False),
        ("", ("payment",), None),
    ],
)
def test_a_root_is_right_where_it_goes_by_the_name_of_the_target(
    target: str, names: tuple[str, ...], right: bool | None
) -> None:
    assert is_root(target, names) is right
