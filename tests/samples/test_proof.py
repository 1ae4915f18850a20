"""The same faults against two systems: the audit tells them apart, and its verdicts are true."""

import csv
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.samples import proof
from tests.samples.test_recorded_runs import MACHINE_PATH

RUNS = {run.run: run for run in proof.expected()}
SEEN = proof.observed()
RECORDED = sorted(SEEN)

# Audited in every run of the suite; `make proof` audits all.
RICHEST = ("fragile-RE01", "resilient-RE01")

# The checks that tell of work that was done and paid for twice.
TWICE = ("RET-04", "RET-06", "RSM-02", "RSM-03", "Q-04", "PAR-06", "TIM-07")

FINAL = {"completed", "partial", "failed", "timeout", "cancelled"}


def jobs(run: str) -> list[dict[str, str]]:
    """The jobs as the application's database has them at the end."""
    with (proof.PROOF / run / "jobs.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def made(run: str) -> Counter[str]:
    """How often the provider made each item, by its own log."""
    log = json.loads((proof.PROOF / run / "provider.json").read_text())
    return Counter({item: outcomes.get("made", 0) for item, outcomes in log.items()})


def outcome(run: str, check: str) -> str:
    """What the audit says, without its reason."""
    said: str = SEEN[run]["outcomes"][check]
    return said.partition("/")[0]


def found(run: str) -> Iterator[proof.Deviation]:
    return proof.deviations(RUNS[run], SEEN[run]["outcomes"])


@pytest.mark.parametrize("run", RECORDED)
def test_the_audit_says_what_was_expected_or_it_is_explained(run: str) -> None:
    unexplained = [deviation for deviation in found(run) if proof.explained(deviation) is None]
    assert unexplained == []


def test_every_explanation_is_of_something_that_was_seen() -> None:
    used = [proof.explained(deviation) for run in RECORDED for deviation in found(run)]
    assert [entry for entry in proof.declared() if entry not in used] == []


@pytest.mark.parametrize("run", RECORDED)
def test_an_explanation_without_a_finding_names_a_trace_of_the_recording(run: str) -> None:
    stored = _text(proof.PROOF / run / "traces.jsonl.gz")
    for deviation in found(run):
        if deviation.check not in SEEN[run]["findings"]:
            entry = proof.explained(deviation) or {}
            assert f'"traceId":"{entry["trace"]}' in stored, deviation


def test_every_recorded_run_is_expected() -> None:
    assert set(RECORDED) <= set(RUNS)


@pytest.mark.parametrize("run", [run for run in RICHEST if run in SEEN])
def test_what_is_written_down_is_what_the_audit_says(run: str) -> None:
    assert proof.audited(run) == SEEN[run]


def test_the_page_shows_what_is_written_down() -> None:
    assert proof.PAGE.read_text(encoding="utf-8") == proof.page(), "run `make proof`"


@pytest.mark.parametrize("run", RECORDED)
def test_a_recording_is_small_and_names_no_machine(run: str) -> None:
    files = sorted((proof.PROOF / run).glob("*.jsonl.gz"))
    assert sum(path.stat().st_size for path in files) < 300_000
    for path in files:
        assert MACHINE_PATH.findall(_text(path)) == []


def _text(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode()


@pytest.mark.parametrize("run", RECORDED)
def test_work_done_twice_is_in_the_providers_log(run: str) -> None:
    """Where the audit says that something was paid for twice, it was, and the other way round."""
    is_blamed = any(outcome(run, check) == "fail" for check in TWICE)
    is_out_of_sight = any(
        deviation.expected == "fail" and deviation.check in TWICE for deviation in found(run)
    )
    was_made_twice = max(made(run).values()) > 1
    assert was_made_twice or not is_blamed
    assert is_blamed or is_out_of_sight or not was_made_twice


@pytest.mark.parametrize("run", RECORDED)
def test_jobs_that_were_lost_are_open_in_the_database(run: str) -> None:
    lost = [job for job in jobs(run) if job["status"] not in FINAL]
    if outcome(run, "ST-01") == "fail":
        assert lost
    if outcome(run, "ST-01") == "pass":
        assert not lost


@pytest.mark.parametrize("run", RECORDED)
def test_a_job_that_is_called_completed_has_all_of_its_items(run: str) -> None:
    asked: dict[str, set[str]] = {}
    for item in json.loads((proof.PROOF / run / "provider.json").read_text()):
        asked.setdefault(item.rpartition("-")[0], set()).add(item)
    false = [
        job["unit"]
        for job in jobs(run)
        if job["status"] == "completed"
        and int(job["items_done"] or 0) < len(asked.get(job["unit"], ()))
    ]
    assert bool(false) == (outcome(run, "ST-03") == "fail")
