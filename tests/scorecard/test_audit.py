"""What an audit says depends on what happened, not on how it was delivered."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.scorecard.generated_runs import runs
from tests.workflow.drawn import START_NS, Record, Span, stored

from tracejury.config import Config
from tracejury.report.json import audit_document
from tracejury.scorecard.audit import audit
from tracejury.workflow.faults import Fault

DECLARED = Config(sampling="none")


def said(*requests: list[Record]) -> Any:
    """Everything but when it was said, how often records came, and which of them are shown.

    Findings show the first few records in the order of arrival.
    """
    with stored(*requests) as reader:
        document: Any = json.loads(json.dumps(audit_document(audit(reader, DECLARED))))
    document.pop("judged_at")
    document["trust"].pop("duplicates", None)
    return _without_evidence(document)


def _without_evidence(document: Any) -> Any:
    match document:
        case dict():
            return {
                key: _without_evidence(value)
                for key, value in document.items()
                if key != "evidence"
            }
        case list():
            return [_without_evidence(value) for value in document]
    return document


@given(runs(), st.randoms(use_true_random=False), st.data())
@settings(max_examples=settings().max_examples // 30)
def test_neither_order_nor_duplicates_change_what_is_said(
    run: list[Record], order: Any, data: st.DataObject
) -> None:
    shuffled = order.sample(run, len(run))
    again = data.draw(st.lists(st.sampled_from(run), max_size=4))
    cut = data.draw(st.integers(0, len(run)))
    assert said(shuffled[:cut], shuffled[cut:], again) == said(run)


def test_a_fault_outside_of_the_telemetry_tested_nothing() -> None:
    run: list[Record] = [Span(1, "batch", 0, 900, kind="CONSUMER", service="worker")]
    late = START_NS + 10**15
    faults = (
        Fault("in the run", START_NS + 10**9, START_NS + 2 * 10**9, "kill", "worker"),
        Fault("in 1970", 1, 2, "kill", "worker"),
        Fault("much later", late, late + 10**9, "kill", "worker"),
    )
    with stored(run) as reader:
        tests = audit(reader, DECLARED, injected=faults).tests
    assert {fault for test in tests for fault in test.faults} == {"in the run"}


def test_times_at_the_end_of_the_clock_break_no_check() -> None:
    """Nothing that is added to them may overflow."""
    last_ms = (2**63 - 1 - START_NS) // 10**6
    call = {"error.type": "ReadTimeout", "server.address": "provider", "job.id": "j1"}
    for end_ms in (last_ms, last_ms - 300 * 10**9):
        run: list[Record] = [
            Span(1, "batch", 0, end_ms, kind="CONSUMER", service="worker"),
            *(
                Span(number, "GET", 0, end_ms, parent=1, kind="CLIENT", attributes=call)
                for number in range(2, 8)
            ),
        ]
        with stored(run) as reader:
            checks = audit(reader, DECLARED).checks
        assert [check.reason for check in checks if check.outcome == "error"] == []


def test_an_audit_tells_how_many_of_its_questions_are_answered() -> None:
    told: list[tuple[int, int]] = []
    with stored([Span(1, "batch", 0, 900, kind="CONSUMER", service="worker")]) as reader:
        judged = audit(reader, DECLARED, on_progress=lambda *said: told.append(said))
    [(none, questions), *_] = told
    assert none == 0
    assert questions > len(judged.checks)
    assert sorted(told) == [(done, questions) for done in range(questions + 1)]
