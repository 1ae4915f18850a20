"""Which calls were cut off, what their errors mean, and which of them a fault could touch."""

from collections.abc import Sequence
from typing import Any

import pytest
from tests.workflow.drawn import START_NS, Event, Record, Span, rebuilt

from tracejury.workflow.faults import Fault

SEC = 1_000_000_000


def call(number: int = 2, *, end: float = 1000, **more: Any) -> Span:
    """A failed CLIENT call to the provider below span 1."""
    attributes = {"server.address": "provider", **more.pop("attributes", {})}
    more = {"status": "ERROR", "parent": 1, "kind": "CLIENT", **more}
    return Span(number, "POST", 0, end, attributes=attributes, **more)


def work(*records: Record, end: float = 5000) -> list[Record]:
    return [Span(1, "POST /jobs", 0, end, kind="SERVER"), *records]


def raised(kind: str, message: str = "") -> dict[str, Any]:
    attributes = {"exception.type": kind, "exception.message": message}
    return {"events": [Event("exception", attributes)]}


def cut_off(records: Sequence[Record]) -> list[tuple[object, ...]]:
    with rebuilt(records) as reader:
        rows = reader.rows("SELECT target, waited_for, evidence FROM cut_off ORDER BY span_no")
        return [tuple(row.values()) for row in rows]


@pytest.mark.parametrize(
    ("kind", "waited_for"),
    [
        ("requests.exceptions.ReadTimeout", "answer"),
        ("ConnectTimeout", "connection"),
        ("*context.deadlineExceededError", "answer"),
    ],
)
def test_a_timeout_that_the_caller_raised_cuts_its_call_off(kind: str, waited_for: str) -> None:
    assert cut_off(work(call(**raised(kind)))) == [("provider", waited_for, "type")]


def test_a_message_may_say_what_the_type_does_not() -> None:
    drawn = work(call(**raised("ProviderError", "request timed out after 1000ms")))
    assert cut_off(drawn) == [("provider", "answer", "type")]


@pytest.mark.parametrize(
    "drawn",
    [
        call(attributes={"http.response.status_code": 504}),
        call(**raised("ConnectionError", "refused")),
        call(**raised("SoftTimeLimitExceeded")),
        call(**raised("DequeueTimeout")),
        call(status="UNSET"),
    ],
    ids=["answered", "refused", "job limit", "no timeout", "no failure"],
)
def test_what_is_no_cut_off(drawn: Span) -> None:
    assert cut_off(work(drawn)) == []


def test_a_deadline_that_the_server_reports_is_the_servers() -> None:
    code = {"rpc.grpc.status_code": 4}
    server = Span(3, "Render", 1, 990, parent=2, service="provider", kind="SERVER", attributes=code)
    drawn = work(call(attributes={"rpc.system": "grpc", **code}), server)
    assert cut_off(drawn) == []


def outlived(*lengths: float) -> list[Record]:
    """Calls that were called off without a word of a timeout, while the provider went on."""
    drawn: list[Record] = []
    for place, length in enumerate(lengths):
        number = 10 + 2 * place
        drawn.append(call(number, end=length, **raised("CancelledError")))
        drawn.append(Span(number + 1, "POST", 1, 4000, parent=number, service="p", kind="SERVER"))
    return drawn


def test_three_callers_that_give_up_alike_had_a_clock() -> None:
    assert cut_off(work(*outlived(1000, 1005, 1010))) == [("p", "answer", "outlived")] * 3


def test_callers_that_give_up_at_odds_may_have_been_called_off() -> None:
    assert cut_off(work(*outlived(1000, 1200, 1900))) == []
    assert cut_off(work(*outlived(1000, 1005))) == []


def test_work_that_was_called_off_as_a_whole_had_no_clock_of_its_own() -> None:
    assert cut_off(work(*outlived(1000, 1001, 1002), end=1003)) == []


def touched(target: str, *records: Record, start: float = 0, end: float = 2) -> list[object]:
    fault = Fault("f", START_NS + int(start * SEC), START_NS + int(end * SEC), "hang", target)
    with rebuilt(records, injected=(fault,)) as reader:
        return [row["inside_ns"] for row in reader.rows("FROM fault_call ORDER BY span_no")]


def test_a_fault_touches_the_calls_to_its_target_while_it_lasts() -> None:
    drawn = work(call(), call(3, attributes={"server.address": "store"}))
    assert touched("Provider", *drawn, start=0.4) == [600_000_000]
    assert touched("provider", *drawn, start=1.5) == []
    assert touched("", *drawn) == []


def test_a_database_goes_by_its_systems_name() -> None:
    drawn = work(call(attributes={"server.address": "10.0.0.7", "db.system.name": "postgresql"}))
    assert touched("postgres", *drawn) == [SEC]
