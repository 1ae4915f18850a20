"""A service that only changed its name lacks nothing, and one that is silent is not another."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from tests.workflow.drawn import Span, rebuilt

from tracejury.scorecard.completeness import completeness
from tracejury.scorecard.result import Completeness

HTTP = {"http.request.method": "GET", "server.address": "api"}


def order(trace: int) -> list[Span]:
    one = 10 * trace
    spans = [
        Span(one + 1, "GET /order", 0, 50, kind="SERVER", service="web"),
        Span(one + 2, "GET", 5, 45, parent=one + 1, kind="CLIENT", service="web", attributes=HTTP),
        Span(one + 3, "GET /price", 10, 40, parent=one + 2, kind="SERVER", service="api"),
        Span(one + 4, "look up", 11, 12, parent=one + 3, service="api"),
        Span(one + 5, "compute", 13, 39, parent=one + 3, service="api"),
    ]
    return [replace(span, trace=trace) for span in spans]


CLEAN = [span for trace in range(1, 6) for span in order(trace)]
RUN = [span for trace in range(11, 16) for span in order(trace)]


def called(spans: Iterable[Span], **names: str) -> list[Span]:
    return [replace(span, service=names.get(span.service, span.service)) for span in spans]


def judged(run: list[Span]) -> Completeness:
    with rebuilt(run, clean=CLEAN) as reader:
        return completeness(reader, ())


@pytest.mark.parametrize("names", [{}, {"api": "api-v2"}, {"api": "p-api", "web": "p-web"}])
def test_a_service_that_only_changed_its_name_lacks_nothing(names: dict[str, str]) -> None:
    found = judged(called(RUN, **names))
    assert (found.total.known_missing, found.basis) == (0, "estimated")
    assert found.renamed == names
    # What it lacks is missing under its new name.
    found = judged(called((span for span in RUN if span.id != 114), **names))
    assert [(step.service, step.step, step.missing) for step in found.missing] == [
        (names.get("api", "api"), "look up INTERNAL", 1)
    ]


def test_who_does_something_else_is_another_service() -> None:
    other = [
        replace(span, service="audit", name="write") if span.service == "api" else span
        for span in RUN
    ]
    more = called(RUN, api="api-v2")
    more += [replace(span, id=span.id + 5, name="sell") for span in more if span.name == "compute"]
    assert judged(more).renamed == {}
    for run in (other, [span for span in RUN if span.service != "api"]):
        found = judged(run)
        assert found.renamed == {}
        assert found.by_service["api"].known_missing == 15


def test_where_two_may_be_meant_none_is() -> None:
    half = called(RUN[:10], api="api-a") + called(RUN[10:], api="api-b")
    assert judged(half).renamed == {}
    # The one of old is still there.
    assert judged(RUN[:10] + called(RUN[10:], api="api-v2")).renamed == {}
