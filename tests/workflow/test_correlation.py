"""Which traces and log records are one workflow instance: `contract.md` 6, rule by rule.

The cases are drawn into one run, each with trace ids of its own.
"""

from collections.abc import Iterator

import pytest
from tests.workflow.drawn import Log, Record, Span, Value, rebuilt, trace_id

from tracejury.config import Config
from tracejury.store.reader import Reader

CONFIGURED = "my.order"

CASES: dict[str, list[Record]] = {
    "configured": [
        Span(1, trace=100, attributes={CONFIGURED: "o-1", "job.id": "j-1"}),
        Span(2, trace=101, attributes={CONFIGURED: "o-1", "job.id": "j-2"}),
        Span(3, trace=102, attributes={CONFIGURED: "o-2", "job.id": "j-1"}),
    ],
    "well known": [
        Span(1, trace=200, attributes={"job.id": "j-7"}),
        Span(2, trace=201, attributes={"job_id": "j-7"}),
        Span(3, trace=202, attributes={"job.id": "j-7"}, service="billing"),
    ],
    "resource": [
        Span(1, trace=210, resource={"batch.id": "b-1"}),
        Span(1, trace=211, resource={"batch.id": "b-1"}, service="billing"),
    ],
    "array": [
        Span(1, trace=220, attributes={"http.request.header.x-request-id": ["r-1"]}),
        Span(1, trace=221, attributes={"http.request.header.x-request-id": ["r-1"]}),
    ],
    "per call": [
        Span(1, trace=300, attributes=dict.fromkeys(("aws.request_id", "session.id"), "same")),
        Span(1, trace=301, attributes=dict.fromkeys(("aws.request_id", "session.id"), "same")),
        Span(1, trace=302, attributes=dict.fromkeys(("idempotency-key", "user.id"), "same")),
        Span(1, trace=303, attributes=dict.fromkeys(("idempotency-key", "user.id"), "same")),
        Span(1, trace=304, attributes={"faas.invocation_id": "same"}),
        Span(1, trace=305, attributes={"faas.invocation_id": "same"}),
        Span(1, trace=306, attributes={"messaging.message.id": "same"}),
        Span(1, trace=307, attributes={"messaging.message.id": "same"}),
    ],
    "celery": [
        Span(
            1,
            trace=310 + n,
            attributes={"messaging.conversation_id": "t-1", "messaging.message.id": "t-1"},
        )
        for n in range(2)
    ],
    "conversation": [
        Span(
            1,
            trace=320 + n,
            attributes={"messaging.message.conversation_id": "c-1", "messaging.message.id": f"{n}"},
        )
        for n in range(2)
    ],
    "links": [
        Span(1, trace=400),
        Span(1, trace=401, links=[(400, 1)]),
        Span(1, trace=402, links=[(401, 1), (999, 1)]),
    ],
    "links to a key": [
        Span(1, trace=410, attributes={"job.id": "j-9"}),
        Span(1, trace=411, links=[(410, 1)]),
        Span(1, trace=412, links=[(411, 1)]),
    ],
    "links to two keys": [
        Span(1, trace=420, attributes={"job.id": "j-10"}),
        Span(1, trace=421, attributes={"job.id": "j-11"}),
        Span(1, trace=422, links=[(420, 1), (421, 1)]),
    ],
    "ambiguous": [
        Span(1, trace=500, attributes={"job.id": "j-20"}),
        Span(2, trace=500, parent=1, attributes={"job.id": "j-21"}),
        Span(1, trace=501, attributes={"job.id": "j-20"}),
    ],
    "ambiguous, and then another key": [
        Span(1, trace=510, attributes={"job.id": "j-30", "correlation_id": "k-1"}),
        Span(2, trace=510, parent=1, attributes={"job.id": "j-31"}),
        Span(1, trace=511, attributes={"correlation_id": "k-1"}),
    ],
    "ambiguous configured": [
        Span(1, trace=520, attributes={CONFIGURED: "o-8", "job.id": "j-40"}),
        Span(2, trace=520, parent=1, attributes={CONFIGURED: "o-9"}),
        Span(1, trace=521, attributes={"job.id": "j-40"}),
    ],
    "ambiguous list": [
        Span(1, trace=530, attributes={"job.id": ["j-80", "j-81"]}),
        Span(1, trace=531, attributes={"job.id": ["j-80", "j-80"]}),
    ],
    "baggage": [
        Span(1, trace=600, attributes={"baggage.job.id": "j-50"}),
        Span(1, trace=601, attributes={"job.id": "j-50"}),
        Span(1, trace=602, attributes={f"baggage.{CONFIGURED}": "o-50"}),
        Span(1, trace=603, attributes={CONFIGURED: "o-50"}),
    ],
    "empty": [
        Span(1, trace=700, attributes={"job.id": ""}),
        Span(1, trace=701, attributes={"job.id": ""}),
    ],
    "logs": [
        Span(1, trace=800, attributes={"job.id": "j-60"}),
        Log("by key", attributes={"job.id": "j-60"}),
        Log("by baggage", attributes={"baggage.job.id": "j-60"}),
        Log("by trace", trace=800),
        Log("by span", trace=800, span=1),
        Log("by neither", attributes={"job.id": "j-61"}),
        Log("by a trace that is not stored", trace=899),
    ],
    "a log names the key": [
        Span(1, trace=810),
        Log("named", trace=810, span=1, attributes={"job.id": "j-70"}),
        Span(1, trace=811, attributes={"job.id": "j-70"}),
    ],
}


@pytest.fixture(scope="module")
def run() -> Iterator[Reader]:
    config = Config(correlation_keys=(CONFIGURED,))
    with rebuilt(*CASES.values(), config=config) as reader:
        yield reader


def instances(run: Reader, *traces: int) -> list[tuple[str, str, list[int]]]:
    """Key, id and traces of every instance that the traces belong to."""
    rows = run.rows(
        """
        SELECT
            instance.correlation_key, instance.correlation_id,
            list_sort(list(lower(hex(trace.trace_id)))) AS traces
        FROM workflow_instance AS instance
        JOIN trace_instance USING (instance_no)
        JOIN trace USING (trace_no)
        GROUP BY ALL
        HAVING list_has_any(traces, $wanted)
        ORDER BY traces
        """,
        {"wanted": [trace_id(trace) for trace in traces]},
    )
    return [
        (row["correlation_key"], row["correlation_id"], [int(t, 16) for t in row["traces"]])
        for row in rows
    ]


def alone(*traces: int) -> list[tuple[str, str, list[int]]]:
    return [("trace", trace_id(trace), [trace]) for trace in traces]


def test_a_configured_key_comes_first(run: Reader) -> None:
    assert instances(run, 100, 101, 102) == [
        (CONFIGURED, "o-1", [100, 101]),
        (CONFIGURED, "o-2", [102]),
    ]


def test_a_well_known_key_joins_traces_across_services(run: Reader) -> None:
    assert instances(run, 200, 201, 202) == [
        ("job.id", "j-7", [200, 202]),
        ("job_id", "j-7", [201]),
    ]


def test_a_key_on_the_resource_counts(run: Reader) -> None:
    assert instances(run, 210) == [("batch.id", "b-1", [210, 211])]


def test_a_header_is_an_array_of_its_value(run: Reader) -> None:
    assert instances(run, 220) == [("http.request.header.x-request-id", "r-1", [220, 221])]


def test_what_names_one_call_a_session_or_a_user_never_joins(run: Reader) -> None:
    assert instances(run, *range(300, 308)) == alone(*range(300, 308))


def test_celerys_conversation_is_one_task(run: Reader) -> None:
    assert instances(run, 310, 311) == alone(310, 311)


def test_another_conversation_joins(run: Reader) -> None:
    assert instances(run, 320) == [("messaging.message.conversation_id", "c-1", [320, 321])]


def test_links_join_what_has_no_key(run: Reader) -> None:
    assert instances(run, 400) == [("links", trace_id(400), [400, 401, 402])]


def test_what_links_to_one_instance_with_a_key_belongs_to_it(run: Reader) -> None:
    assert instances(run, 410) == [("job.id", "j-9", [410, 411, 412])]


def test_what_links_to_two_instances_belongs_to_neither(run: Reader) -> None:
    assert instances(run, 420, 421, 422) == [
        ("job.id", "j-10", [420]),
        ("job.id", "j-11", [421]),
        ("links", trace_id(422), [422]),
    ]


def test_several_values_leave_a_trace_alone_and_say_so(run: Reader) -> None:
    assert instances(run, 500, 501) == [
        ("job.id", trace_id(500), [500]),
        ("job.id", "j-20", [501]),
    ]
    assert instances(run, 530, 531) == [
        ("job.id", trace_id(530), [530]),
        ("job.id", "j-80", [531]),
    ]
    flagged = run.rows("SELECT correlation_id FROM workflow_instance WHERE ambiguous")
    assert {row["correlation_id"] for row in flagged} == {
        trace_id(trace) for trace in (500, 520, 530)
    }


def test_a_well_known_key_with_several_values_gives_way_to_one_with_one(run: Reader) -> None:
    assert instances(run, 510) == [("correlation_id", "k-1", [510, 511])]


def test_a_configured_key_with_several_values_gives_way_to_none(run: Reader) -> None:
    assert instances(run, 520, 521) == [
        (CONFIGURED, trace_id(520), [520]),
        ("job.id", "j-40", [521]),
    ]


def test_a_key_from_baggage_is_the_key(run: Reader) -> None:
    assert instances(run, 600, 602) == [
        ("job.id", "j-50", [600, 601]),
        (CONFIGURED, "o-50", [602, 603]),
    ]


def test_an_empty_value_names_nothing(run: Reader) -> None:
    assert instances(run, 700, 701) == alone(700, 701)


def test_log_records_join_by_trace_or_by_key(run: Reader) -> None:
    rows = run.rows("""
        SELECT log.body, instance.correlation_id
        FROM log_instance
        JOIN stored.log_record AS log USING (log_no)
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE log.body LIKE 'by %'
        ORDER BY log.log_no
    """)
    assert [tuple(row.values()) for row in rows] == [
        ("by key", "j-60"),
        ("by baggage", "j-60"),
        ("by trace", "j-60"),
        ("by span", "j-60"),
    ]
    assert run.value("SELECT logs FROM workflow_instance WHERE correlation_id = 'j-60'") == 4


def test_a_log_record_gives_its_trace_the_key(run: Reader) -> None:
    assert instances(run, 810) == [("job.id", "j-70", [810, 811])]


def test_every_trace_and_record_belongs_to_one_instance(run: Reader) -> None:
    assert run.value("SELECT count(*) - count(DISTINCT trace_no) FROM trace_instance") == 0
    assert run.value("SELECT count(*) - count(DISTINCT log_no) FROM log_instance") == 0
    traces = {
        record.trace for case in CASES.values() for record in case if isinstance(record, Span)
    }
    assert run.value("SELECT sum(traces) FROM workflow_instance") == len(traces)


def test_values_of_different_types_are_values() -> None:
    number: dict[str, Value] = {"job.id": 7}
    with rebuilt([Span(1, attributes=number), Span(1, trace=2, attributes={"job.id": "7"})]) as run:
        assert instances(run, 1) == [("job.id", "7", [1, 2])]
