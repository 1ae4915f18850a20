"""The command line as a user meets it: exit statuses, one sentence each, and nothing lost."""

import csv
import gzip
import io
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import duckdb
import pytest
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.otlp.requests import as_json
from tests.store.stores import elsewhere, first_line, written
from tests.terminal import in_terminal, shown_to_the_end
from tests.workflow import drawn
from tests.workflow.drawn import Log, Record, Span
from tracejury.cli import main
from tracejury.otlp.signals import Signal
from tracejury.receiver.import_files import Loaded, import_file
from tracejury.store.reader import Reader
from tracejury.tui.app import TracejuryApp
from tracejury.workflow.stopwatch import Measurement, keep, stopwatch_file

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "COLUMNS"}

HOLD = """
import sys
from pathlib import Path
from tracejury.store.writer import Store
store = Store.open(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
store.close()
"""

Ran = subprocess.CompletedProcess[str]


def tracejury(folder: Path, *arguments: str | Path) -> Ran:
    return subprocess.run(
        [sys.executable, "-m", "tracejury.cli", *map(str, arguments)],
        cwd=folder,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def called(folder: Path, *arguments: str | Path) -> Ran:
    """The same without a process of its own, which takes most of the time."""
    out, err = io.StringIO(), io.StringIO()
    words = list(map(str, arguments))
    with chdir(folder), redirect_stdout(out), redirect_stderr(err):
        try:
            status = main(words)
        except SystemExit as ended:
            status = int(ended.code or 0)
    return Ran(words, status, out.getvalue(), err.getvalue())


def refused(ran: Ran, *parts: str) -> None:
    """It ended with 2 and one line on stderr: a sentence and a next step, and no traceback."""
    assert ran.returncode == 2, ran.stderr
    assert ran.stdout == ""
    [line] = ran.stderr.splitlines()
    assert line.startswith("tracejury: ")
    assert len(re.findall(r"[.?]( |$)", line)) >= 2, f"no next step: {line}"
    for part in parts:
        assert part in line


def otlp_json(records: Sequence[Record], *, signal: Signal = Signal.TRACES) -> bytes:
    [body] = [body for kind, body in drawn.requests(records) if kind is signal]
    message: Message = (
        ExportTraceServiceRequest() if signal is Signal.TRACES else ExportLogsServiceRequest()
    )
    message.ParseFromString(body)
    return as_json(message) + b"\n"


RUN: list[Record] = [
    Span(1, "job", 0, 100, service="api", kind="SERVER"),
    Span(2, "step", 10, 20, parent=1, service="api"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files and stores that no test changes."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "run.jsonl").write_bytes(otlp_json(RUN))
    (folder / "one-broken.jsonl").write_bytes(otlp_json(RUN) + b'{"resourceSpans": [\n')
    (folder / "broken.json").write_bytes(b'{\n "resourceSpans": [}\n')
    (folder / "cut.gz").write_bytes(gzip.compress(otlp_json(RUN))[:-30])
    (folder / "empty.json").write_bytes(b"")
    (folder / "empty.gz").write_bytes(gzip.compress(b""))
    (folder / "nothing.json").write_bytes(b'{"resourceSpans": []}')
    (folder / "notes.txt").write_text("These are notes.\n")
    (folder / "binary").write_bytes(bytes(range(256)) * 8)
    (folder / "faults.json").write_text(
        json.dumps(
            {"faults": [{"id": "f", "start": drawn.START_NS, "end": drawn.START_NS + 10**9}]}
        )
    )
    (folder / "bad-faults.json").write_text('{"faults": [{"id": "f"}]}')
    (folder / "malformed.toml").write_text("[run\n")
    (folder / "misspelt.toml").write_text("[policy]\ncall_second = 5\n")
    (folder / "section.toml").write_text("[polizy]\n")
    (folder / "huge.toml").write_text("[policy]\njob_seconds = 1e300\n")
    (folder / "surrogate.json").write_text('{"faults": [{"id": "\\ud800", "start": 1, "end": 2}]}')
    (folder / "list.json").write_text(
        '{"faults": [{"id": "a", "target": ["x"], "start": 1, "end": 2}]}'
    )
    (folder / "text.toml").write_text('[policy]\ncall_seconds = "5"\n')
    (folder / "sampling.toml").write_text('[evidence]\nsampling = "some"\n')
    (folder / "origin.toml").write_text('[serve]\ncors_origin = [""]\n')
    (folder / "binary.toml").write_bytes(b"\xff\xfe\x00")
    written(folder / "run.duckdb", RUN)
    written(folder / "empty.duckdb")
    whole = written(folder / "long.duckdb", [Span(n, "x" * 200) for n in range(1, 3000)])
    (folder / "cut.duckdb").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with duckdb.connect(str(folder / "theirs.duckdb")) as connection:
        connection.execute("CREATE TABLE theirs AS SELECT 1 AS one")
    return folder


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ("audit absent.jsonl", ["absent.jsonl"]),
        ("audit empty.json", ["empty.json", "is empty"]),
        ("audit empty.gz", ["empty.gz", "is empty"]),
        ("preflight nothing.json", ["nothing.json holds no spans", "serve"]),
        ("audit notes.txt", ["notes.txt", "not OTLP"]),
        ("audit binary", ["binary", "OTLP"]),
        ("audit .", ["directory"]),
        ("audit", ["No store is named"]),
        ("audit run.jsonl --store run.duckdb", ["Both files and --store"]),
        ("audit --store notes.txt", ["notes.txt"]),
        ("audit --store absent.duckdb", ["absent.duckdb"]),
        ("audit --store .", ["."]),
        ("audit --store theirs.duckdb", ["not a tracejury store"]),
        ("audit run.jsonl --faults absent.json", ["absent.json", "cannot be read"]),
        ("audit run.jsonl --faults bad-faults.json", ["fault 1", 'no "start"']),
        ("audit run.jsonl --faults notes.txt", ["notes.txt", "is not valid"]),
        ("audit run.jsonl --baseline absent.duckdb", ["absent.duckdb"]),
        ("audit run.jsonl --baseline nothing.json", ["no clean workflow instance"]),
        ("audit run.jsonl --config absent.toml", ["absent.toml", "cannot be read"]),
        ("audit run.jsonl --config malformed.toml", ["malformed.toml", "not valid TOML"]),
        ("audit run.jsonl --config misspelt.toml", ['"call_second"', '"call_seconds"?']),
        ("audit run.jsonl --config section.toml", ['"polizy"', '"policy"?']),
        ("audit run.jsonl --config text.toml", ["policy.call_seconds", "number"]),
        ("audit run.jsonl --config sampling.toml", ["evidence.sampling", '"none"']),
        ("audit run.jsonl --config binary.toml", ["binary.toml"]),
        ("audit run.jsonl --format yaml", ["--format", "yaml"]),
        ("audit run.jsonl --min-completeness 2", ["--min-completeness", "share between 0 and 1"]),
        ("audit run.jsonl --min-completeness nan", ["--min-completeness"]),
        ("audit run.jsonl --fail-on never", ["--fail-on", "never"]),
        ("audit run.jsonl --sampling some", ["--sampling", "some"]),
        ("audit run.jsonl --sampel none", ["--sampel"]),
        ("audit run.jsonl --output absent/report.txt", ["absent/report.txt", "cannot be written"]),
        # Before it is found that there is nothing to judge.
        ("audit absent.jsonl --output absent/report.txt", ["absent/report.txt"]),
        ("compare absent.jsonl absent.jsonl --output .", [". cannot be written", "folder"]),
        ("import absent.jsonl --store new.duckdb", ["absent.jsonl"]),
        ("import . --store new.duckdb", ["is a folder", "Name the files"]),
        ("import run.jsonl", ["No store is named"]),
        ("import run.jsonl --store .", ["folder"]),
        ("import run.jsonl --store stored.duckdb", ["stored.duckdb", "something else"]),
        ("import run.jsonl --store notes.txt", ["notes.txt", "not a DuckDB file"]),
        ("import run.jsonl --store theirs.duckdb", ["not a tracejury store"]),
        ("import run.jsonl --store absent/new.duckdb", ["absent"]),
        ("import notes.txt --store new.duckdb", ["not OTLP"]),
        ("export --store run.duckdb", ["--output"]),
        ("export --store run.duckdb --output notes.txt", ["notes.txt"]),
        ("export --store absent.duckdb --output out", ["absent.duckdb"]),
        ("audit run.jsonl --state absent.csv", ["absent.csv", "cannot be read"]),
        ("audit run.jsonl --state notes.txt", ["notes.txt:1", "unknown column"]),
        ("audit run.jsonl --answers misspelt.toml", ["misspelt.toml", '"answers"?']),
        ("audit run.jsonl --store a.duckdb --store b.duckdb", ["Both files and --store"]),
        ("audit --store a.duckdb --store b.duckdb --state notes.txt", ["several stores"]),
        ("audit --store absent.duckdb --store run.duckdb", ["absent.duckdb"]),
        ("audit run.jsonl --baseline-outside-faults", ["no fault lies in the run", "--faults"]),
        (
            "audit run.jsonl --baseline-outside-faults --faults faults.json",
            ["No workflow instance went well outside"],
        ),
        ("audit run.jsonl --baseline-outside-faults --baseline b.duckdb", ["Choose one"]),
        ("tui run.jsonl --compare absent.jsonl", ["absent.jsonl"]),
        ("live --grpc-port 0 --http-port 0 --store new.duckdb --compare absent", ["no absent"]),
        ("compare run.jsonl", ["AFTER"]),
        ("compare run.jsonl absent.jsonl", ["absent.jsonl"]),
        ("compare run.jsonl run.jsonl --faults faults.json --faults faults.json", ['id "f"']),
        ("sql --store run.duckdb SELEKT", ["not SQL"]),
        ("sql --store run.duckdb DROP", ["not SQL"]),
        ("sql --store absent.duckdb SELECT", ["absent.duckdb"]),
        ("sql --store run.duckdb SELECT('\x1b[31m')::INT", [r"'\x1b[31m'"]),
        ("diagnose --store absent.duckdb", ["absent.duckdb"]),
        ("explain OBS-99", ["OBS-99", "Did you mean OBS-09"]),
        ("explain nothing", ["nothing", "Choose one of"]),
        ("faults check bad-faults.json", ["fault 1"]),
        ("faults check absent.json", ["absent.json"]),
        ("faults", ["ACTION"]),
        ("serve --store run.duckdb --config origin.toml", ["empty CORS origin"]),
        ("serve --store run.duckdb --grpc-port 70000", ["--grpc-port", "port"]),
        ("serve --store run.duckdb --http-port x", ["--http-port", "port"]),
        ("serve --grpc-port 0 --http-port 0 --store .", ["folder"]),
        ("serve --grpc-port 0 --http-port 0 --store notes.txt", ["notes.txt"]),
        ("serve --store run.duckdb --max-size 1MB", ["--max-size", "size of at least 16 MiB"]),
        ("serve --store run.duckdb --max-size much", ["--max-size", "much"]),
        ("serve --store run.duckdb --max-age 0h", ["--max-age", "duration such as 36h or 7d"]),
        ("live --store run.duckdb --max-age 7", ["--max-age", "7"]),
        ("serve", ["No store is named"]),
        ("serve --store new.duckdb --grpc-port 4444 --http-port 4444", ["Both ports are 4444"]),
        ("audit run.jsonl --config huge.toml", ["policy.job_seconds", "1,000,000,000"]),
        ("audit run.jsonl --faults surrogate.json", ["fault 1", "id", "Unicode"]),
        ("faults check surrogate.json", ["fault 1", "id", "Unicode"]),
        ("faults check list.json", ["fault 1", "target", "text"]),
        ("audit --store cut.duckdb", ["cut.duckdb", "damaged"]),
        ("sql --store cut.duckdb TABLE(span)", ["damaged"]),
        ("export --store cut.duckdb --output out", ["damaged"]),
        ("live", ["No store is named"]),
        ("live run.jsonl --store new.duckdb", ["`live` takes no files"]),
        ("live --grpc-port 0 --http-port 0 --store .", ["folder"]),
        ("live --grpc-port 0 --http-port 0 --store absent/new.duckdb", ["absent"]),
        ("live --grpc-port 0 --http-port 0 --store notes.txt", ["notes.txt", "not a DuckDB file"]),
        ("live --grpc-port 0 --http-port 0 --store theirs.duckdb", ["not a tracejury store"]),
        ("live --store new.duckdb --tls-cert absent.pem", ["TLS needs both"]),
        ("", ["COMMAND"]),
        ("judge", ["judge"]),
    ],
)
def test_what_cannot_be_used_is_said_in_a_sentence(
    folder: Path, arguments: str, parts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracejury.cli.browsing.require_terminal", lambda: None)
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    refused(called(folder, *arguments.split()), *parts)
    after = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert after == before


@pytest.mark.parametrize(
    "arguments",
    [
        "audit notes.txt",
        "audit absent.jsonl",
        "audit empty.json",
        "audit --store .",
        "audit run.jsonl --config misspelt.toml",
        "audit run.jsonl --faults bad-faults.json",
        "audit run.jsonl --format yaml",
        "import run.jsonl --store notes.txt",
    ],
)
def test_a_process_says_it_in_the_same_way(folder: Path, arguments: str) -> None:
    ran = tracejury(folder, *arguments.split())
    refused(ran)
    assert ran.stderr == called(folder, *arguments.split()).stderr


def test_an_audit_that_is_interrupted_leaves_no_copy_of_the_store(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = []
    close = Reader.close

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    def told(reader: Reader) -> None:
        closed.append(reader)
        close(reader)

    monkeypatch.setattr("tracejury.scorecard.audit.audit", interrupted)
    monkeypatch.setattr(Reader, "close", told)
    assert called(folder, "audit", "--store", "run.duckdb").returncode == 130
    assert len(closed) == 1


def test_a_screen_that_breaks_is_not_done(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(app: TracejuryApp) -> None:
        app.exit(return_code=1)  # as Textual does at an exception

    monkeypatch.setattr("tracejury.cli.browsing.require_terminal", lambda: None)
    monkeypatch.setattr(TracejuryApp, "run", broken)
    assert called(folder, "tui", "--store", "run.duckdb").returncode == 2


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_no_bar_is_drawn_into_a_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setitem(ENVIRONMENT, variable, "1")
    ran = tracejury(folder, "audit", "run.jsonl")
    assert ran.stderr == ""
    assert "\x1b" not in ran.stdout


@pytest.mark.parametrize("terminal", ["xterm-256color", "dumb"])
def test_no_bar_is_left_in_a_terminal(folder: Path, terminal: str) -> None:
    words: list[str | Path] = ["import", "run.jsonl", "--store", folder / f"{terminal}.duckdb"]
    with in_terminal(folder, *words, variables={"TERM": terminal}) as (process, screen):
        told = shown_to_the_end(screen)
        assert process.wait(timeout=60) == 0
    left = re.split(rb"\x1b\[2K", told)[-1]
    assert left.split() == b"run.jsonl: 2 records stored".split()


@pytest.mark.parametrize(
    "command", ["tui run.jsonl", "live --store new.duckdb --grpc-port 0 --http-port 0"]
)
def test_a_screen_that_no_terminal_could_show_begins_nothing(folder: Path, command: str) -> None:
    before = sorted(folder.iterdir())
    refused(tracejury(folder, *command.split()), "needs a terminal", "tracejury audit")
    assert sorted(folder.iterdir()) == before


def test_an_empty_input_is_never_a_score(folder: Path) -> None:
    for arguments in (["nothing.json"], ["--store", "empty.duckdb"]):
        ran = called(folder, "audit", *arguments, "--format", "json")
        assert ran.returncode == 2
        judged = json.loads(ran.stdout)
        assert judged["verdict"] == "CANNOT_JUDGE"
        assert "score" not in judged
    for form in ("text", "markdown", "csv"):
        assert called(folder, "audit", "nothing.json", "--format", form).returncode == 2


@pytest.mark.parametrize(
    ("name", "position"),
    [("broken.json", "line 1"), ("cut.gz", "byte"), ("one-broken.jsonl", "line 2")],
)
def test_a_broken_record_is_named_by_its_place(
    folder: Path, tmp_path: Path, name: str, position: str
) -> None:
    store = tmp_path / "new.duckdb"
    ran = called(folder, "import", name, "--store", store)
    kept = name == "one-broken.jsonl"
    assert ran.returncode == (1 if kept else 2)
    assert "Traceback" not in ran.stderr
    assert position in ran.stderr
    assert name in ran.stderr
    if store.exists():
        with Reader.open(store) as reader:
            assert reader.value("SELECT count(*) FROM stored.span") == (2 if kept else 0)


@pytest.mark.parametrize("name", ["broken.json", "cut.gz"])
def test_nothing_readable_is_nothing_to_judge(folder: Path, name: str) -> None:
    ran = called(folder, "audit", name)
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr
    assert name in ran.stderr


def test_a_store_that_another_program_holds_is_left_to_it(folder: Path, tmp_path: Path) -> None:
    store = written(tmp_path / "run.duckdb", RUN)
    with elsewhere(HOLD, store) as process:
        assert first_line(process) == "held"
        commands: list[list[str | Path]] = [
            ["audit", "--store", store],
            ["import", "run.jsonl", "--store", store],
            ["serve", "--store", store, "--grpc-port", "0", "--http-port", "0"],
            ["sql", "--store", store, "SELECT 1"],
        ]
        for arguments in commands:
            refused(called(folder, *arguments), f"process {process.pid}", "Stop it")
    with Reader.open(store) as reader:
        assert reader.value("SELECT count(*) FROM stored.span") == 2


@pytest.mark.parametrize("option", ["--grpc-port", "--http-port"])
def test_a_port_in_use_is_named(folder: Path, tmp_path: Path, option: str) -> None:
    other = "--http-port" if option == "--grpc-port" else "--grpc-port"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ran = tracejury(
            folder, "serve", "--store", tmp_path / "new.duckdb", option, port, other, "0"
        )
    refused(ran, port, option)


# Where a test run ignores SIGINT, as one in the background does, its children would as well.
_INTERRUPTIBLE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from tracejury.cli import main
print("begun", flush=True)
sys.exit(main(sys.argv[1:]))
"""


@contextmanager
def begun(folder: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A command at the moment from which on it must know what a Ctrl-C is."""
    with subprocess.Popen(
        [sys.executable, "-c", _INTERRUPTIBLE, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert first_line(process) == "begun"
        yield process


def test_a_query_that_is_interrupted_ends_at_once(folder: Path) -> None:
    """Whatever it works at just then: Python, or DuckDB, which says it in words of its own."""
    endless = "SELECT count(*) FROM range(100000000000) a, range(100000) b"
    for seconds in (0.1, 3):
        with begun(folder, "sql", "--store", "run.duckdb", endless) as process:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=seconds)
            process.send_signal(signal.SIGINT)
            said, errors = process.communicate(timeout=20)
        assert (process.returncode, said, errors) == (130, "", "tracejury: interrupted.\n")


def test_an_audit_that_is_interrupted_ends_at_once(folder: Path) -> None:
    sample = Path(__file__).parents[1] / "sample-traces" / "worker-kill"
    files = sorted(map(str, sample.glob("*.jsonl.gz")))
    for seconds in (0.1, 0.6, 1.1):
        with begun(folder, "audit", *files) as process:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=seconds)
            if process.poll() is not None:
                break  # a fast machine is done by then
            process.send_signal(signal.SIGINT)
            said, errors = process.communicate(timeout=20)
        assert (process.returncode, said) == (130, "")
        assert errors.endswith("tracejury: interrupted.\n")
        assert "Traceback" not in errors
    assert seconds > 0.1, "it was never interrupted"


def test_an_audit_is_told_by_its_status(folder: Path) -> None:
    def status(*arguments: str) -> int:
        return called(folder, "audit", *arguments).returncode

    # Nothing was injected: most cannot be observed, so it is PARTIAL.
    assert status("run.jsonl") == 1
    assert status("run.jsonl", "--fail-on", "partial") == 1
    assert status("run.jsonl", "--fail-on", "fail") == 0
    assert status("run.jsonl", "--fail-on", "fail", "--min-completeness", "1") == 0


def test_a_fault_outside_of_the_telemetry_is_named(folder: Path, tmp_path: Path) -> None:
    fault = {"id": "old", "kind": "kill", "target": "shop", "start": 1, "end": 2}
    path = tmp_path / "faults.json"
    path.write_text(json.dumps({"faults": [fault]}))
    for command in ("audit", "diagnose"):
        ran = called(folder, command, "run.jsonl", "--faults", str(path))
        assert "fault old lies outside the telemetry" in ran.stderr
        ran = called(folder, command, "run.jsonl", "--faults", "faults.json")
        assert "lies outside" not in ran.stderr


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("apii", "is called apii, which fault typo hit; was it api?"),
        ("zebra", "is called zebra, which fault typo hit; check its target."),
        ("API", ""),
        ("", ""),
    ],
)
def test_a_target_that_the_run_does_not_know_is_named(
    folder: Path, tmp_path: Path, target: str, said: str
) -> None:
    window = json.loads((folder / "faults.json").read_text())["faults"][0]
    fault = window | {"id": "typo", "kind": "kill", "target": target}
    path = tmp_path / "faults.json"
    path.write_text(json.dumps({"faults": [fault]}))
    for command in ("audit", "diagnose"):
        ran = called(folder, command, "run.jsonl", "--faults", str(path))
        assert said in ran.stderr
        assert ("is called" in ran.stderr) == bool(said)


def test_a_run_below_the_threshold_says_so(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "half.jsonl").write_bytes(otlp_json(RUN[1:]))
    ran = called(tmp_path, "audit", "half.jsonl", "--fail-on", "fail", "--min-completeness", "0.99")
    assert ran.returncode == 1
    assert "completeness is" in ran.stderr
    assert "below 0.99" in ran.stderr


def test_a_failed_critical_criterion_fails(tmp_path: Path) -> None:
    """The two halves of one job that nothing joins: CRITICAL-7."""
    (tmp_path / "run.jsonl").write_bytes(otlp_json(_unjoined()))
    options = ("--sampling", "none", "--fail-on", "fail", "--format", "json")
    ran = called(tmp_path, "audit", "run.jsonl", *options)
    assert json.loads(ran.stdout)["verdict"] == "FAIL"
    assert ran.returncode == 1


def _unjoined() -> list[Record]:
    queue = {"messaging.system": "rabbitmq", "messaging.destination.name": "q"}
    records: list[Record] = []
    for n in range(1, 41, 2):
        records.append(
            Span(1, "send", 0, 1, trace=n, kind="PRODUCER", service="api", attributes=queue)
        )
        records.append(
            Span(
                1, "process", 5, 9, trace=n + 1, kind="CONSUMER", service="worker", attributes=queue
            )
        )
    return records


def test_the_result_is_all_that_stdout_has(folder: Path) -> None:
    judged = tracejury(folder, "audit", "one-broken.jsonl", "--format", "json")
    assert json.loads(judged.stdout)["schema"] == "tracejury.audit/1"
    assert "line 2" in judged.stderr
    table = tracejury(
        folder,
        "sql",
        "--store",
        "run.duckdb",
        "SELECT name FROM span ORDER BY name",
        "--format",
        "csv",
    )
    assert list(csv.reader(io.StringIO(table.stdout))) == [["name"], ["job"], ["step"]]
    assert table.stderr == ""
    rows = called(folder, "sql", "--store", "run.duckdb", "SELECT 1 AS one", "--format", "json")
    assert json.loads(rows.stdout) == [{"one": 1}]


def test_sql_reads_the_faults_that_are_named(folder: Path) -> None:
    ask = ("sql", "--store", "run.duckdb", "SELECT count(*) > 0 AS any FROM fault")
    for options, any_fault in (((), False), (("--faults", "faults.json"), True)):
        answer = called(folder, *ask, *options, "--format", "json")
        assert json.loads(answer.stdout) == [{"any": any_fault}], answer.stderr


def test_a_report_names_the_system_and_who_audited_it(folder: Path, tmp_path: Path) -> None:
    page, config = tmp_path / "audit.html", tmp_path / "shop.toml"
    config.touch()
    named = ("--system", "Shop <1>", "--auditor", "Ada", "--system-type", "ecommerce")
    options = ("--format", "html", "--output", page, "--config", config)
    by = ("--faults", "faults.json", "--sampling", "none")
    called(folder, "audit", "run.jsonl", *options, *named, *by)
    said = page.read_text(encoding="utf-8")
    assert "Shop &lt;1&gt; (e-commerce)" in said
    assert "Ada, with tracejury" in said
    assert "For a system of the kind e-commerce: 5. Retry safety" in said
    assert f"<code>tracejury tui --config {config} {' '.join(by)} run.jsonl</code>" in said


def test_a_report_may_go_to_a_file(folder: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    ran = called(folder, "audit", "run.jsonl", "--format", "json", "--output", report)
    assert ran.stdout == ""
    assert json.loads(report.read_text())["verdict"] == "PARTIAL"


def test_a_report_that_cannot_be_written_whole_leaves_the_earlier_one(
    folder: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.txt"
    report.write_text("the earlier one")
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, allowed[1]))
    try:
        ran = called(folder, "audit", "run.jsonl", "--output", report)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, allowed)
    refused(ran, "report.txt cannot be written", "too large")
    assert report.read_text() == "the earlier one"
    assert list(tmp_path.iterdir()) == [report]


def test_the_configuration_is_found_upwards(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tracejury.toml").write_text(
        f'[run]\nstore = "{folder / "run.duckdb"}"\n[policy]\ncall_seconds = 5\n'
    )
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    ran = called(below, "audit", "--format", "json")
    assert ran.returncode == 1
    assert json.loads(ran.stdout)["bounds"]["call_seconds"] == 5


def test_files_and_a_store_of_them_are_judged_alike(folder: Path) -> None:
    by_file = json.loads(called(folder, "audit", "run.jsonl", "--format", "json").stdout)
    by_store = json.loads(
        called(folder, "audit", "--store", "run.duckdb", "--format", "json").stdout
    )
    for judged in (by_file, by_store):
        judged.pop("judged_at")
        judged.pop("inputs")
    assert by_file == by_store


def test_export_and_import_round(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert called(folder, "export", "--store", "run.duckdb", "--output", out).returncode == 0
    again = called(folder, "import", out / "traces.jsonl", "--store", tmp_path / "again.duckdb")
    assert again.returncode == 0
    assert "2 records stored" in again.stdout
    refused(called(folder, "export", "--store", "run.duckdb", "--output", out), "exists already")


def test_an_export_has_a_file_for_what_there_is(folder: Path, tmp_path: Path) -> None:
    """All of the folder loads back, whatever the shell expands it to."""
    out = tmp_path / "out"
    assert called(folder, "export", "--store", "run.duckdb", "--output", str(out)).returncode == 0
    assert [path.name for path in out.iterdir()] == ["traces.jsonl"]


def test_a_file_that_is_no_telemetry_costs_the_others_nothing(folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "new.duckdb"
    ran = called(folder, "import", "empty.json", "run.jsonl", "notes.txt", "--store", str(store))
    assert ran.returncode == 1
    assert "2 records stored" in ran.stdout
    assert "empty.json is empty" in ran.stderr
    assert "notes.txt" in ran.stderr
    with Reader.open(store) as reader:
        assert reader.value("SELECT count(*) FROM stored.span") == 2


COMMANDS = ["serve", "live", "import", "audit", "compare", "tui", "diagnose", "explain", "sql"]


@pytest.mark.parametrize("command", ["", *COMMANDS, "export", "faults", "faults check", "demo"])
def test_every_command_has_help(folder: Path, command: str) -> None:
    ran = called(folder, *command.split(), "--help")
    assert ran.returncode == 0
    assert ran.stdout.startswith("usage: ")
    assert ran.stderr == ""


def test_commands_without_a_verdict_are_done(folder: Path) -> None:
    for arguments in (
        ["--version"],
        ["explain"],
        ["explain", "obs-03"],
        ["explain", "t01"],
        ["faults", "check", "faults.json"],
        ["diagnose", "run.jsonl", "--faults", "faults.json"],
        ["diagnose", "run.jsonl"],
    ):
        ran = called(folder, *arguments)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert ran.stdout


def test_a_reader_that_has_seen_enough_ends_it_quietly(folder: Path) -> None:
    """As `| head -1` does, with more to say than a pipe holds."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tracejury.cli", "sql", "--store", "run.duckdb"),
            *("--format", "csv", "SELECT repeat('x', 99) AS x FROM range(20000)"),
        ],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "x\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 0
    process.stderr.close()


def test_serve_says_what_to_set_and_ends_when_told(tmp_path: Path) -> None:
    store = tmp_path / "run.duckdb"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tracejury.cli", "serve", "--store", store),
            *("--grpc-port", "0", "--http-port", "0"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    while line := process.stdout.readline():
        said += line
        if said.count("OTEL_EXPORTER_OTLP_ENDPOINT=") and "4318" not in said and "http" in line:
            break
    process.send_signal(signal.SIGTERM)
    rest, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert re.search(r"OTEL_EXPORTER_OTLP_ENDPOINT=http://127\.0\.0\.1:\d+", said + rest)
    assert "Traceback" not in errors
    with Reader.open(store) as reader:
        assert reader.value("SELECT count(*) FROM stored.session WHERE ended_ns IS NULL") == 0


def test_hostile_names_reach_no_terminal(tmp_path: Path) -> None:
    hostile: list[Record] = [Span(1, "a\x1b]2;PWNED\x07b", service="\x9bshop"), Log("\x1b[2J")]
    (tmp_path / "run.jsonl").write_bytes(otlp_json(hostile[:1]))
    for form in ("text", "markdown"):
        ran = called(tmp_path, "audit", "run.jsonl", "--format", form)
        assert ran.stdout
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", ran.stdout)


def test_what_an_interrupted_import_has_stored_is_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any) -> Loaded:
        import_file(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr("tracejury.receiver.import_files.import_file", interrupted)
    ran = called(tmp_path, "import", folder / "run.jsonl", "--store", "new.duckdb")
    assert ran.returncode == 130
    with Reader.open(tmp_path / "new.duckdb") as reader:
        assert reader.value("SELECT count(*) FROM stored.span") == len(RUN)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [(["--store", " "], "' ' is blank"), (["--cors-origin", ""], "empty CORS origin")],
)
def test_serve_refuses_what_is_blank(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    ran = called(tmp_path, "serve", "--store", "run.duckdb", *arguments)
    refused(ran, sentence)
    assert not list(tmp_path.iterdir())


ANSWERS = """
[answers."Q-03"]
outcome = "not-applicable"
why = "There is no queue."
who = "Ada"
when = 2026-01-31

[answers."CRITICAL-1"]
outcome = "pass"
why = "Every client has a timeout, by a linter's rule."
who = "Ada"
when = 2026-01-31

[answers."ING-01"]
outcome = "fail"
why = "It was seen."
who = "Ada"
when = 2026-01-31
"""


def test_what_persons_answer_is_not_planned(folder: Path, tmp_path: Path) -> None:
    run, answers = folder / "run.jsonl", tmp_path / "answers.toml"
    answers.write_text(ANSWERS)
    before = called(tmp_path, "plan", run, "--format", "json")
    after = called(tmp_path, "plan", run, "--answers", answers, "--format", "json")
    looked = called(tmp_path, "preflight", run, "--answers", answers, "--format", "json")
    assert "CRITICAL-1" in named(before)
    assert named(after) == named(before) - {"CRITICAL-1"}
    fewer = json.loads(before.stdout)["open_criteria"] - json.loads(after.stdout)["open_criteria"]
    assert fewer == 1
    standing = {check["id"]: check for check in json.loads(looked.stdout)["checks"]}
    assert standing["Q-03"]["standing"] == "absent"
    assert standing["Q-03"]["line"] == "Ada answers: not-applicable."
    for ran in (after, looked):
        assert "The answer to ING-01 is not used: without it the outcome is pass" in ran.stderr
        assert "CRITICAL-1" not in ran.stderr


def named(plan: Ran) -> set[str]:
    """The criteria that a plan has something for, or nothing."""
    document = json.loads(plan.stdout)
    planned = {name for fault in document["faults"] for name in fault["criteria"]}
    return planned | {left["id"] for left in document["undecided"]}


def test_what_was_measured_in_any_store_of_a_campaign_is_listed(
    folder: Path, tmp_path: Path
) -> None:
    for day in (1, 2):
        store = tmp_path / f"{day}.duckdb"
        called(tmp_path, "import", folder / "run.jsonl", "--store", store)
        time = Measurement(
            f"hang-{day}", f"2026-03-0{day}T10:00:00+00:00", float(day), "api", "step", "", "", None
        )
        keep(stopwatch_file(store), time)
    for stores in (("1", "2"), ("2", "1")):
        named = [word for name in stores for word in ("--store", f"{name}.duckdb")]
        judged = json.loads(called(tmp_path, "audit", *named, "--format", "json").stdout)
        faults = [one["fault"] for one in judged["diagnosis"]["measured"]]
        assert faults == ["hang-1", "hang-2"]
