"""Which items a job worked on, and what states its records speak of."""

from collections.abc import Sequence
from typing import Any

import pytest
from tests.workflow.drawn import LOCAL, REMOTE, Log, Record, Span, rebuilt

from tracejury.config import Config, DeclaredWorkflow

JOB = {"job.id": "j-1"}


def job(*records: Record) -> list[Record]:
    """A job and what else was recorded of it."""
    return [Span(1, "run job", 0, 1000, kind="CONSUMER", attributes=JOB), *records]


def item(
    number: int, name: str = "item", *, of: str = "", parent: int = 1, at: float = 0, **more: Any
) -> Span:
    attributes = {**JOB, "item.id": of or f"i-{number}"}
    return Span(number, name, at, at + 10, parent=parent, attributes=attributes, **more)


def runs(records: Sequence[Record], columns: str) -> list[dict[str, object]]:
    with rebuilt(records) as reader:
        return reader.rows(f"SELECT {columns} FROM item_run ORDER BY start_ns, span_no")


def states(records: Sequence[Record]) -> list[tuple[object, ...]]:
    with rebuilt(records) as reader:
        rows = reader.rows("SELECT level, unit, state FROM state_record ORDER BY time_ns, level")
        return [tuple(row.values()) for row in rows]


def test_the_outermost_span_of_an_item_is_its_run() -> None:
    drawn = job(item(2, of="a"), item(3, "call", of="a", parent=2), item(4, of="b", at=20))
    assert runs(drawn, "item, place, number, completed") == [
        {"item": "a", "place": 1, "number": 1, "completed": True},
        {"item": "b", "place": 2, "number": 1, "completed": True},
    ]


def test_a_step_beside_the_items_is_no_run() -> None:
    drawn = job(item(2, of="a"), item(3, of="b", at=20), item(4, "note failure", of="a", at=40))
    assert [row["item"] for row in runs(drawn, "item")] == ["a", "b"]


def test_an_item_that_is_worked_on_again_is_its_second_run() -> None:
    drawn = job(item(2, of="a", status="ERROR"), item(3, of="a", at=20))
    assert runs(drawn, "number, failed") == [
        {"number": 1, "failed": True},
        {"number": 2, "failed": False},
    ]


def test_the_parts_of_a_lost_run_are_one_fragment_and_prove_no_completion() -> None:
    drawn = job(
        item(2, of="a"),
        item(3, "POST", of="b", parent=8, at=20, service="provider", flags=REMOTE),
        item(4, "PUT", of="b", parent=9, at=40, service="store", flags=REMOTE),
    )
    assert runs(drawn, "item, is_fragment, completed") == [
        {"item": "a", "is_fragment": False, "completed": True},
        {"item": "b", "is_fragment": True, "completed": False},
    ]


def test_an_item_whose_loop_alone_was_lost_is_complete() -> None:
    drawn = job(item(2, of="a"), item(3, of="b", parent=9, at=20, flags=LOCAL))
    assert [row["completed"] for row in runs(drawn, "completed")] == [True, True]


def test_a_record_may_say_that_an_item_failed_though_its_span_did_not() -> None:
    said = Log("gave up", 12, trace=1, span=2, attributes={"item.id": "a", "item.status": "failed"})
    assert runs(job(item(2, of="a"), said), "failed, completed") == [
        {"failed": True, "completed": False}
    ]


def test_a_job_is_spoken_of_by_attributes_and_by_the_body_of_its_records() -> None:
    drawn = job(
        Log("job.status=queued", 1, trace=1, span=1),
        Log("took it", 2, trace=1, span=1, attributes={"job.status": "in_progress"}),
        Log("done", 3, trace=1, span=1, attributes={"status": "Completed-With-Errors"}),
    )
    assert states(drawn) == [
        ("job", "j-1", "queued"),
        ("job", "j-1", "processing"),
        ("job", "j-1", "partial"),
    ]


def test_the_most_specific_unit_of_a_record_has_its_state() -> None:
    said = Log("done", 12, trace=1, span=2, attributes={"item.id": "a", "status": "done"})
    assert states(job(item(2, of="a"), said)) == [("item", "a", "completed")]


@pytest.mark.parametrize(
    "attributes",
    [{"status": "200"}, {"state": "open"}, {"celery.state": "SUCCESS"}, {"item.status": "failed"}],
    ids=str,
)
def test_what_is_no_state_or_names_no_unit_is_left_out(attributes: dict[str, str]) -> None:
    assert states(job(Log("said", 2, trace=1, span=1, attributes=attributes))) == []


def test_a_state_without_any_unit_is_left_out() -> None:
    assert states([Span(1, end_ms=9, attributes={"status": "failed"})]) == []


def test_a_declared_key_names_the_items_of_its_workflow_alone() -> None:
    def turns(trace: int, root: str) -> list[Record]:
        named = {"article": "a-1", "item.id": "i-1"}
        return [
            Span(10 * trace, root, 0, 100, trace=trace, kind="SERVER"),
            Span(10 * trace + 1, "turn", 1, 9, trace=trace, parent=10 * trace, attributes=named),
            Log("worked", 5, trace=trace, span=10 * trace + 1, attributes={"article": "a-2"}),
        ]

    config = Config(workflows=(DeclaredWorkflow("POST /orders", items="article"),))
    with rebuilt(turns(1, "POST /orders") + turns(2, "POST /returns"), config=config) as reader:
        rows = reader.rows("SELECT item, key FROM record_item ORDER BY item, key")
    # Of the log record of the other workflow nothing names the item.
    assert [tuple(row.values()) for row in rows] == [
        ("a-1", "article"),
        ("a-2", "article"),
        ("i-1", "item.id"),
    ]
