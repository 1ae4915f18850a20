"""Failed and slow workflow instances, told one by one: pages that ask a price and a database."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator
from tests.report.example_audit import EXAMPLE
from tests.report.test_schemas import DOCS, closed
from tests.workflow.drawn import MS, START_NS, Record, Span, rebuilt, span_id, stored, trace_id

from tracejury.config import Config
from tracejury.report.diagnosis import render_diagnosis, render_instances
from tracejury.scorecard.diagnosis import diagnosis
from tracejury.scorecard.fault_results import fault_results
from tracejury.scorecard.instances import (
    Diagnosed,
    DiagnosedInstances,
    by_place,
    diagnosed_instances,
)
from tracejury.store.reader import Reader
from tracejury.workflow.baseline import Baseline
from tracejury.workflow.diagnosis_effort import Around
from tracejury.workflow.failure_points import FailedInstance
from tracejury.workflow.faults import Fault
from tracejury.workflow.rebuild import prepare

SLOW, FAILED, WITH_OTHER_ENTRY = 20, (30, 31), 40
HTTP = {"http.request.method": "GET", "server.address": "price", "url.path": "/price"}
DB = {"db.system.name": "mysql", "db.operation.name": "SELECT", "server.address": "db"}


def page(
    trace: int, *, name: str = "GET /page", query_ms: float = 5, fails: bool = False
) -> list[Record]:
    """A page takes 20 ms besides its query."""
    at = trace * 1000.0

    def span(number: int, parent: int, step: str, kind: str, start: float, end: float) -> Span:
        return Span(
            number, step, at + start, at + end, trace=trace, parent=parent, service="web", kind=kind
        )

    query = span(4, 1, "SELECT", "CLIENT", 12, 12 + query_ms)
    query = replace(query, attributes=DB)
    top = span(1, 0, name, "SERVER", 0, 20 + query_ms)
    if fails:
        top = replace(top, status="ERROR")
        said = "the index of shard 7 is older than its table"
        error = {**DB, "error.type": "StaleIndex"}
        query = replace(query, status="ERROR", message=said, attributes=error)
    return [
        top,
        replace(span(2, 1, "GET", "CLIENT", 2, 10), attributes=HTTP),
        replace(span(3, 2, "GET /price", "SERVER", 4, 8), service="price"),
        query,
    ]


def pages(*, query_ms: float = 5) -> list[Record]:
    return [one for trace in range(1, 13) for one in page(trace, query_ms=query_ms + trace / 100)]


ODD = [
    *page(SLOW, query_ms=500),
    *(one for trace in FAILED for one in page(trace, fails=True)),
    *page(WITH_OTHER_ENTRY, name="GET /other"),
]


def around(first: int, last: int) -> tuple[int, int]:
    """From just before one page to just after another."""
    return START_NS + (first * 1000 - 100) * MS, START_NS + (last * 1000 + 900) * MS


FAULTS = (
    Fault("fails", *around(*FAILED), target="price"),
    Fault("slow", *around(SLOW, SLOW), target="db"),
)


@pytest.fixture(scope="module")
def run() -> Iterator[Reader]:
    with rebuilt(pages(), ODD, injected=FAULTS) as reader:
        yield reader


@pytest.fixture(scope="module")
def found(run: Reader) -> DiagnosedInstances:
    return diagnosed_instances(run)


def test_a_slow_instance_names_the_step_that_took_the_excess(found: DiagnosedInstances) -> None:
    assert (found.slow.total, found.compared, found.not_compared) == (1, 13, 1)
    [one] = found.slow.shown
    assert (one.trace_id, one.alike) == (trace_id(SLOW), 0)
    # It ran while a fault lasted, and is no part of what is usual.
    assert one.says == "took 520 ms, usually 25.1 ms (median of 12)"
    [cause] = one.causes
    assert (cause.service, cause.step) == ("web", "SELECT")
    assert cause.says == "waiting for db: 500 ms, usually 5.06 ms"
    assert cause.evidence == ((trace_id(SLOW), span_id(4)),)


def test_failures_at_one_place_are_told_once(found: DiagnosedInstances) -> None:
    assert (found.failed.total, found.failed.places, found.failed.not_shown) == (2, 1, 0)
    [one] = found.failed.shown
    assert (one.trace_id, one.alike) == (trace_id(FAILED[0]), 1)
    assert "1.0 effective candidate" in one.says
    assert [(cause.service, cause.step) for cause in one.causes] == [("web", "SELECT")]
    assert one.causes[0].says.startswith("StaleIndex: the index of shard 7")


def test_what_is_usual_in_a_clean_run_decides(run: Reader) -> None:
    """Where all are slow, none is by the others; all are by the clean run."""
    clean = Baseline.learn(run, with_times=True)
    with stored(pages(query_ms=80)) as reader:
        prepare(reader, Config(), baseline=clean)
        compared = diagnosed_instances(reader)
    assert (compared.slow.total, compared.by_baseline) == (12, True)
    assert compared.slow.shown[0].alike == 11
    assert not compared.remarks


def test_it_is_written_as_text_and_as_json(found: DiagnosedInstances) -> None:
    text = render_instances(replace(found, failed=replace(found.failed, total=9, places=4)), "text")
    assert "and 7 more, in 3 other places" in text
    text = render_instances(found, "text")
    assert "2 workflow instances failed, in 1 place" in text
    assert "1. web, SELECT: waiting for db: 500 ms" in text
    assert "1 could not be compared" in text
    assert "--baseline" in text
    document = json.loads(render_instances(found, "json"))
    schema = json.loads((DOCS / "diagnose.schema.json").read_text())
    Draft202012Validator(closed(schema)).validate(document)
    by_fault = {EXAMPLE.faults[0].id: found}
    windows = json.loads(render_diagnosis(EXAMPLE.faults, by_fault, "json"))
    Draft202012Validator(closed(schema)).validate(windows)
    assert windows["faults"][0]["difficulty"]["minutes"] == 6.2
    assert document["faults"] == []
    assert windows["faults"][0]["instances"]["ran"] == document["ran"] == 16
    assert document["failed"]["instances"][0]["causes"][0]["step"] == "SELECT"
    assert document["slow"]["instances"][0]["causes"][0]["evidence"] == [
        {"trace_id": trace_id(SLOW), "span_id": span_id(4)}
    ]
    assert (document["slow"]["compared"], document["slow"]["not_compared"]) == (13, 1)


def test_no_more_than_ten_are_told_and_the_rest_is_counted() -> None:
    """Twelve places: of each the first, and two of the last one, which is told first."""
    failed = [
        FailedInstance(number, f"job-{number}", f"GET /{min(number, 12)}", ("", ""), (), 0.0, ())
        for number in range(1, 14)
    ]
    found = by_place(failed, Around(0, 1.0, 0.0, Counter()))
    assert (found.total, found.places, len(found.shown), found.not_shown) == (13, 12, 10, 2)
    assert (found.shown[0].correlation_id, found.shown[0].alike) == ("job-12", 1)


def test_a_fault_is_as_hard_as_what_failed_or_else_who_is_suspected(run: Reader) -> None:
    fails, slow = (fault.difficulty for fault in fault_results(run, FAULTS))
    assert fails is not None
    assert slow is not None
    assert (fails.basis, fails.failed_instances, fails.candidates) == ("errors", 2, 1)
    assert (slow.basis, slow.failed_instances) == ("suspects", 0)
    assert 1 <= slow.candidates <= 3  # of web, price and db
    assert fails.breakdown["explain"] < slow.breakdown["explain"] == 5  # no log record to read
    assert fails.breakdown["dark"] == slow.breakdown["dark"] == 0
    by_workflow = diagnosis(run).by_workflow
    assert {name: one.minutes for name, one in by_workflow.items()} == {"GET /page": fails.minutes}


def test_a_fault_in_whose_time_nothing_ran_has_no_minutes() -> None:
    """There is no trace of it in which a cause could be found."""
    late = replace(FAULTS[1], id="late", start_ns=START_NS + 10**13, end_ns=START_NS + 2 * 10**13)
    with stored(pages()) as reader:
        prepare(reader, Config(), injected=(late,))
        [result] = fault_results(reader, (late,))
    assert result.difficulty is None


def test_where_nothing_can_be_compared_nothing_is_said_to_be_well() -> None:
    nothing = Diagnosed(0, 0, ())
    found = DiagnosedInstances(
        ran=3,
        unknown_end=0,
        failed=nothing,
        slow=nothing,
        compared=0,
        not_compared=3,
        by_baseline=False,
    )
    text = render_instances(found, "text")
    assert text.splitlines() == [
        "None of 3 workflow instances failed.",
        "",
        "No workflow instance could be compared with others of its kind.",
        "3 could not be compared: too few of their kind.",
    ]


def test_of_a_fault_only_what_ran_while_it_lasted_is_told(run: Reader) -> None:
    slow = diagnosed_instances(run, "slow")
    assert (slow.ran, slow.failed.total, slow.slow.total, slow.compared) == (1, 0, 1, 1)
    assert slow.slow.shown[0].says == "took 520 ms, usually 25.1 ms (median of 12)"
    assert "that ran while no fault lasted" in slow.about_slow
    fails = diagnosed_instances(run, "fails")
    assert (fails.ran, fails.failed.total, fails.slow.total) == (2, 2, 0)
    results = fault_results(run, FAULTS)
    told = render_diagnosis(results, {"slow": slow, "fails": fails}, "text").splitlines()
    assert "  while it lasted: 2 workflow instances failed, in 1 place" in told
    assert "      1. web, SELECT: waiting for db: 500 ms, usually 5.06 ms" in told
    never = {"slow": diagnosed_instances(run, "another")}
    told = render_diagnosis(results, never, "text").splitlines()
    assert "  No workflow instance ran while it lasted." in told


def test_an_instance_that_lost_its_root_is_not_said_to_have_gone_well() -> None:
    _, *rest = page(50)
    with rebuilt(pages(), rest) as reader:
        found = diagnosed_instances(reader)
    assert (found.ran, found.unknown_end) == (13, 1)
    assert found.about_failed == "None of 13 workflow instances failed; of 1 it is not known"


def job(trace: int, *, is_processed: bool = True) -> list[Record]:
    """A request that answers when it has sent a message, and the worker that takes it."""
    at = trace * 1000.0
    queue = {"messaging.system": "rabbitmq", "messaging.destination.name": "jobs"}
    sent = Span(2, "send", at + 2, at + 8, trace=trace, parent=1, kind="PRODUCER", service="web")
    taken = replace(sent, id=3, name="run", end_ms=at + 90, parent=2, kind="CONSUMER")
    return [
        Span(1, "POST /jobs", at, at + 10, trace=trace, kind="SERVER", service="web"),
        replace(sent, attributes=queue),
        *([replace(taken, attributes=queue, service="worker")] if is_processed else []),
    ]


def test_a_job_that_nobody_was_seen_to_do_is_not_said_to_have_gone_well() -> None:
    jobs = [one for trace in range(1, 13) for one in job(trace)]
    with rebuilt(jobs, job(50, is_processed=False)) as reader:
        found = diagnosed_instances(reader)
    assert (found.ran, found.failed.total, found.unknown_end) == (13, 0, 1)


def test_an_answered_request_went_well_whatever_is_missing_below_it() -> None:
    top, _, *rest = page(50)
    with rebuilt(pages(), [top, *rest]) as reader:
        found = diagnosed_instances(reader)
    assert (found.ran, found.failed.total, found.unknown_end) == (13, 0, 0)
