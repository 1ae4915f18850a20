"""`compare` as a user meets it: two runs, the faults of each, and an exit status for a pipeline."""

import json
from pathlib import Path

import pytest

from tests.store.stores import written
from tests.test_cli import called, otlp_json
from tests.workflow.drawn import START_NS, Record, Span

LATER_MS = 3_600_000
# The two halves of one job that nothing joins: CRITICAL-7 fails.
QUEUE = {"messaging.system": "rabbitmq", "messaging.destination.name": "q"}


def unjoined(start_ms: float) -> list[Record]:
    return [
        half
        for n in range(1, 41, 2)
        for half in (
            Span(1, "send", start_ms, start_ms + 1, n, 0, "api", "PRODUCER", attributes=QUEUE),
            Span(1, "process", start_ms, start_ms + 9, n + 1, 0, "w", "CONSUMER", attributes=QUEUE),
        )
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    (folder / "monday").mkdir()
    (folder / "monday" / "traces.jsonl").write_bytes(
        otlp_json([Span(1, "job", 0, 100, service="api", kind="SERVER")])
    )
    written(folder / "friday.duckdb", unjoined(LATER_MS))
    for name, start_ms in (("monday", 0), ("friday", LATER_MS), ("never", 10**9)):
        start = START_NS + start_ms * 10**6
        fault = {"id": "hang", "kind": "hang", "start": start, "end": start + 10**8}
        (folder / f"{name}.json").write_text(json.dumps({"faults": [fault]}))
    return folder


def test_each_run_is_judged_for_the_faults_of_its_own_time(folder: Path) -> None:
    files = [f"--faults={name}.json" for name in ("monday", "friday", "never")]
    options = ("--sampling", "none", "--format", "json")
    ran = called(folder, "compare", "monday", "friday.duckdb", *files, *options)
    assert ran.returncode == 1  # it got worse
    found = json.loads(ran.stdout)
    assert [found[side]["faults"] for side in ("before", "after")] == [["hang"], ["hang"]]
    assert found["before"]["ran"]["first"] == "2023-11-14T22:13:20+00:00"
    assert found["after"]["ran"]["first"] == "2023-11-14T23:13:20+00:00"
    [critical] = [item for item in found["criteria"] if item["id"] == "CRITICAL-7"]
    assert (critical["after"], critical["change"]) == ("fail", "found")
    assert "No workflow job is in the later run." in found["trust"]["doubts"]
    assert ran.stderr.count("lies outside the telemetry") == 1  # the one that never was


def test_a_folder_without_telemetry_is_refused(folder: Path, tmp_path: Path) -> None:
    ran = called(folder, "compare", tmp_path, "monday")
    assert ran.returncode == 2
    assert "holds no OTLP/JSON lines" in ran.stderr
