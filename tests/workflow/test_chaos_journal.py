"""A journal of the Chaos Toolkit is read as a fault file: a real one, and what others may hold."""

import json
from pathlib import Path
from typing import Any

import pytest

from tracejury.errors import InputError
from tracejury.workflow.faults import Fault, check_faults, read_faults

# Written by `chaos run` (chaostoolkit 1.19.0) for an experiment with actions of its own.
REAL = Path(__file__).parent / "journals" / "journal.json"

Json = dict[str, Any]


def action(name: str, start: int, end: int, *, func: str = "act", **arguments: object) -> Json:
    provider = {"type": "python", "module": "m", "func": func, "arguments": arguments}
    return {
        "activity": {"type": "action", "name": name, "provider": provider},
        "status": "succeeded",
        "start": f"2026-01-31T12:00:{start:02}",
        "end": f"2026-01-31T12:00:{end:02}",
        "duration": float(end - start),
    }


def faults(
    folder: Path, *run: Json, rollbacks: list[Json] | None = None, **more: Any
) -> list[Fault]:
    journal = {"experiment": {}, "run": run, "rollbacks": rollbacks or [], **more}
    journal.setdefault("end", "2026-01-31T12:00:50")
    path = folder / "journal.json"
    path.write_text(json.dumps(journal))
    return list(read_faults(path))


def windows(found: list[Fault]) -> list[tuple[str, str, str, int, int]]:
    """Name, kind, target, and from which to which second of the minute."""
    minute = 1_769_860_800
    return [
        (f.id, f.kind, f.target, f.start_ns // 10**9 - minute, f.end_ns // 10**9 - minute)
        for f in found
    ]


def test_a_real_journal_is_read() -> None:
    found = {fault.id: fault for fault in read_faults(REAL)}
    assert {name: (fault.kind, fault.target) for name, fault in found.items()} == {
        "slow provider": ("delay", "provider"),
        "pause worker": ("hang", "worker"),
        "partition the store": ("partition", "store"),
        "kill worker": ("kill", ""),  # by a command, of which the words say no target
        "break the broker": ("message_loss", "queue"),  # as its extension says
    }
    journal = json.loads(REAL.read_text())
    resumed = next(e for e in journal["run"] if e["activity"]["name"] == "resume worker")
    paused = found["pause worker"]
    # It began to hang when it was paused, and hung until it was resumed.
    assert 0.5e9 < paused.end_ns - paused.start_ns < 0.6e9
    assert resumed["start"].startswith("2026-11-26T23:17:")
    assert found["slow provider"].end_ns - found["slow provider"].start_ns > 1.1e9


def test_a_fault_lasts_until_it_is_undone(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        action("add latency", 1, 1, service="pay"),
        action("partition", 2, 2, service="store"),
        action("remove latency", 9, 9, service="pay"),
        rollbacks=[action("heal the network", 30, 31)],
    )
    assert windows(found) == [
        ("add latency", "delay", "pay", 1, 9),
        ("partition", "partition", "store", 2, 30),
    ]


def test_one_that_nothing_undoes_lasts_as_long_as_its_action_or_the_experiment(
    tmp_path: Path,
) -> None:
    found = faults(
        tmp_path,
        action("start cpu stress", 1, 11, app="api"),
        action("pause", 12, 12, label_selector="app=worker,tier=back"),
        action("terminate_pods", 20, 20, pod_name=["w-1", "w-2"]),
        action("stop the stress", 21, 21),
    )
    assert windows(found) == [
        ("start cpu stress", "flood", "api", 1, 21),
        ("pause", "hang", "worker", 12, 21),
        ("terminate_pods", "kill", "w-1", 20, 20),
    ]
    [alone] = faults(tmp_path, action("pause", 12, 12))
    assert windows([alone]) == [("pause", "hang", "", 12, 50)]


@pytest.mark.parametrize(
    ("name", "func", "kind"),
    [
        ("a", "terminate_pods", "kill"),
        ("a", "deletePod", "kill"),
        ("a", "reboot_instances", "restart"),
        ("restart the worker", "act", "restart"),
        ("a", "create_latency_toxic", "delay"),
        ("drop messages of the queue", "act", "message_loss"),
        ("fill disk", "act", "storage"),
        ("answer 503: inject http error", "act", "error"),
        ("cancel the job", "act", "cancel"),
        ("do something", "act", ""),
    ],
)
def test_words_tell_the_kind(tmp_path: Path, name: str, func: str, kind: str) -> None:
    [found] = faults(tmp_path, action(name, 1, 2, func=func))
    assert found.kind == kind


def test_only_actions_that_succeeded_break_something(tmp_path: Path) -> None:
    failed = action("kill worker", 1, 1) | {"status": "failed"}
    probe = action("kill worker", 1, 1)
    probe["activity"]["type"] = "probe"
    assert faults(tmp_path, failed, probe, {"activity": None}, action("start worker", 2, 2)) == []


def test_an_action_that_ran_twice_is_two_faults(tmp_path: Path) -> None:
    found = faults(tmp_path, action("kill", 1, 1), action("kill", 5, 5))
    assert [fault.id for fault in found] == ["kill", "kill (2)"]


def test_an_extension_is_held_to_what_a_fault_file_may_say(tmp_path: Path) -> None:
    said = {"kind": "meteor", "target": "moon"}
    extensions = [{"name": "tracejury", "faults": {"kill": said}}]
    journal = {"experiment": {"extensions": extensions}, "run": [action("kill", 1, 1)]}
    path = tmp_path / "journal.json"
    path.write_text(json.dumps(journal))
    [problem] = check_faults(path)[1]
    assert '"meteor"' in problem.message
    with pytest.raises(InputError, match=r"journal\.json.*meteor"):
        read_faults(path)


@pytest.mark.parametrize(
    "journal",
    [
        {"experiment": {}, "run": [1, None, {"activity": {"type": "action", "name": 5}}]},
        {"experiment": {"extensions": 7}, "run": []},
        {"experiment": {"extensions": [7, {"name": "tracejury", "faults": 7}]}, "run": []},
    ],
)
def test_an_odd_journal_breaks_nothing(tmp_path: Path, journal: Json) -> None:
    path = tmp_path / "journal.json"
    path.write_text(json.dumps(journal))
    assert read_faults(path) == ()


def test_an_action_without_times_is_named(tmp_path: Path) -> None:
    broken = action("kill", 1, 1)
    del broken["start"]
    with pytest.raises(InputError, match='no "start"'):
        faults(tmp_path, broken)
