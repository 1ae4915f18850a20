"""Every key is found on the line on which a person sees it."""

import json
import tomllib
from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tracejury.report.toml import toml_text
from tracejury.workflow.document_lines import Path, lines_of

WORDS = st.text(st.sampled_from("ab\"\\[]{}:=,.#\n 'é"), max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


def every_place(value: Any, path: Path = ()) -> set[Path]:
    entries: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        entries = value.items()
    elif isinstance(value, list):
        entries = enumerate(value)
    return {path}.union(*(every_place(inner, (*path, key)) for key, inner in entries))


@given(st.dictionaries(WORDS, VALUES, min_size=1, max_size=3))
def test_every_key_and_entry_of_json_has_its_line(document: dict[str, Any]) -> None:
    text = json.dumps(document, indent=1)
    found = lines_of(text, is_toml=False)
    assert found.keys() == every_place(document)
    lines = text.split("\n")
    for path, line in found.items():
        if path and isinstance(path[-1], str):
            assert lines[line - 1].strip().startswith(json.dumps(path[-1]) + ":")


@given(st.lists(st.dictionaries(WORDS, WORDS, min_size=1, max_size=3), min_size=1, max_size=3))
def test_every_key_of_tables_in_toml_has_its_line(entries: list[dict[str, str]]) -> None:
    lines = ["# faults = [", ""]
    expected: dict[Path, int] = {}
    for number, entry in enumerate(entries):
        lines += ["[[ faults ]] # one more", ""]
        expected["faults", number] = len(lines) - 1
        for key, value in entry.items():
            lines.append(f"{toml_text(key)} = {toml_text(value)} # [[faults]]")
            expected["faults", number, key] = len(lines)
    text = "\n".join(lines) + "\n"
    assert tomllib.loads(text)["faults"] == entries
    assert lines_of(text, is_toml=True) == expected


def test_toml_is_followed_through_inline_tables_dates_and_long_strings() -> None:
    text = '''faults = [
  { id = "a", start = 2026-01-31T12:00:00Z, end = 1.5 },  # one
  {
    id = """b
[[faults]]
""", 'target' = [1, [2]] },
]
[other.table]
x.y = 3
'''
    tomllib.loads(text.replace("{\n    id", "{ id"))
    found = lines_of(text, is_toml=True)
    assert found["faults", 0, "start"] == 2
    assert found["faults", 1] == 3
    assert found["faults", 1, "id"] == 4
    assert found["faults", 1, "target"] == 6
    assert found["other", "table", "x", "y"] == 9
