"""The real program in a real terminal: the screen comes, goes, and leaves nothing behind."""

import os
import signal
from pathlib import Path

import pytest
from tests.store.stores import written
from tests.terminal import NO_SCREEN, SCREEN, in_terminal, shown, shown_to_the_end
from tests.workflow.drawn import Span

REQUEST = (
    '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c",'
    '"spanId":"b7ad6b7169203331","name":"root","startTimeUnixNano":"1800000000000000000",'
    '"endTimeUnixNano":"1800000000100000000"}]}]}]}'
)


@pytest.mark.parametrize("key", [b"q", b"\x03"], ids=["q", "ctrl+c"])
def test_a_key_ends_it_at_once_and_gives_the_terminal_back(tmp_path: Path, key: bytes) -> None:
    written(tmp_path / "run.duckdb", [Span(1, "job", 0, 100, service="api")])
    with in_terminal(tmp_path, "tui", "--store", "run.duckdb") as (process, terminal):
        before = shown(terminal, lambda told: b"Opening" in told)
        assert before.partition(SCREEN)[0].strip() == b""
        os.write(terminal, key)
        after = shown_to_the_end(terminal).rpartition(NO_SCREEN)
        assert process.wait(timeout=60) == 0
    assert after[1], "the screen was not given back"
    assert b"Error" not in after[2]
    assert [path.name for path in tmp_path.iterdir()] == ["run.duckdb"]


@pytest.mark.parametrize("moment", [b"Opening", b"questions", b"Criteria"])
def test_a_terminal_that_is_closed_ends_it_at_any_moment(tmp_path: Path, moment: bytes) -> None:
    written(tmp_path / "run.duckdb", [Span(1, "job", 0, 100, service="api")])
    with in_terminal(tmp_path, "tui", "--store", "run.duckdb") as (process, terminal):
        shown(terminal, lambda told: moment in told)
        closed = os.open(os.devnull, os.O_RDWR)
        os.dup2(closed, terminal)  # closes the terminal, and keeps its number
        os.close(closed)
        os.killpg(process.pid, signal.SIGHUP)
        process.wait(timeout=30)
    assert [path.name for path in tmp_path.iterdir()] == ["run.duckdb"]


def test_what_was_wrong_with_a_file_is_said_when_the_screen_is_gone(tmp_path: Path) -> None:
    (tmp_path / "run.jsonl").write_text(f"{REQUEST}\n{{]\n{REQUEST.replace('root', 'more')}\n")
    with in_terminal(tmp_path, "tui", "run.jsonl") as (process, terminal):
        shown(terminal, lambda told: b"Criteria" in told)
        os.write(terminal, b"q")
        said = shown_to_the_end(terminal).rpartition(NO_SCREEN)[2]
        assert process.wait(timeout=60) == 0
    assert b"run.jsonl: line 2: " in said


def test_a_fault_that_lies_outside_of_the_run_is_said_on_the_screen_and_after(
    tmp_path: Path,
) -> None:
    (tmp_path / "run.jsonl").write_text(f"{REQUEST}\n")
    (tmp_path / "faults.json").write_text('{"faults": [{"id": "early", "start": 1, "end": 2}]}')
    with in_terminal(tmp_path, "tui", "run.jsonl", "--faults", "faults.json") as (
        process,
        terminal,
    ):
        shown(terminal, lambda told: b"window of fault early" in told)
        os.write(terminal, b"q")
        said = shown_to_the_end(terminal).rpartition(NO_SCREEN)[2]
        assert process.wait(timeout=60) == 0
    assert b"tracejury: The window of fault early lies outside the telemetry" in said


def test_a_run_that_cannot_be_read_is_said_when_the_screen_is_gone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("These are notes.\n")
    with in_terminal(tmp_path, "tui", "notes.txt") as (process, terminal):
        said = shown_to_the_end(terminal).rpartition(NO_SCREEN)[2]
        assert process.wait(timeout=60) == 2
    assert b"tracejury: notes.txt is not OTLP. Accepted are" in said


@pytest.mark.parametrize("command", ["tui", "live --grpc-port 0 --http-port 0"])
def test_a_terminal_that_can_show_no_screen_is_told_so(tmp_path: Path, command: str) -> None:
    words = [*command.split(), "--store", "run.duckdb"]
    with in_terminal(tmp_path, *words, variables={"TERM": "dumb"}) as (process, terminal):
        said = shown_to_the_end(terminal)
        assert process.wait(timeout=60) == 2
    assert b"\x1b" not in said
    assert b"tracejury: A dumb terminal can show no screen. Use `tracejury audit`" in said
    assert list(tmp_path.iterdir()) == []
