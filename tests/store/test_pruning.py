"""What is pruned goes whole, the oldest first, and leaves nothing that looks like a loss."""

import threading
from hashlib import sha256
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.receiver.requests import metrics
from tests.receiver.test_alerts import FIRING, webhook
from tests.workflow.drawn import RECEIVED_NS, Event, Log, Span, deliver, requests

from tracejury.config import Config, Retention
from tracejury.otlp.alert_webhook import Content, alerts_of
from tracejury.otlp.decode import Encoding, Signal, decode
from tracejury.receiver import retention
from tracejury.receiver.retention import Pruner
from tracejury.scorecard.trust import trust
from tracejury.store.acknowledged import stored_records
from tracejury.store.identities import Identities
from tracejury.store.instances import connected, derive_instances
from tracejury.store.pruning import plan
from tracejury.store.reader import Reader
from tracejury.store.writer import Store
from tracejury.workflow.rebuild import rebuild

S = 1_000_000_000
HOUR = 3600 * S


def looked(store: Store, retention: Retention, now_ns: int) -> None:
    Pruner(store, retention, threading.Event()).look(now_ns)


def rest(store: Store, sql: str) -> list[object]:
    with Reader.of(store) as reader:
        return [next(iter(row.values())) for row in reader.rows(sql)]


def job(name: str) -> dict[str, str]:
    return {"job.id": name}


def everything() -> list[tuple[Content, bytes]]:
    """A record of every kind, with everything that one can have."""
    span = Span(1, attributes={"a": "b"}, events=[Event("said", {"c": "d"})], links=[(9, 9)])
    points = metrics(points=2)
    for point in points.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points:
        point.attributes.add(key="a").value.string_value = "b"
        exemplar = point.exemplars.add(as_int=7)
        exemplar.filtered_attributes.add(key="a").value.string_value = "b"
    traces = ExportTraceServiceRequest.FromString(requests([span])[0][1])
    link = traces.resource_spans[0].scope_spans[0].spans[0].links[0]
    link.attributes.add(key="a").value.string_value = "b"
    return [
        (Signal.TRACES, traces.SerializeToString()),
        *requests([Log(attributes={"a": "b"})]),
        (Signal.METRICS, points.SerializeToString()),
        ("alerts", webhook(FIRING)),
    ]


RECORDS = (
    *("span", "span_value", "duplicate_span"),
    *("span_event", "event_value", "span_link", "link_value"),
    *("log_record", "log_value", "alert"),
    *("metric_point", "point_value", "exemplar", "exemplar_value"),
)
AGE = Retention(max_age_seconds=3600)


def test_a_whole_instance_goes_once_all_of_it_is_old(tmp_path: Path) -> None:
    with Store.open(tmp_path / "run.duckdb") as store:
        deliver(store, [Span(1, "old", trace=1, attributes=job("a")), Log(trace=1, span=1)])
        deliver(store, [Span(2, "old too", trace=2, attributes=job("b"))])
        later = RECEIVED_NS + HOUR
        deliver(store, [Span(3, "young", trace=3, attributes=job("a"))], received_ns=later)
        looked(store, AGE, RECEIVED_NS + HOUR + S)
        assert rest(store, "SELECT name FROM stored.span ORDER BY name") == ["old", "young"]
        assert rest(store, "SELECT count(*) FROM stored.log_record") == [1]
        looked(store, AGE, later + HOUR + S)
        assert rest(store, "SELECT name FROM stored.span") == []
        assert rest(store, "SELECT count(*) FROM stored.log_record") == [0]
        with Reader.of(store) as reader:
            pruned = reader.rows("SELECT * EXCLUDE pruned_ns FROM stored.pruning")
    none = {"points": 0, "alerts": 0}
    assert pruned == [
        {"until_ns": RECEIVED_NS, "instances": 1, "traces": 1, "spans": 1, "logs": 0, **none},
        {"until_ns": later, "instances": 1, "traces": 2, "spans": 2, "logs": 1, **none},
    ]


def test_all_that_belongs_to_a_record_goes_with_it(tmp_path: Path) -> None:
    with Store.open(tmp_path / "run.duckdb") as store:
        for signal, body in everything() * 2:  # the second time as duplicates
            if isinstance(signal, Signal):
                batch = decode(signal, Encoding.PROTOBUF, [body])
            else:
                batch = alerts_of([body])
            store.commit([batch], received_ns=RECEIVED_NS, source="drawn")
        for table in RECORDS:
            assert rest(store, f"SELECT count(*) FROM stored.{table}") != [0], table
        accounted = stored_records(store.connection())
        looked(store, AGE, RECEIVED_NS + HOUR + S)
        assert stored_records(store.connection()) == accounted  # so that a kill now is no loss
        for table in RECORDS:
            assert (table, rest(store, f"SELECT count(*) FROM stored.{table}")) == (table, [0])


def test_the_oldest_go_to_make_space_and_what_still_receives_never(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Store.open(tmp_path / "run.duckdb") as store:
        for minute in range(12):
            deliver(store, bulky(minute), received_ns=RECEIVED_NS + minute * 60 * S)
        store.checkpoint()
        now_ns = RECEIVED_NS + 11 * 60 * S + 30 * S
        bound = Retention(max_size=store.used_size() * 2 // 3)
        for _ in range(5):  # no more goes than has to, however often it is looked
            looked(store, bound, now_ns)
        kept = rest(store, "SELECT DISTINCT name FROM stored.span ORDER BY name")
        assert kept == [f"minute {minute:02}" for minute in range(12 - len(kept), 12)]
        assert 5 <= len(kept) <= 7
        looked(store, Retention(max_size=1), now_ns)
        assert rest(store, "SELECT DISTINCT name FROM stored.span") == ["minute 11"]
        assert caplog.messages == []
        looked(store, Retention(max_size=1), now_ns)
        assert rest(store, "SELECT DISTINCT name FROM stored.span") == ["minute 11"]
        [said] = caplog.messages
        assert "more than --max-size" in said


@pytest.mark.parametrize(
    ("max_size", "limit"), [(1, "16.0 MiB"), (300 * 2**20, "30.0 MiB"), (2**40, "64.0 MiB")]
)
def test_the_log_is_a_part_of_the_bound(tmp_path: Path, max_size: int, limit: str) -> None:
    with Store.open(tmp_path / "run.duckdb") as store:
        Pruner(store, Retention(max_size=max_size), threading.Event())
        with store.frozen():
            pass
        assert rest(store, "SELECT current_setting('checkpoint_threshold')") == [limit]


def test_a_pruner_that_fails_says_so_once_and_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Store.open(tmp_path / "run.duckdb") as store:
        deliver(store, [Span(1)])
        stopped = threading.Event()
        pruner = Pruner(store, AGE, stopped)
        hidden = store.path.rename(tmp_path / "hidden") if store.path else None
        thread = threading.Thread(target=pruner.run)
        thread.start()
        while not caplog.messages:
            stopped.wait(0.05)
        assert hidden is not None
        hidden.rename(tmp_path / "run.duckdb")
        while rest(store, "SELECT count(*) FROM stored.span") != [0]:
            stopped.wait(0.05)
        stopped.set()
        thread.join()
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("Nothing could be pruned: The store")


def bulky(minute: int) -> list[Span]:
    return [
        Span(
            1000 * minute + number,
            f"minute {minute:02}",
            trace=100 * minute + number // 10 + 1,
            attributes={"text": sha256(f"{minute} {number}".encode()).hexdigest() * 20},
        )
        for number in range(1, 1000)
    ]


def test_what_comes_late_of_an_instance_that_was_pruned_is_pruned_too(tmp_path: Path) -> None:
    whole = [Span(1, "root", trace=1), Span(2, "child", trace=1, parent=1)]
    with Store.open(tmp_path / "run.duckdb") as store:
        deliver(store, whole)
        pruner = Pruner(store, AGE, threading.Event())
        now_ns = RECEIVED_NS + 2 * HOUR
        pruner.look(now_ns)
        late: list[Span | Log] = [
            Span(3, "late", trace=1, parent=1),
            Log(trace=1, span=3),
            Span(4, "new", trace=2),
        ]
        deliver(store, whole, late, received_ns=now_ns)
        assert len(rest(store, "SELECT name FROM stored.span")) == 4
        pruner.look(now_ns)
        assert rest(store, "SELECT name FROM stored.span") == ["new"]
        assert rest(store, "SELECT count(*) FROM stored.log_record") == [0]
        assert rest(store, "SELECT sum(instances)::BIGINT FROM stored.pruning") == [1]
        assert rest(store, "SELECT sum(spans)::BIGINT FROM stored.pruning") == [5]
        with Reader.of(store) as reader:
            rebuild(reader, Config())
            told = trust(reader, ())
        assert (told.pruned, told.pruned_spans) == (1, 5)
        assert told.pruned_until == "2023-11-14T23:13:20Z"  # when what was planned had come


def test_an_instance_that_grows_after_the_plan_is_left_alone(tmp_path: Path) -> None:
    with Store.open(tmp_path / "run.duckdb") as store:
        deliver(store, [Span(1, trace=1)])
        with Reader.of(store) as reader:
            [doomed] = plan(reader, (), until_ns=RECEIVED_NS)
        deliver(store, [Span(2, trace=1, parent=1)])
        assert store.prune(doomed, now_ns=RECEIVED_NS) is None
        assert rest(store, "SELECT count(*) FROM stored.span") == [2]
        assert rest(store, "SELECT count(*) FROM stored.pruning") == [0]


def test_a_span_that_is_sent_again_long_after_is_one_again(tmp_path: Path) -> None:
    with Store.open(tmp_path / "run.duckdb") as store:
        deliver(store, [Log("alone")])
        looked(store, AGE, RECEIVED_NS + 2 * HOUR)
        deliver(store, [Log("alone")])
        assert rest(store, "SELECT body FROM stored.log_record") == ["alone"]


def test_a_plan_does_not_hold_up_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def endless(reader: Reader, *_: object, **__: object) -> object:
        begun.set()
        return reader.value("SELECT count(*) FROM range(100000000000) AS a, range(100000) AS b")

    monkeypatch.setattr(retention, "plan", endless)
    with Store.open(tmp_path / "run.duckdb") as store:
        deliver(store, [Span(1)])
        pruner = Pruner(store, AGE, threading.Event())
        thread = threading.Thread(target=pruner.run)
        thread.start()
        begun.wait()
        pruner.stop(thread)
        assert rest(store, "SELECT count(*) FROM stored.pruning") == [0]
    assert caplog.messages == []


@st.composite
def runs(draw: st.DrawFn) -> list[list[Span | Log]]:
    """Traces with and without keys, several values of them, links, and conversations."""
    values = st.sampled_from(["a", "b"])
    keys = [
        "job.id",
        "batch.id",
        "own.key",
        "messaging.message.conversation_id",
        "messaging.message.id",
    ]
    groups: list[list[Span | Log]] = []
    for trace in range(1, draw(st.integers(2, 8))):
        spans: list[Span | Log] = []
        for number in range(1, draw(st.integers(2, 4))):
            attributes = draw(st.dictionaries(st.sampled_from(keys), values, max_size=3))
            links = draw(st.lists(st.tuples(st.integers(1, 8), st.just(100)), max_size=2))
            parent = 0 if number == 1 else trace * 100 + draw(st.integers(0, number - 1))
            spans.append(
                Span(
                    trace * 100 + number,
                    f"s{number}",
                    trace=trace,
                    parent=parent,
                    start_ms=trace,
                    attributes=attributes,
                    links=links,
                )
            )
        if draw(st.booleans()):
            spans.append(
                Log(
                    f"{trace}",
                    trace=draw(st.sampled_from([0, trace])),
                    attributes=draw(st.dictionaries(st.just("job.id"), values)),
                )
            )
        groups.append(spans)
    return groups


CONFIG = Config(correlation_keys=("own.key",))
# The traces and the log records of each instance.
MEMBERS = """
    SELECT list_sort(list(lower(hex(trace.trace_id)))) AS members
    FROM trace_instance JOIN trace USING (trace_no)
    GROUP BY instance_no ORDER BY members
"""
MEMBER_LOGS = """
    SELECT list_sort(list(log_no)) AS members
    FROM log_instance
    GROUP BY instance_no ORDER BY members
"""
TRACES = "SELECT DISTINCT lower(hex(trace_id)) AS id FROM stored.span"
LOGS = "SELECT log_no AS id FROM stored.log_record"
ORPHANS = "SELECT span_no FROM orphan ORDER BY span_no"
# What is said of an instance, without numbers that depend on what else there is.
SAID = """
    SELECT correlation_key, correlation_id, workflow, traces, spans, logs, outcome, background
    FROM workflow_instance
"""


def said(store: Store) -> tuple[list[list[set[object]]], set[object], set[object]]:
    """The members of the instances, the orphans, and what is said of the instances."""
    with Reader.of(store) as reader:
        rebuild(reader, CONFIG)
        members = [
            [set(row["members"]) for row in reader.rows(sql)] for sql in (MEMBERS, MEMBER_LOGS)
        ]
        orphans: set[object] = {row["span_no"] for row in reader.rows(ORPHANS)}
        return members, orphans, {tuple(row.values()) for row in reader.rows(SAID)}


@settings(max_examples=settings().max_examples // 20, phases=[Phase.generate])
@given(groups=runs(), share=st.floats(0.1, 0.9))
def test_what_is_left_is_whole_and_nothing_of_it_is_missed(
    groups: list[list[Span | Log]], share: float
) -> None:
    store = Store.in_memory()
    for hour, group in enumerate(groups):
        deliver(store, group, received_ns=RECEIVED_NS + hour * HOUR)
    members, orphans, instances = said(store)
    with Reader.of(store) as reader:
        derive_instances(reader, CONFIG.correlation_keys)
        assert [
            [set(row["members"]) for row in reader.rows(sql)] for sql in (MEMBERS, MEMBER_LOGS)
        ] == members
    with Reader.of(store) as reader:
        until_ns = RECEIVED_NS + 100 * HOUR
        slices = plan(reader, CONFIG.correlation_keys, until_ns=until_ns, share=share)
    for doomed in slices:
        assert store.prune(doomed, now_ns=RECEIVED_NS) is not None
    for whole, left in zip(
        members, (set(rest(store, TRACES)), set(rest(store, LOGS))), strict=True
    ):
        assert [instance for instance in whole if instance & left not in (set(), instance)] == []
    traces = set(rest(store, TRACES))
    gone = sum(not instance & traces for instance in members[0])
    assert gone == sum(doomed.instances for doomed in slices)
    _, orphans_left, instances_left = said(store)
    assert orphans_left == orphans & set(rest(store, "SELECT span_no FROM stored.span"))
    if not any(isinstance(record, Span) and record.links for group in groups for record in group):
        assert instances_left <= instances


@given(st.lists(st.integers(0, 20)), st.lists(st.integers(0, 25)), st.integers(0, 20))
def test_identities_that_are_removed_are_unknown(
    known: list[int], gone: list[int], at: int
) -> None:
    identities = Identities(np.array(known[:at], np.uint64))
    identities.add(np.array(known[at:], np.uint64))
    identities.remove(np.array(gone, np.uint64))
    found = identities.among(np.arange(26, dtype=np.uint64))
    assert set(np.flatnonzero(found).tolist()) == set(known) - set(gone)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=40))
def test_what_is_joined_at_any_remove_is_one(pairs: list[tuple[int, int]]) -> None:
    graph = nx.Graph(pairs)
    graph.add_nodes_from(range(31))
    one, other = (np.array([pair[end] for pair in pairs], np.int64) for end in (0, 1))
    groups = connected(one, other, 31).tolist()
    assert groups == [min(nx.node_connected_component(graph, node)) for node in range(31)]
