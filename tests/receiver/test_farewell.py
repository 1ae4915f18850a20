"""Whoever ends a receiver learns what it stored, what it refused and what to run next."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from tests.receiver.requests import JSON, PROTOBUF, logs, post, traces
from tests.terminal import NO_SCREEN, in_terminal, shown

from tracejury.receiver.farewell import farewell
from tracejury.receiver.meter import Meter

COMMAND = [sys.executable, "-m", "tracejury.cli"]
PORTS = ["--grpc-port", "0", "--http-port", "0"]


@contextmanager
def serving(*options: str | Path) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    process = subprocess.Popen(
        [*COMMAND, "serve", *map(str, options), *PORTS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        found = re.search(r"HTTP http://127\.0\.0\.1:(\d+)", process.stdout.readline())
        assert found
        yield process, int(found[1])
    finally:
        process.kill()
        process.communicate()


def last_words(process: "subprocess.Popen[str]", how: int) -> str:
    process.send_signal(how)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return errors.splitlines()[-1]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_serve_says_what_it_stored(tmp_path: Path, how: int) -> None:
    store = tmp_path / "my run.duckdb"
    with serving("--store", store) as (process, port):
        assert post(port, "/v1/traces", traces("a", "b")).status == 200
        assert post(port, "/v1/logs", logs("one")).status == 200
        assert post(port, "/v1/traces", b"\xff", PROTOBUF).status == 400
        assert post(port, "/v1/logs", b"{", JSON).status == 400
        assert post(port, "/elsewhere", b"{}", JSON).status == 404
        assert last_words(process, how) == (
            f"Stored 2 spans and 1 log record in {store}. 2 requests were refused."
            f" Next: tracejury audit --store '{store}'"
        )


def test_serve_under_nohup_goes_on_when_the_terminal_is_closed(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with serving("--store", tmp_path / "run.duckdb") as (process, port):
            process.send_signal(signal.SIGHUP)
            assert post(port, "/v1/traces", traces("a")).status == 200
            assert last_words(process, signal.SIGTERM).startswith("Stored 1 span")
    finally:
        signal.signal(signal.SIGHUP, before)


def test_serve_that_received_nothing_says_so(tmp_path: Path) -> None:
    store = tmp_path / "run.duckdb"
    with serving("--store", store) as (process, port):
        assert post(port, "/healthz", b"", None, method="GET").status == 200
        said = last_words(process, signal.SIGTERM)
    assert said.startswith(f"Stored nothing in {store}. No request came")
    assert "audit" not in said


def test_the_next_command_names_the_configuration_that_was_named(tmp_path: Path) -> None:
    config = tmp_path / "other.toml"
    config.write_text('[run]\nstore = "run.duckdb"\n')
    with serving("--config", config) as (process, port):
        post(port, "/v1/traces", traces("a"))
        said = last_words(process, signal.SIGTERM)
    assert said.endswith(f"audit --store {tmp_path / 'run.duckdb'} --config {config}")


def test_everything_that_was_stored_and_refused_is_counted() -> None:
    meter = Meter()
    for kind, outcome, records in (
        ("spans", "stored", 1200),
        ("spans", "duplicate", 7),
        ("spans", "rejected", 1),
        ("points", "stored", 1),
        ("alerts", "stored", 2),
    ):
        meter.settled(kind, outcome, records)
    meter.answered("grpc", "traces", "OK")
    meter.answered("grpc", "traces", "UNAVAILABLE")
    meter.answered("http", "alerts", "204")
    meter.answered("http", "none", "404")
    assert farewell(meter, Path("a.duckdb"), None) == (
        "Stored 1,200 spans, 0 log records, 1 metric point and 2 alerts in a.duckdb."
        " 1 request and 1 record without valid ids were refused."
        " Next: tracejury audit --store a.duckdb"
    )


def live(folder: Path) -> AbstractContextManager[tuple["subprocess.Popen[bytes]", int]]:
    """The real `live`, in a terminal of its own, which is given, too."""
    return in_terminal(folder, "live", "--store", "run.duckdb", *PORTS)


@pytest.mark.parametrize("how", [signal.SIGTERM, None], ids=["term", "q"])
def test_live_says_it_when_the_screen_is_gone(tmp_path: Path, how: int | None) -> None:
    with live(tmp_path) as (process, terminal):
        shown(terminal, lambda told: b"Nothing has arrived" in told)
        log = (tmp_path / "run.duckdb.log").read_text()
        found = re.search(r"HTTP http://127\.0\.0\.1:(\d+)", log)
        assert found
        assert post(int(found[1]), "/v1/traces", traces("a")).status == 200
        if how is None:
            os.write(terminal, b"q")
        else:
            process.send_signal(how)
        told = shown(terminal, lambda told: b"Next: tracejury audit" in told)
        assert process.wait(timeout=60) == 0
    left, _, said = told.rpartition(NO_SCREEN)
    assert left, "the screen was not given back"
    assert b"Stored 1 span and 0 log records in run.duckdb. Next: tracejury audit" in said


def test_live_leaves_nothing_behind_when_its_terminal_is_closed(tmp_path: Path) -> None:
    with live(tmp_path) as (process, terminal):
        shown(terminal, lambda told: b"Nothing has arrived" in told)
        closed = os.open(os.devnull, os.O_RDWR)
        os.dup2(closed, terminal)  # closes the terminal, and keeps its number
        os.close(closed)
        os.killpg(process.pid, signal.SIGHUP)
        process.wait(timeout=60)
    log = tmp_path / "run.duckdb.log"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.duckdb", log.name]
    assert "Stored nothing" in log.read_text()
