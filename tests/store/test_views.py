"""The header of every view file documents exactly the columns that the view has."""

import re
from collections.abc import Iterator

import pytest
from tests.workflow.drawn import stored

from tracejury.config import Config
from tracejury.store.reader import Reader, definitions
from tracejury.telemetry import semconv
from tracejury.workflow.rebuild import rebuild

COLUMN = re.compile(r"^--   (\w+)\s+([A-Z]+(?:\([^)]*\))?(?:\[\])?)(?:\s|$)")

# What `contract.md` 2 promises at least.
PUBLIC = {
    "span": "trace_id span_id parent_span_id service name kind status status_message start_ns"
    " end_ns duration_ns flags trace_state scope_name instance_id received_ns duplicates",
    "span_attribute": "trace_id span_id key type value",
    "span_event": "trace_id span_id time_ns name attributes",
    "span_link": "trace_id span_id linked_trace_id linked_span_id",
    "resource_attribute": "service key type value",
    "orphan_span": "trace_id span_id parent_span_id service name kind status status_message"
    " start_ns end_ns duration_ns flags trace_state scope_name instance_id received_ns duplicates"
    " missing_parent_id side external_entry",
    "log_record": "time_ns observed_ns severity_number body trace_id span_id service event_name",
    "metric_point": "metric kind time_ns value attributes",
    "metric_exemplar": "metric time_ns value trace_id span_id attributes",
    "workflow_instance": "workflow correlation_key correlation_id traces spans logs start_ns end_ns"
    " outcome background",
    "workflow": "workflow",
    "workflow_step": "workflow service name kind",
    "external_call": "trace_id span_id service target",
    "attempt": "trace_id span_id number",
    "ghost_span": "trace_id span_id service name cause evidence",
    "gap": "service name start_ns gap_ns",
    "alert": "name status starts_ns labels",
    "fault": "id kind target start_ns end_ns",
}
TYPES = {
    "trace_id": "VARCHAR",
    "span_id": "VARCHAR",
    "parent_span_id": "VARCHAR",
    "duration_ns": "BIGINT",
    "background": "BOOLEAN",
    "external_entry": "BOOLEAN",
}


@pytest.fixture(scope="module")
def empty() -> Iterator[Reader]:
    with stored() as reader:
        rebuild(reader, Config())
        yield reader


def described(reader: Reader, view: str) -> dict[str, str]:
    return {row["column_name"]: row["column_type"] for row in reader.rows(f"DESCRIBE {view}")}


def documented(view: str) -> dict[str, str]:
    header = definitions()[view].header
    matches = filter(None, map(COLUMN.match, header.splitlines()))
    columns = {match[1]: match[2] for match in matches}
    if "(fields)" in header:
        columns |= dict.fromkeys(semconv.FIELD_KEYS, "VARCHAR")
    if "the columns of `span`, and these" in header:
        columns = documented("span") | columns
    return columns


@pytest.mark.parametrize("view", definitions())
def test_a_header_documents_every_column_and_no_other(empty: Reader, view: str) -> None:
    assert documented(view) == described(empty, view)


@pytest.mark.parametrize("view", PUBLIC)
def test_the_public_columns_are_there(empty: Reader, view: str) -> None:
    columns = described(empty, view)
    promised = PUBLIC[view].split()
    assert [name for name in promised if name not in columns] == []
    wrong = {name: kind for name, kind in TYPES.items() if name in promised and name in columns}
    assert {name: columns[name] for name in wrong} == wrong
