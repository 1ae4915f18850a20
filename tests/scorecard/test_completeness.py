"""What the completeness of a small drawn run says, and what it says when spans are withdrawn."""

from collections.abc import Iterable, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.workflow.drawn import Span, learnt, stored

from tracejury.config import Config
from tracejury.scorecard.completeness import completeness
from tracejury.scorecard.result import Completeness
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


def judged(spans: Iterable[Span], *, baseline: Baseline = BASELINE) -> Completeness:
    with stored(list(spans)) as reader:
        prepare(reader, Config(), baseline=baseline)
        return completeness(reader, (), has_baseline=baseline.exists)


@settings(max_examples=12, deadline=None)
@given(
    st.permutations(range(len(CLEAN))),
    st.lists(st.integers(0, 5), min_size=INSTANCES, max_size=INSTANCES),
    st.integers(0, len(CLEAN)),
    st.integers(0, len(CLEAN)),
)
def test_removing_spans_never_raises_it(
    order: Sequence[int], kept: Sequence[int], some: int, others: int
) -> None:
    # A trace that vanished whole leaves no sign: one span of each stays.
    stays = {6 * trace + at for trace, at in enumerate(kept)}
    removed = [at for at in order if at not in stays]
    few, more = sorted((some, others))
    assert ratio_without(removed[:more]) <= ratio_without(removed[:few])


def ratio_without(removed: Sequence[int]) -> float:
    left = judged(span for at, span in enumerate(CLEAN) if at not in removed)
    return left.total.ratio or 0.0
