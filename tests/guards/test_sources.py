"""What holds for every file of the repository and no other tool looks at."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A test that sleeps is slow when it passes and flaky when it fails: wait for the thing itself.
# File below tests/ -> why nothing can be waited for there.
MAY_SLEEP: dict[str, str] = {}

HEAVY = {"aiohttp", "duckdb", "grpc", "networkx", "numpy", "pyarrow", "rich", "textual"}


def tracked_texts() -> Iterator[tuple[str, str]]:
    """Give path and text of every tracked file that is text."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in listing.stdout.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file():  # a tracked file may be deleted and not yet committed
            raw = path.read_bytes()
            if b"\0" not in raw:
                yield name, raw.decode(errors="replace")


def lines_matching(pattern: str) -> list[str]:
    """Give "path:line" of every line of a tracked text that the pattern matches."""
    regex = re.compile(pattern)
    return [
        f"{name}:{number}"
        for name, text in tracked_texts()
        if regex.search(text)
        for number, line in enumerate(text.splitlines(), 1)
        if regex.search(line)
    ]


def test_no_file_names_a_path_of_one_machine() -> None:
    assert lines_matching(r"(?<![\w.:>}*-])/(home|root|Users|work)/[\w.]") == []


def test_no_file_has_a_conflict_marker() -> None:
    assert lines_matching(r"(?m)^(<{7}|>{7}) ") == []


def test_every_source_file_says_first_what_it_is() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "src").rglob("*.py"))
        if (text := path.read_text()) and ast.get_docstring(ast.parse(text)) is None
    ]
    assert silent == []


def test_public_names_are_sorted() -> None:
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                names = ast.literal_eval(node.value)
                assert names == sorted(set(names)), path


def sleeps(node: ast.AST) -> bool:
    """Tell whether this is a sleep; asyncio.sleep(0) only lets others run, and is fine."""
    if isinstance(node, ast.ImportFrom):
        return any(alias.name == "sleep" for alias in node.names)
    return (
        isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith(".sleep")
        and [ast.unparse(argument) for argument in node.args] != ["0"]
    )


def test_no_test_sleeps() -> None:
    sleepers = {
        path.relative_to(ROOT / "tests").as_posix()
        for path in (ROOT / "tests").rglob("*.py")
        if any(sleeps(node) for node in ast.walk(ast.parse(path.read_text())))
    }
    assert sleepers == set(MAY_SLEEP)


@pytest.mark.parametrize("module", ["tracejury", "tracejury.cli"])
def test_importing_the_command_line_stays_light(module: str) -> None:
    # A subprocess, for this process has imported everything already.
    code = f"import {module}, sys; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert HEAVY & set(ran.stdout.split()) == set()
