"""The published JSON Schemas describe what is written and read: no more and no less."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError
from tests.report.example_audit import EMPTY, EXAMPLE

from tracejury.errors import InputError
from tracejury.report.json import audit_document
from tracejury.report.render import render
from tracejury.scorecard.result import Audit
from tracejury.workflow.faults import KINDS, read_faults

DOCS = Path(__file__).parents[2] / "docs"
AUDIT = json.loads((DOCS / "audit.schema.json").read_text())
FAULTS = json.loads((DOCS / "faults.schema.json").read_text())

START, END = "2026-01-31T12:00:00Z", "2026-01-31T12:01:00.5+01:00"
FULL = {
    "id": "kill-1",
    "kind": "kill",
    "target": "worker",
    "start": 1772452800000000000,
    "end": 1772452860000000000,
    "magnitude": 0.5,
    "workflow": "POST /jobs",
    "items_expected": 20,
    "item_injected": "item-7",
    "test_id": "TEST-RR-RE01",
    "failure_mode": "worker crash",
}


def closed(schema: Any) -> Any:
    """Give the schema without room for keys that it does not name."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: closed(part) for key, part in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        strict.setdefault("additionalProperties", False)
    return strict


@pytest.mark.parametrize("schema", [AUDIT, FAULTS])
def test_a_schema_is_one(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("audit", [EXAMPLE, EMPTY])
def test_every_key_of_an_audit_is_described(audit: Audit) -> None:
    Draft202012Validator(closed(AUDIT)).validate(json.loads(render(audit, "json")))


@pytest.mark.parametrize(
    ("key", "value"),
    [("verdict", "MAYBE"), ("score", 101), ("coverage", None), ("judged_at", 5), ("checks", [{}])],
)
def test_what_is_no_audit_is_refused(key: str, value: object) -> None:
    with pytest.raises(ValidationError):
        Draft202012Validator(AUDIT).validate(audit_document(EXAMPLE) | {key: value})


def test_the_schema_and_the_reader_know_the_same_kinds_of_fault() -> None:
    kind = FAULTS["properties"]["faults"]["items"]["properties"]["kind"]
    assert kind["enum"] == list(KINDS)


@pytest.mark.parametrize("fault", [{"id": "f", "start": START, "end": START}, FULL])
def test_a_fault_file_is_accepted_by_schema_and_reader(
    fault: dict[str, object], tmp_path: Path
) -> None:
    file = tmp_path / "faults.json"
    file.write_text(json.dumps({"faults": [fault]}))
    Draft202012Validator(FAULTS).validate(json.loads(file.read_text()))
    assert read_faults(file)[0].id == fault["id"]


@pytest.mark.parametrize(
    "fault",
    [
        {"id": "f", "start": START},
        {"id": "", "start": START, "end": END},
        {"id": "f", "start": "yesterday", "end": END},
        {"id": "f", "start": "2026-01-31T12:00:00", "end": END},
        {"id": "f", "start": 1.5, "end": END},
        {"id": "f", "start": START, "end": END, "kind": "meteor"},
        {"id": "f", "start": START, "end": END, "taget": "worker"},
        {"id": "f", "start": START, "end": END, "test_id": "T01"},
        {"id": "f", "start": START, "end": 2**63 - 1},
    ],
)
def test_a_fault_that_cannot_be_read_is_refused(fault: dict[str, object], tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text(json.dumps({"faults": [fault]}))
    with pytest.raises(InputError):
        read_faults(file)
    with pytest.raises(ValidationError):
        Draft202012Validator(FAULTS).validate({"faults": [fault]})
