"""A fault file is read whole, or refused with a sentence that names the entry."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.workflow.drawn import RECEIVED_NS, Span, deliver

from tracejury.checks.evidence import Evidence
from tracejury.checks.ingest.skewed_clocks import CHECK
from tracejury.config import Config, Policy
from tracejury.errors import InputError
from tracejury.otlp.alert_webhook import alerts_of
from tracejury.store.reader import Reader
from tracejury.store.writer import Store
from tracejury.workflow.faults import KINDS, Fault, as_table, check_faults, read_faults
from tracejury.workflow.rebuild import prepare

GOOD = {"id": "f", "start": "2026-01-31T12:00:00Z", "end": "2026-01-31T12:01:00Z"}
START_NS = 1_769_860_800_000_000_000


def written(path: Path, *faults: Any) -> Path:
    path.write_text(json.dumps({"faults": faults}))
    return path


def test_a_fault_needs_an_id_and_its_times(tmp_path: Path) -> None:
    assert read_faults(written(tmp_path / "faults.json", GOOD)) == (
        Fault("f", START_NS, START_NS + 60_000_000_000),
    )
    assert read_faults(written(tmp_path / "none.json")) == ()


def test_everything_of_a_fault_is_read(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text("""
        [[faults]]
        id = "hang"
        kind = "hang"
        target = "provider"
        start = 2026-01-31T12:00:00Z
        end = 2026-01-31T13:01:00+01:00
        magnitude = 5
        workflow = "batch"
        items_expected = 20
        item_injected = "7"
        test_id = "TEST-RR-T01"
        failure_mode = "api timeout"
    """)
    [fault] = read_faults(path)
    assert fault == Fault(
        "hang",
        START_NS,
        START_NS + 60_000_000_000,
        kind="hang",
        target="provider",
        magnitude="5",
        workflow="batch",
        items_expected=20,
        item_injected="7",
        test_id="TEST-RR-T01",
        failure_mode="api timeout",
    )
    assert as_table((fault,)).to_pylist() == [
        {name: getattr(fault, name) for name in as_table(()).column_names}
    ]


def test_times_keep_every_digit(tmp_path: Path) -> None:
    path = written(
        tmp_path / "faults.json",
        {**GOOD, "start": START_NS + 1, "end": "2026-01-31T12:00:00.123456Z"},
    )
    [fault] = read_faults(path)
    assert (fault.start_ns, fault.end_ns) == (START_NS + 1, START_NS + 123_456_000)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_known(tmp_path: Path, kind: str) -> None:
    [fault] = read_faults(written(tmp_path / "faults.json", {**GOOD, "kind": kind}))
    assert fault.kind == kind


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ([], "fault 1 is no table of keys"),
        ("hang", "fault 1 is no table of keys"),
        ({**GOOD, "kin": "hang"}, 'unknown key "kin". Did you mean "kind"?'),
        ({**GOOD, "kind": "hung"}, 'unknown kind "hung". Did you mean "hang"?'),
        ({**GOOD, "kind": "slow"}, 'unknown kind "slow". Did you mean "delay"?'),
        ({**GOOD, "kind": "SIGSTOP"}, 'unknown kind "SIGSTOP". Did you mean "hang"?'),
        ({**GOOD, "kind": "pod-kill"}, 'unknown kind "pod-kill". Did you mean "kill"?'),
        ({**GOOD, "kind": "gremlin"}, 'unknown kind "gremlin". Choose one of delay, error, hang,'),
        ({**GOOD, "latency": 4}, 'unknown key "latency". Choose one of id, kind, target,'),
        ({"start": 1, "end": 2}, 'fault 1 has no "id"'),
        ({**GOOD, "id": ""}, 'fault 1 has no "id"'),
        ({"id": "f", "end": 2}, 'fault 1 has no "start"'),
        ({"id": "f", "start": 1}, 'fault 1 has no "end"'),
        ({**GOOD, "end": None}, 'fault 1 has no "end"'),
        ({"id": "f", "start": 2, "end": 1}, "ends before it starts"),
        ({**GOOD, "start": "noon"}, "start is 'noon'. Write RFC 3339"),
        ({**GOOD, "start": -1}, "start is -1. Write RFC 3339"),
        ({**GOOD, "start": 2**63}, "outside the years 1970 to 2229. Write RFC 3339"),
        ({**GOOD, "test_id": "T01"}, 'unknown test "T01". Write it as TEST-RR-T01'),
        ({**GOOD, "start": 1.5}, "start is 1.5. Write RFC 3339"),
        ({**GOOD, "start": True}, "start is True. Write RFC 3339"),
        ({**GOOD, "start": "2026-01-31"}, "start has no time zone. Append Z"),
        ({**GOOD, "start": "2026-01-31T12:00:00"}, "start has no time zone. Append Z"),
        ({**GOOD, "items_expected": "20"}, "items_expected must be a whole number, not '20'"),
        ({**GOOD, "items_expected": True}, "items_expected must be a whole number, not True"),
        ({**GOOD, "start": "1965-01-31T12:00:00Z"}, "Write RFC 3339"),
        ({**GOOD, "end": "9999-12-31T23:59:59Z"}, "Write RFC 3339"),
        ({**GOOD, "items_expected": 2**63}, "items_expected must be a whole number"),
    ],
)
def test_what_is_wrong_with_an_entry_is_said(tmp_path: Path, fault: Any, sentence: str) -> None:
    with pytest.raises(InputError) as refusal:
        read_faults(written(tmp_path / "faults.json", fault))
    assert sentence in str(refusal.value)
    assert "fault 1" in refusal.value.message
    assert refusal.value.next_step


def test_two_faults_cannot_share_an_id(tmp_path: Path) -> None:
    with pytest.raises(InputError, match='two faults have the id "f"') as refusal:
        read_faults(written(tmp_path / "faults.json", GOOD, GOOD))
    assert refusal.value.next_step


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("faults.json", b"{", "is not valid"),
        ("faults.json", b"", "is not valid"),
        ("faults.toml", b"[[faults]\n", "is not valid"),
        ("faults.json", b"\xff\xfe", "is not text"),
        ("faults.toml", b"\xff\xfe", "is not text"),
        ("faults.json", b"[]", 'no list "faults"'),
        ("faults.json", b'{"fault": []}', 'no list "faults"'),
        ("faults.json", b'{"faults": {}}', 'no list "faults"'),
        ("faults.json", b"[" * 100_000, "is not valid"),
        (
            "faults.json",
            b'{"faults": [{"id": "f", "start": ' + b"9" * 5000 + b"}]}",
            "is not valid",
        ),
    ],
)
def test_what_is_no_fault_file_is_refused(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=sentence) as refusal:
        read_faults(path)
    assert str(path) in refusal.value.message
    assert refusal.value.next_step


BROKEN = (
    ("faults.toml", 2, '[[faults]]\nid = "a" "b"\n'),
    ("faults.json", 3, '{"faults": [\n {"id": "a"},\n {"id" "b"}]}'),
)


@pytest.mark.parametrize(("name", "line", "text"), BROKEN)
def test_what_cannot_be_parsed_is_named_by_its_line(
    tmp_path: Path, name: str, line: int, text: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError) as refusal:
        read_faults(path)
    assert refusal.value.message.startswith(f"{path}:{line} is not valid: ")


IN_JSON = """{"faults": [
  {"id": "a", "start": "2026-01-31T12:00:00Z", "end": "2026-01-31T12:01:00Z"},
  {
    "id": "a",
    "kind": "hung",
    "start": "noon", "end": "2026-01-31T12:01:00Z",
    "items": 3
  },
  {"id": "b",
   "start": 5,
   "end": 4}, 7,
  {"id": "c",
   "start": 5}
]}
"""
IN_TOML = """# What we broke
[[faults]]
id = "a"
start = 2026-01-31T12:00:00Z
end = 2026-01-31T12:01:00Z

[[faults]]
id = "a"
kind = "hung"
start = "noon"  # [[faults]]
end = 2026-01-31T12:01:00Z
items = 3

[[faults]]
id = "b"
start = 5
end = 4
"""


def lines(path: Path, text: str) -> list[tuple[int, str]]:
    path.write_text(text)
    _, problems = check_faults(path)
    assert all(problem.next_step for problem in problems)
    return [(problem.line, problem.message.partition(" ")[2]) for problem in problems]


def test_every_problem_is_named_by_its_line(tmp_path: Path) -> None:
    assert lines(tmp_path / "faults.json", IN_JSON) == [
        (4, 'faults have the id "a", the other on line 2.'),
        (5, '2 has an unknown kind "hung".'),
        (6, "2 start is 'noon'."),
        (7, '2 has an unknown key "items".'),
        (11, "3 ends before it starts."),
        (11, "4 is no table of keys."),
        (12, '5 has no "end".'),
    ]
    assert lines(tmp_path / "faults.toml", IN_TOML) == [
        (8, 'faults have the id "a", the other on line 3.'),
        (9, '2 has an unknown kind "hung".'),
        (10, "2 start is 'noon'."),
        (12, '2 has an unknown key "items".'),
        (17, "3 ends before it starts."),
    ]


def test_the_latest_time_leaves_room_for_the_largest_bound(tmp_path: Path) -> None:
    latest = 8_200_000_000_000_000_000
    faults = read_faults(written(tmp_path / "faults.json", {**GOOD, "kind": "kill", "end": latest}))
    config = Config(policy=Policy(detection_seconds=1e9, skew_seconds=1e9))
    called = Span(
        2, "POST", 5, 9, parent=1, service="b", kind="SERVER", resource={"host.name": "b"}
    )
    caller = Span(1, "POST", 0, 10, service="a", kind="CLIENT", resource={"host.name": "a"})
    alert: dict[str, Any] = {"status": "firing", "startsAt": "2229-01-01T00:00:00Z"}
    alert |= {"labels": {"alertname": "Late"}, "annotations": {}, "fingerprint": "f"}
    store = Store.in_memory()
    deliver(store, [caller, called])
    told = json.dumps({"version": "4", "alerts": [alert]}).encode()
    store.commit([alerts_of([told])], received_ns=RECEIVED_NS, source="drawn")
    store.close()
    with Reader.of(store) as reader:
        prepare(reader, config, injected=faults)
        assert reader.value("SELECT count(*) FROM fault_alert") == 1
        judged = CHECK.judge(Evidence(reader, config, has_baseline=False))
    assert [unit.name for unit in judged.units] == ["a → b"]


@pytest.mark.parametrize("name", ["absent.json", ""])
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be read") as refusal:
        read_faults(tmp_path / name)
    assert refusal.value.next_step
