"""What the completeness of a small drawn run says, and what it says when spans are withdrawn."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.report.example_audit import EMPTY
from tests.workflow.drawn import MS, START_NS, Span, deliver, learnt
from tests.workflow.self_metrics import CUMULATIVE, LIVE, SAMPLED, STARTED, send

from tracejury.config import Config, DeclaredWorkflow
from tracejury.report.json import audit_document
from tracejury.scorecard.completeness import completeness
from tracejury.scorecard.result import Completeness
from tracejury.store.reader import Reader
from tracejury.store.writer import Store
from tracejury.workflow.baseline import Baseline
from tracejury.workflow.rebuild import prepare

INSTANCES = 4

HTTP = {"http.request.method": "GET", "server.address": "api", "url.path": "/price"}


def order(trace: int) -> list[Span]:
    """A page that asks one service, which looks into its cache and computes twice."""
    return [
        Span(1, "GET /order", 0, 50, trace=trace, kind="SERVER", service="web"),
        Span(
            2,
            "GET",
            5,
            45,
            trace=trace,
            parent=1,
            kind="CLIENT",
            service="web",
            attributes={**HTTP, "http.response.status_code": 200},
        ),
        Span(3, "GET /price", 10, 40, trace=trace, parent=2, kind="SERVER", service="api"),
        Span(4, "look up", 11, 12, trace=trace, parent=3, service="api"),
        Span(5, "compute", 13, 20, trace=trace, parent=3, service="api"),
        Span(6, "compute", 21, 30, trace=trace, parent=3, service="api"),
    ]


CLEAN = [span for trace in range(1, INSTANCES + 1) for span in order(trace)]
BASELINE = learnt(CLEAN)


def others() -> list[Span]:
    return [span for trace in range(91, 95) for span in order(trace)]


OTHERS = learnt(others())


def test_a_baseline_tells_of_spans_that_were_lost_since() -> None:
    assert (judged(CLEAN).basis, judged(CLEAN).is_own_baseline) == ("upper-bound", True)
    assert (judged(CLEAN[:-1]).basis, judged(CLEAN[:-1]).is_own_baseline) == ("estimated", False)


def test_what_a_failure_kept_from_running_is_not_missing() -> None:
    page, call, *_ = order(1)
    refused = {**HTTP, "error.type": "timeout"}
    found = judged(
        [replace(page, status="ERROR"), replace(call, status="ERROR", attributes=refused)]
    )
    assert (found.total.known_missing, found.not_run) == (0, 4)
    # Of the whole page as it was before nothing was kept from running.
    assert judged(order(1)).not_run == 0


def test_a_declared_step_is_missing_where_nothing_failed() -> None:
    page = DeclaredWorkflow(
        "GET /order",
        steps=("web: GET", "look up", "api: compute", "bill: charge", "notify"),
        optional=("notify",),
    )
    whole, holed, failed = (order(trace) for trace in (1, 2, 3))
    holed = [span for span in holed if span.name != "look up"]
    failed = [replace(failed[0], status="ERROR")]
    found = judged(
        [*whole, *holed, *failed],
        baseline=Baseline.empty(),
        config=Config(workflows=(page,)),
    )
    assert [(step.service, step.step, step.missing, step.evidence) for step in found.missing] == [
        ("bill", "charge", 2.0, "the declaration of its workflow names it"),
        ("api", "look up INTERNAL", 1.0, "the declaration of its workflow names it"),
    ]
    assert found.total.known_missing == 3


def doubled(spans: Iterable[Span], *, by: str) -> list[Span]:
    """What a pipeline sends that forwards each span in two versions."""
    return [copy for span in spans for copy in (span, _second(span, by))]


def _second(span: Span, by: str) -> Span:
    if by == "resource":
        return replace(span, resource={"pipeline": "b"})
    return replace(span, attributes={**span.attributes, "pipeline": "b"})


@pytest.mark.parametrize("by", ["attributes", "resource"])
def test_a_span_that_came_in_two_versions_is_one(by: str) -> None:
    for baseline in (Baseline.empty(), OTHERS, learnt(doubled(others(), by=by))):
        whole = judged(doubled(CLEAN, by=by), baseline=baseline).total
        assert (whole.received, whole.known_missing) == (24, 0)
        assert judged(CLEAN, baseline=baseline).total.known_missing == 0
    # One is lost of two that are alike; what came twice does not make up for it.
    holed = judged(doubled(CLEAN[:-1], by=by), baseline=OTHERS)
    assert (holed.total.received, round(holed.total.known_missing)) == (23, 1)
    assert holed.by_workflow["GET /order"].received == 23


def job(trace: int) -> list[Span]:
    """A request that sends a message, and the trace of its consumer, which links to it."""
    one = 10 * trace
    spans = [
        Span(one + 1, "POST /jobs", 0, 50, trace=trace, kind="SERVER", service="web"),
        Span(one + 2, "send", 5, 10, trace=trace, parent=one + 1, kind="PRODUCER", service="web"),
        Span(one + 3, "process", 90, 99, trace=500 + trace, kind="CONSUMER", service="miner"),
        Span(one + 4, "resize", 91, 98, trace=500 + trace, parent=one + 3, service="miner"),
    ]
    return [*spans[:2], replace(spans[2], links=[(trace, one + 2)]), spans[3]]


JOBS = learnt(span for trace in range(1, 5) for span in job(trace))


def test_what_consumers_link_to_is_missing_where_it_did_not_come() -> None:
    whole = [span for trace in range(11, 15) for span in job(trace)]
    assert judged(whole, baseline=JOBS).total.known_missing == 0
    found = judged((span for span in whole if span.service == "miner"), baseline=JOBS)
    assert (found.basis, found.total.received) == ("estimated", 8)
    assert {(step.service, step.step, step.missing) for step in found.missing} == {
        ("web", "POST /jobs SERVER", 4),
        ("web", "send PRODUCER", 4),
    }
    assert found.by_workflow.keys() == {"POST /jobs"}


def test_messages_from_outside_have_no_sender_that_could_be_missing() -> None:
    def consumed(traces: range) -> list[Span]:
        return [span for trace in traces for span in job(trace) if span.service == "miner"]

    # So it was in the clean run, or is where a consumer begins of its own at times.
    clean = [*consumed(range(1, 5)), *(span for trace in range(5, 9) for span in job(trace))]
    assert judged(consumed(range(11, 15)), baseline=learnt(clean)).total.known_missing == 0
    polled = [replace(span, links=()) for span in consumed(range(20, 21))]
    run = [*consumed(range(11, 15)), *polled]
    assert judged(run, baseline=JOBS).total.known_missing == 0
    assert judged(consumed(range(11, 15)), baseline=Baseline.empty()).total.known_missing == 0


# A process of each service that counts, until a moment (milliseconds); None: it does not.
Counts = dict[str, int | None]

NOBODY: Counts = {"web": None, "api": None}


def judged(
    spans: Iterable[Span],
    *,
    baseline: Baseline = BASELINE,
    counts: Counts = NOBODY,
    config: Config = Config(),  # noqa: B008 - frozen
) -> Completeness:
    store = Store.in_memory()
    deliver(store, list(spans))
    for service, until_ms in counts.items():
        if until_ms is not None:
            count(store, service, until_ms)
    store.close()
    with Reader.of(store) as reader:
        prepare(reader, config, baseline=baseline)
        return completeness(reader, ())


def count(store: Store, service: str, until_ms: int) -> None:
    """What the process of `service` had counted by then of the whole run."""
    own = [span for span in CLEAN if span.service == service and span.start_ms <= until_ms]
    live = sum(span.end_ms > until_ms for span in own)
    at = START_NS + until_ms * MS
    for metric, spans in ((STARTED, len(own)), (LIVE, live)):
        points = [(START_NS, at, spans, SAMPLED)]
        send(store, metric, CUMULATIVE, points, service=service, instance=None)


COUNTED_UNTIL = st.fixed_dictionaries(
    {"web": st.sampled_from([None, 25, 60]), "api": st.sampled_from([None, 25, 60])}
)


@settings(max_examples=settings().max_examples // 20)
@given(
    st.permutations(range(len(CLEAN))),
    st.lists(st.integers(0, 5), min_size=INSTANCES, max_size=INSTANCES),
    st.integers(0, len(CLEAN)),
    st.integers(0, len(CLEAN)),
    COUNTED_UNTIL,
)
def test_removing_spans_never_raises_it(
    order: Sequence[int], kept: Sequence[int], some: int, others: int, counts: Counts
) -> None:
    # A trace that vanished whole leaves no sign: one span of each stays.
    stays = {6 * trace + at for trace, at in enumerate(kept)}
    removed = [at for at in order if at not in stays]
    few, more = sorted((some, others))
    assert ratio_without(removed[:more], counts) <= ratio_without(removed[:few], counts)


def ratio_without(removed: Sequence[int], counts: Counts) -> float:
    left = judged((span for at, span in enumerate(CLEAN) if at not in removed), counts=counts)
    return left.total.ratio or 0.0


@settings(max_examples=5)
@given(st.permutations(range(len(CLEAN))), st.sets(st.integers(0, len(CLEAN) - 1)), COUNTED_UNTIL)
def test_order_and_duplicates_change_nothing(
    order: Sequence[int], gone: set[int], counts: Counts
) -> None:
    left = [span for at, span in enumerate(CLEAN) if at not in gone]
    mixed = [CLEAN[at] for at in order if at not in gone]
    again = judged([*mixed, *mixed[::2]], counts=counts)
    assert plain(again) == plain(judged(left, counts=counts))


def plain(found: Completeness) -> object:
    """What is written of it: sums are not added up in the same order."""
    return audit_document(replace(EMPTY, completeness=found))["completeness"]
