"""Runs of any shape, with what checks look for: orphans, cycles, calls, errors, log records."""

from hypothesis import strategies as st
from tests.workflow.drawn import KINDS, LOCAL, REMOTE, Event, Log, Record, Span

SERVICES = ("web", "worker", "provider")
IDS = st.integers(1, 6)

_ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "job.id": st.sampled_from(["j1", "j2"]),
        "item.id": st.sampled_from(["1", "2"]),
        "server.address": st.sampled_from(["provider", "db.internal", "127.0.0.1"]),
        "http.request.method": st.just("POST"),
        "url.full": st.just("http://provider/images"),
        "http.response.status_code": st.sampled_from([200, 422, 503]),
        "error.type": st.sampled_from(["ReadTimeout", "_OTHER"]),
        "db.system.name": st.just("postgresql"),
        "messaging.destination.name": st.just("jobs"),
        "messaging.message.id": st.sampled_from(["m1", "m2"]),
    },
)

spans = st.builds(
    Span,
    id=IDS,
    name=st.sampled_from(["POST /jobs", "run", "step"]),
    start_ms=st.integers(0, 3000),
    end_ms=st.integers(0, 6000),
    trace=st.integers(1, 3),
    parent=st.just(0) | IDS,
    service=st.sampled_from(SERVICES),
    kind=st.sampled_from(KINDS),
    status=st.sampled_from(["UNSET", "UNSET", "ERROR", "OK"]),
    message=st.sampled_from(["", "error", "the record is locked"]),
    attributes=_ATTRIBUTES,
    resource=st.sampled_from([{}, {"service.instance.id": "a"}, {"service.instance.id": "b"}]),
    events=st.lists(
        st.builds(Event, st.just("exception"), st.just({"exception.type": "KeyError"})), max_size=1
    ),
    links=st.lists(st.tuples(st.integers(1, 3), IDS), max_size=1),
    flags=st.sampled_from([0, LOCAL, REMOTE]),
)
logs = st.builds(
    Log,
    body=st.sampled_from(["said", "job.status=completed", "error"]),
    at_ms=st.integers(0, 6000),
    trace=st.integers(0, 3),
    span=st.just(0) | IDS,
    service=st.sampled_from(SERVICES),
    severity=st.sampled_from([0, 9, 13, 17]),
    attributes=st.fixed_dictionaries({}, optional={"job.id": st.sampled_from(["j1", "j2"])}),
)


def runs() -> st.SearchStrategy[list[Record]]:
    """Spans with ids of their own, and log records. Whose twin a child belongs to is a guess."""
    return st.builds(
        lambda sent, said: [*sent, *said],
        st.lists(spans, min_size=1, max_size=14, unique_by=lambda span: (span.trace, span.id)),
        st.lists(logs, max_size=6),
    )
