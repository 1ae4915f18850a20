"""What happened, told from drawn traces: orphans, ghosts, attempts, calls and who answers them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.workflow.drawn import (
    LOCAL,
    MS,
    REMOTE,
    START_NS,
    Event,
    Log,
    Record,
    Span,
    Value,
    deliver,
    rebuilt,
    trace_id,
)

from tracejury.config import Config, Policy
from tracejury.store.reader import Reader
from tracejury.store.writer import Store
from tracejury.telemetry import semconv
from tracejury.workflow.faults import Fault
from tracejury.workflow.rebuild import rebuild

HTTP: Mapping[str, Value] = {
    "http.request.method": "GET",
    "url.full": "http://shop:80/items?page=1",
    "server.address": "shop",
    "server.port": 80,
}
UNAVAILABLE: Mapping[str, Value] = {**HTTP, "http.response.status_code": 503}
NOT_FOUND: Mapping[str, Value] = {**HTTP, "http.response.status_code": 404}
POLL: Mapping[str, Value] = {"messaging.system": "redis", "messaging.operation.type": "receive"}

BACKGROUND: dict[str, list[Record]] = {
    "broker poll": [Span(1, trace=10, kind="CLIENT", attributes={"db.system": "redis"})],
    "empty receive": [Span(1, trace=11, kind="CONSUMER", attributes=POLL)],
    "receive of one": [
        Span(
            1,
            trace=12,
            kind="CONSUMER",
            attributes={**POLL, "messaging.batch.message_count": 1},
        )
    ],
    "health check": [
        Span(1, trace=13, kind="SERVER", attributes={"http.route": "/healthz"}),
        Span(2, trace=13, parent=1, kind="CLIENT", attributes={"db.system": "redis"}),
    ],
    "health in a path": [
        Span(1, trace=14, kind="SERVER", attributes={"url.path": "/health/report"})
    ],
    "named health check": [Span(1, "GET /ready", trace=15, kind="SERVER")],
    "job that polls": [
        Span(1, trace=16, kind="CLIENT", attributes={"db.system": "redis", "job.id": "j"})
    ],
    "half a trace": [Span(2, trace=17, parent=1, kind="CLIENT", attributes={"db.system": "redis"})],
    "work": [Span(1, trace=18)],
}

ORPHANS: dict[str, list[Record]] = {
    "local": [Span(2, trace=30, parent=1, flags=LOCAL)],
    "remote": [Span(2, trace=31, parent=1, flags=REMOTE, kind="CLIENT")],
    "unknown": [Span(2, trace=32, parent=1)],
    "sampled bit": [Span(2, trace=33, parent=1, flags=LOCAL | 1)],
    "in another trace": [Span(1, trace=34), Span(2, trace=35, parent=1, flags=LOCAL)],
    "from outside": [
        Span(2, "GET /", trace=36, parent=1, flags=REMOTE, kind="SERVER", service="web")
    ],
    "beside a root": [
        Span(1, trace=37, service="lonely"),
        Span(2, "GET /", trace=37, parent=9, flags=REMOTE, kind="SERVER", service="lonely"),
    ],
    "a callee seen elsewhere": [
        Span(1, "call", trace=38, kind="CLIENT", service="caller"),
        Span(2, "serve", trace=38, parent=1, kind="SERVER", service="callee"),
        Span(2, "serve", trace=39, parent=1, flags=REMOTE, kind="SERVER", service="callee"),
    ],
    "itself": [Span(3, trace=40, parent=3)],
    "a circle": [Span(1, trace=41, parent=2), Span(2, trace=41, parent=1)],
}

ATTEMPTS: dict[str, list[Record]] = {
    "retried until it went well": [
        Span(1, trace=50, end_ms=100),
        *(
            Span(
                2 + n,
                "GET",
                10 * n,
                10 * n + 5,
                trace=50,
                parent=1,
                kind="CLIENT",
                attributes=UNAVAILABLE if n < 2 else {**HTTP, "http.response.status_code": 200},
            )
            for n in range(3)
        ),
    ],
    "never went well": [
        Span(1, trace=51, end_ms=100),
        *(
            Span(
                2 + n,
                "GET",
                10 * n,
                10 * n + 5,
                trace=51,
                parent=1,
                kind="CLIENT",
                attributes=UNAVAILABLE,
            )
            for n in range(2)
        ),
    ],
    "polls": [
        Span(1, trace=52, end_ms=100),
        *(
            Span(
                2 + n,
                "GET",
                10 * n,
                10 * n + 5,
                trace=52,
                parent=1,
                kind="CLIENT",
                attributes=NOT_FOUND,
            )
            for n in range(3)
        ),
    ],
    "polls whose error has a name": [
        Span(1, trace=53, end_ms=100),
        *(
            Span(
                2 + n,
                "GET",
                10 * n,
                10 * n + 5,
                trace=53,
                parent=1,
                kind="CLIENT",
                status="ERROR",
                attributes={**NOT_FOUND, "error.type": "NotFoundError"},
            )
            for n in range(3)
        ),
    ],
    "fan-out": [
        Span(1, trace=54, end_ms=100),
        *(
            Span(2 + n, "GET", n, n + 50, trace=54, parent=1, kind="CLIENT", attributes=UNAVAILABLE)
            for n in range(3)
        ),
    ],
    "pages": [
        Span(1, trace=55, end_ms=100),
        *(
            Span(
                2 + n,
                "GET",
                10 * n,
                10 * n + 5,
                trace=55,
                parent=1,
                kind="CLIENT",
                attributes={**HTTP, "http.response.status_code": 200},
            )
            for n in range(3)
        ),
    ],
    "other items": [
        Span(1, trace=56, end_ms=100),
        *(
            Span(
                2 + n,
                "GET",
                10 * n,
                10 * n + 5,
                trace=56,
                parent=1,
                kind="CLIENT",
                attributes={**UNAVAILABLE, "url.full": f"http://shop/items/{n}"},
            )
            for n in range(3)
        ),
    ],
    "celery": [
        Span(1, "apply", 0, 5, trace=57, kind="PRODUCER", attributes={"messaging.message.id": "m"}),
        Span(
            2,
            "run",
            10,
            60,
            trace=57,
            parent=1,
            kind="CONSUMER",
            attributes={"messaging.message.id": "m", "celery.state": "RETRY"},
        ),
        Span(
            3,
            "apply",
            20,
            25,
            trace=57,
            parent=2,
            kind="PRODUCER",
            attributes={"messaging.message.id": "m"},
        ),
        Span(
            4,
            "run",
            70,
            90,
            trace=57,
            parent=3,
            kind="CONSUMER",
            attributes={"messaging.message.id": "m", "celery.state": "SUCCESS"},
        ),
    ],
}

FAILURES: dict[str, tuple[Span, bool]] = {
    "status": (Span(1, trace=70, status="ERROR"), True),
    "error.type": (Span(1, trace=71, attributes={"error.type": "Timeout"}), True),
    "a client's 404": (Span(1, trace=72, kind="CLIENT", attributes=NOT_FOUND), True),
    "a server's 404": (Span(1, trace=73, kind="SERVER", attributes=NOT_FOUND), False),
    "a server's 503": (Span(1, trace=74, kind="SERVER", attributes=UNAVAILABLE), True),
    "a status that was set OK": (
        Span(1, trace=75, kind="CLIENT", status="OK", attributes=NOT_FOUND),
        False,
    ),
    "an exception": (
        Span(1, trace=76, events=[Event("exception", {"exception.type": "ValueError"})]),
        True,
    ),
    "another event": (Span(1, trace=77, events=[Event("cache miss", {"a": "b"})]), False),
    "a client's gRPC code": (
        Span(1, trace=78, kind="CLIENT", attributes={"rpc.grpc.status_code": 14}),
        True,
    ),
    "gRPC's OK": (Span(1, trace=79, kind="CLIENT", attributes={"rpc.grpc.status_code": 0}), False),
    "a server's NOT_FOUND": (
        Span(1, trace=80, kind="SERVER", attributes={"rpc.grpc.status_code": 5}),
        False,
    ),
    "a server's INTERNAL": (
        Span(1, trace=81, kind="SERVER", attributes={"rpc.response.status_code": "INTERNAL"}),
        True,
    ),
    "nothing": (Span(1, trace=82), False),
}


@pytest.fixture(scope="module")
def run() -> Iterator[Reader]:
    cases = [*BACKGROUND.values(), *ORPHANS.values(), *ATTEMPTS.values()]
    with rebuilt(*cases, [span for span, _ in FAILURES.values()]) as reader:
        yield reader


def only(case: list[Record]) -> str:
    return trace_id(max(record.trace for record in case))


@pytest.mark.parametrize("case", BACKGROUND)
def test_background_is_polls_and_health_checks(run: Reader, case: str) -> None:
    background = run.value(
        """
        SELECT instance.background
        FROM workflow_instance AS instance
        JOIN trace_instance USING (instance_no)
        JOIN trace USING (trace_no)
        WHERE lower(hex(trace.trace_id)) = ?
        """,
        [only(BACKGROUND[case])],
    )
    expected = {"broker poll", "empty receive", "health check", "named health check"}
    assert background == (case in expected)


@pytest.mark.parametrize(
    ("case", "side", "external"),
    [
        ("local", "local", False),
        ("remote", "remote", False),
        ("unknown", "unknown", False),
        ("sampled bit", "local", False),
        ("in another trace", "local", False),
        ("from outside", "remote", True),
        ("beside a root", "remote", False),
        ("a callee seen elsewhere", "remote", False),
    ],
)
def test_an_orphan_says_where_its_parent_is(
    run: Reader, case: str, side: str, external: bool
) -> None:
    orphans = run.rows(
        "SELECT side, external_entry, missing_parent_id FROM orphan_span WHERE trace_id = ?",
        [only(ORPHANS[case])],
    )
    parents = [record.parent for record in ORPHANS[case] if isinstance(record, Span)]
    assert orphans == [
        {"side": side, "external_entry": external, "missing_parent_id": f"{parents[-1]:016x}"}
    ]
    ghosts = run.value("SELECT count(*) FROM ghost_span WHERE trace_id = ?", [only(ORPHANS[case])])
    assert ghosts == (0 if external else 1)


def test_what_is_its_own_parent_or_goes_round_is_no_orphan(run: Reader) -> None:
    for case in ("itself", "a circle"):
        spans = run.rows(
            "SELECT span_no FROM node JOIN trace USING (trace_no) WHERE lower(hex(trace_id)) = ?",
            [only(ORPHANS[case])],
        )
        assert len(spans) == len(ORPHANS[case])
        numbers = [row["span_no"] for row in spans]
        assert run.value(
            "SELECT count(*) FROM forest WHERE span_no IN (FROM unnest($1)) AND is_in_cycle",
            [numbers],
        ) == len(numbers)
        assert (
            run.value("SELECT count(*) FROM orphan_span WHERE trace_id = ?", [only(ORPHANS[case])])
            == 0
        )


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("retried until it went well", [(1, 3, True), (2, 3, True), (3, 3, True)]),
        ("never went well", [(1, 2, False), (2, 2, False)]),
        ("celery", [(1, 2, True), (2, 2, True)]),
        ("polls", []),
        ("polls whose error has a name", []),
        ("fan-out", []),
        ("pages", []),
        ("other items", []),
    ],
)
def test_attempts_are_told_from_polls_loops_and_fan_out(
    run: Reader, case: str, expected: list[tuple[int, int, bool]]
) -> None:
    rows = run.rows(
        "SELECT number, attempts, recovered FROM attempt WHERE trace_id = ? ORDER BY number",
        [only(ATTEMPTS[case])],
    )
    assert [tuple(row.values()) for row in rows] == expected


@pytest.mark.parametrize("case", FAILURES)
def test_a_failed_span_is_told_by_what_it_carries(run: Reader, case: str) -> None:
    span, failed = FAILURES[case]
    errors = run.value(
        """
        SELECT count(*)
        FROM span_error JOIN node USING (span_no) JOIN trace USING (trace_no)
        WHERE lower(hex(trace.trace_id)) = ?
        """,
        [trace_id(span.trace)],
    )
    assert errors == int(failed)


def test_every_span_stands_in_the_forest_once(run: Reader) -> None:
    assert (
        run.rows("""
        SELECT node.span_no
        FROM node
        FULL JOIN forest USING (span_no)
        GROUP BY ALL
        HAVING count(*) <> 1 OR node.span_no IS NULL OR bool_or(forest.depth IS NULL)
    """)
        == []
    )


def causes(reader: Reader) -> dict[str, str]:
    rows = reader.rows("SELECT trace_id, cause FROM ghost_span ORDER BY trace_id")
    return {row["trace_id"]: row["cause"] for row in rows}


def test_a_ghost_names_the_likeliest_cause() -> None:
    worker = {"service.instance.id": "w-1"}
    killed = Fault(
        "f", START_NS + 60_000 * MS, START_NS + 61_000 * MS, kind="kill", target="worker"
    )
    spans: list[Record] = [
        Span(2, trace=1, parent=1, flags=LOCAL, service="api"),
        Span(2, trace=2, parent=1, flags=REMOTE, kind="CLIENT", service="api"),
        Span(2, trace=3, parent=1, flags=LOCAL, trace_state="ot=th:8"),
        Span(
            2,
            "step",
            59_000,
            59_900,
            trace=4,
            parent=1,
            flags=LOCAL,
            service="worker",
            resource=worker,
        ),
        Span(1, trace=5, service="api"),
        Log("of a span that never came", trace=5, span=9, service="api"),
        Span(2, trace=6, parent=1, flags=LOCAL, service="api", trace_state="ot=th:0"),
    ]
    with rebuilt(spans, injected=(killed,)) as run:
        assert causes(run) == {
            trace_id(1): "never-ended",
            trace_id(2): "not-exported",
            trace_id(3): "sampled",
            trace_id(4): "killed",
            trace_id(5): "never-ended",
            trace_id(6): "never-ended",
        }
        children = run.rows(
            "SELECT children, logs FROM ghost_span WHERE trace_id = ?", [trace_id(5)]
        )
        assert children == [{"children": 0, "logs": 1}]


def test_a_store_that_is_being_written_may_still_get_the_parent() -> None:
    store = Store.in_memory()
    deliver(store, [Span(2, parent=1, flags=LOCAL)])
    with Reader.of(store) as reader:
        rebuild(reader, Config(policy=Policy(settle_seconds=10**9)))
        assert causes(reader) == {trace_id(1): "still-arriving"}
    store.close()
    with Reader.of(store) as reader:
        rebuild(reader, Config(policy=Policy(settle_seconds=10**9)))
        assert causes(reader) == {trace_id(1): "never-ended"}


def test_the_name_of_a_ghost_is_learnt_from_other_traces() -> None:
    whole = [
        Span(1, "job", trace=1, service="worker", kind="CONSUMER"),
        Span(2, "step", trace=1, parent=1, service="worker", flags=LOCAL),
    ]
    half = [Span(2, "step", trace=2, parent=1, service="worker", flags=LOCAL)]
    with rebuilt(whole, half) as run:
        assert run.rows("SELECT service, name, kind, side FROM ghost_span") == [
            {"service": "worker", "name": "job", "kind": "CONSUMER", "side": "local"}
        ]
    with rebuilt(half, clean=whole) as run:
        assert run.rows("SELECT service, name FROM ghost_span") == [
            {"service": "worker", "name": "job"}
        ]


def call_and_answer(
    trace: int, *, answered: bool, attributes: Mapping[str, Value] = HTTP
) -> list[Record]:
    call = Span(1, "GET", 0, 20, trace=trace, kind="CLIENT", service="web", attributes=attributes)
    answer = Span(2, "GET /items", 5, 15, trace=trace, parent=1, kind="SERVER", service="shop-api")
    return [call, answer] if answered else [call]


def test_who_answers_an_address_is_learnt() -> None:
    elsewhere = {**HTTP, "url.full": "http://shop:80/never/paired"}
    outside = {**HTTP, "server.address": "pay.example", "url.full": "https://pay.example/v1"}
    with rebuilt(
        call_and_answer(1, answered=True),
        call_and_answer(2, answered=False),
        call_and_answer(3, answered=False, attributes=elsewhere),
        call_and_answer(4, answered=False, attributes=outside),
        call_and_answer(5, answered=False, attributes={**HTTP, "http.response.status_code": 500}),
    ) as run:
        calls = run.rows("""
            SELECT target, is_external, has_server_half FROM external_call ORDER BY trace_id
        """)
        halves = run.rows("""
            SELECT call.trace_id, half.callee, half.callee_name
            FROM missing_half AS half JOIN external_call AS call USING (span_no)
        """)
    assert [tuple(row.values()) for row in calls] == [
        ("shop-api", False, True),
        ("shop-api", False, False),
        ("shop-api", False, False),
        ("pay.example:80", True, False),
        ("shop-api", False, False),
    ]
    # A route that never had a server half, and a call that failed, prove nothing missing.
    assert [tuple(row.values()) for row in halves] == [(trace_id(2), "shop-api", "GET /items")]


def test_who_answers_is_learnt_from_the_baseline_too() -> None:
    with rebuilt(
        call_and_answer(1, answered=False), clean=call_and_answer(1, answered=True)
    ) as run:
        assert run.rows("SELECT callee FROM missing_half") == [{"callee": "shop-api"}]


def test_a_destination_is_paired_by_message_type() -> None:
    def sent(trace: int, task: str, *, consumed: bool) -> list[Record]:
        attributes = {"messaging.system": "rabbitmq", "messaging.destination.name": "q"}
        producer = Span(
            1,
            "send",
            0,
            1,
            trace=trace,
            kind="PRODUCER",
            service="web",
            attributes={**attributes, "celery.task_name": task},
        )
        consumer = Span(2, "run", 5, 9, trace=trace, parent=1, kind="CONSUMER", service="worker")
        return [producer, consumer] if consumed else [producer]

    with rebuilt(
        sent(1, "traced", consumed=True),
        sent(2, "traced", consumed=False),
        sent(3, "untraced", consumed=False),
    ) as run:
        lost = run.rows("""
            SELECT call.trace_id
            FROM missing_half JOIN external_call AS call USING (span_no)
        """)
    assert lost == [{"trace_id": trace_id(2)}]


def test_a_call_is_told_once() -> None:
    outer = Span(1, "logical", 0, 20, kind="CLIENT", service="web", attributes=HTTP)
    inner = Span(2, "GET", 5, 15, parent=1, kind="CLIENT", service="web", attributes=HTTP)
    with rebuilt([outer, inner]) as run:
        assert run.rows("SELECT span_id FROM external_call") == [{"span_id": f"{2:016x}"}]


def test_every_key_of_a_field_gives_it_its_value_and_the_first_wins() -> None:
    spans: list[Span] = []
    expected: list[tuple[int, str, str]] = []
    for field, keys in semconv.FIELD_KEYS.items():
        for rank, key in enumerate(keys):
            later = dict.fromkeys(keys[rank + 1 :], "later")
            value = f"{field} {rank}"
            spans.append(Span(len(spans) + 1, attributes={**later, key: value}))
            expected.append((len(spans) - 1, field, value))
    with rebuilt(spans) as run:
        fields = {row["span_no"]: row for row in run.rows("FROM span_field")}
    assert [(n, field, fields[n][field]) for n, field, _ in expected] == expected


CALLS: dict[str, tuple[Span, dict[str, Any]]] = {
    "stable": (
        Span(1, kind="CLIENT", attributes={**HTTP, "http.response.status_code": 200}),
        {"target": "shop:80", "protocol": "http", "operation": "GET /items", "response": "200"},
    ),
    "legacy": (
        Span(
            1,
            kind="CLIENT",
            attributes={
                "http.method": "GET",
                "http.url": "http://shop:80/items?page=1",
                "net.peer.name": "shop",
                "net.peer.port": 80,
                "http.status_code": 200,
            },
        ),
        {"target": "shop:80", "protocol": "http", "operation": "GET /items", "response": "200"},
    ),
    "database": (
        Span(
            1,
            kind="CLIENT",
            attributes={"db.system": "postgresql", "db.name": "shop", "db.statement": "SELECT 1"},
        ),
        {"target": "postgresql/shop", "protocol": "db", "operation": "SELECT", "response": None},
    ),
    "message": (
        Span(
            1,
            kind="PRODUCER",
            attributes={
                "messaging.system": "kafka",
                "messaging.destination": "orders",
                "messaging.operation": "publish",
            },
        ),
        {"target": "orders", "protocol": "messaging", "operation": "publish orders"},
    ),
    "rpc": (
        Span(
            1,
            kind="CLIENT",
            attributes={
                "rpc.system": "grpc",
                "rpc.service": "Shop",
                "rpc.method": "Buy",
                "server.address": "shop",
                "rpc.grpc.status_code": 0,
            },
        ),
        {"target": "shop", "protocol": "rpc", "operation": "Shop/Buy", "response": "0"},
    ),
    "model": (
        Span(
            1,
            kind="CLIENT",
            attributes={
                "gen_ai.system": "acme",
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "large",
            },
        ),
        {"target": "acme", "protocol": "genai", "operation": "chat large"},
    ),
    "user and password": (
        Span(
            1,
            kind="CLIENT",
            attributes={"http.method": "GET", "http.url": "https://me:secret@pay.example:8443/v1"},
        ),
        {"target": "pay.example:8443", "protocol": "http", "operation": "GET /v1"},
    ),
    "nothing": (Span(1, kind="CLIENT"), {"target": "?", "protocol": "other", "operation": None}),
}


def test_calls_are_described_by_stable_and_by_older_names() -> None:
    spans = [
        Span(1, kind=span.kind, trace=trace, attributes=span.attributes, service=f"s{trace}")
        for trace, (span, _) in enumerate(CALLS.values(), 1)
    ]
    # One call of nothing but a database would be a poll; this is not about background.
    with rebuilt(spans) as run:
        rows = run.rows("FROM external_call ORDER BY trace_id")
    for row, (case, (_, expected)) in zip(rows, CALLS.items(), strict=True):
        assert {name: row[name] for name in expected} == expected, case
        assert row["has_request"] == (case != "nothing"), case


def test_self_time_is_what_no_child_covers() -> None:
    spans = [
        Span(1, start_ms=0, end_ms=100),
        Span(2, start_ms=10, end_ms=30, parent=1),
        Span(3, start_ms=20, end_ms=40, parent=1),
        Span(4, start_ms=90, end_ms=150, parent=1, kind="CONSUMER"),
        Span(5, start_ms=15, end_ms=20, parent=2),
    ]
    with rebuilt(spans) as run:
        rows = run.rows("SELECT self_ns, largest_gap_ns FROM self_time ORDER BY span_no")
    times = [(row["self_ns"] // MS, row["largest_gap_ns"] // MS) for row in rows]
    assert times == [(60, 50), (15, 10), (20, 20), (60, 60), (5, 5)]


def test_a_gap_is_explained_by_a_log_record_or_a_wait_between_attempts() -> None:
    def worked(trace: int) -> list[Record]:
        return [
            Span(1, "job", 0, 10_000, trace=trace),
            Span(2, "step", 0, 1_000, trace=trace, parent=1),
            Span(3, "step 2", 9_000, 10_000, trace=trace, parent=1),
        ]

    logged: list[Record] = [*worked(2), Log(at_ms=5_000, trace=2, span=1)]
    waited = [
        Span(1, "job", 0, 10_000, trace=3),
        Span(2, "GET", 0, 1_000, trace=3, parent=1, kind="CLIENT", attributes=UNAVAILABLE),
        Span(3, "GET", 9_000, 10_000, trace=3, parent=1, kind="CLIENT", attributes=UNAVAILABLE),
    ]
    with rebuilt(worked(1), logged, waited) as run:
        gaps = run.rows("""
            SELECT gap.name, gap.gap_ns, lower(hex(trace.trace_id)) AS trace_id
            FROM gap JOIN node USING (span_no) JOIN trace USING (trace_no)
        """)
    assert gaps == [{"name": "job", "gap_ns": 8_000 * MS, "trace_id": trace_id(1)}]


def handed_on(destination: str, *, is_processed: bool = True) -> list[Record]:
    """A request that answers when it has sent a message, and who processes it."""
    attributes = {"messaging.system": "rabbitmq", "messaging.destination.name": destination}
    taken = Span(3, "run", 20, 90, parent=2, kind="CONSUMER", attributes=attributes)
    return [
        Span(1, "POST /jobs", 0, 10, kind="SERVER"),
        Span(2, "send", 2, 8, parent=1, kind="PRODUCER", attributes=attributes),
        *([taken] if is_processed else []),
    ]


OUTCOMES: dict[str, tuple[list[Record], str]] = {
    "work that was handed on and done": (handed_on("jobs"), "ok"),
    "work that was handed on, and no more": (handed_on("jobs", is_processed=False), "unknown"),
    "work that says it is done": (
        [
            *handed_on("jobs", is_processed=False),
            Log(at_ms=80, attributes={"job.status": "completed"}, trace=1, span=1),
        ],
        "ok",
    ),
    "a message that nobody in the run takes": (handed_on("audit", is_processed=False), "ok"),
    "ok": ([Span(1)], "ok"),
    "failed": ([Span(1, status="ERROR")], "failed"),
    "a handled failure": ([Span(1), Span(2, parent=1, status="ERROR")], "ok"),
    "a failed consumer": ([Span(1), Span(2, parent=1, kind="CONSUMER", status="ERROR")], "failed"),
    "an attempt that was made good": (
        [
            Span(1, end_ms=99, kind="PRODUCER"),
            Span(
                2,
                "run",
                1,
                5,
                parent=1,
                kind="CONSUMER",
                attributes={"celery.state": "RETRY", "messaging.message.id": "m"},
            ),
            Span(
                3,
                "run",
                10,
                15,
                parent=1,
                kind="CONSUMER",
                attributes={"celery.state": "SUCCESS", "messaging.message.id": "m"},
            ),
        ],
        "ok",
    ),
    "without its root": ([Span(2, parent=1, flags=LOCAL)], "unknown"),
    "without an end": ([Span(1, end_ms=-1)], "unknown"),
    "stated partial": ([Span(1, attributes={"job.status": "partial"})], "failed"),
    "still processing": ([Span(1, attributes={"job.state": "processing"})], "unknown"),
    "the last statement counts": (
        [
            Span(1, end_ms=10),
            Log(at_ms=1, attributes={"job.status": "processing"}, trace=1, span=1),
            Log(at_ms=9, attributes={"job.status": "completed"}, trace=1, span=1),
        ],
        "ok",
    ),
}


def test_the_outcome_of_an_instance() -> None:
    groups: list[list[Record]] = []
    for number, (records, _) in enumerate(OUTCOMES.values(), 1):
        groups.append([_in_trace(record, number) for record in records])
    with rebuilt(*groups) as run:
        rows = run.rows("SELECT outcome FROM workflow_instance ORDER BY correlation_id")
    found = dict(zip(OUTCOMES, (row["outcome"] for row in rows), strict=True))
    assert found == {case: outcome for case, (_, outcome) in OUTCOMES.items()}


def _in_trace(record: Record, trace: int) -> Record:
    return replace(record, trace=trace)
