"""What SDKs count of their own spans, read from their self-metrics."""

from collections.abc import Iterator

import pytest
from tests.workflow import drawn
from tests.workflow.self_metrics import (
    CUMULATIVE,
    DELTA,
    LIVE,
    PROCESSED,
    SAMPLED,
    STARTED,
    Point,
    send,
)

from tracejury.checks.evidence import Evidence
from tracejury.checks.ingest import dropped_records
from tracejury.config import Config
from tracejury.scorecard.trust import trust
from tracejury.store.pruning import plan
from tracejury.store.reader import Reader, Row
from tracejury.store.writer import Store
from tracejury.workflow.rebuild import prepare

LATER = drawn.RECEIVED_NS  # than every span that is drawn


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.in_memory() as opened:
        yield opened


def counted(store: Store) -> list[Row]:
    with Reader.of(store) as reader:
        prepare(reader, Config())
        return reader.rows("FROM sdk_instance ORDER BY instance_id")


def started(store: Store) -> list[int | None]:
    return [row["started"] for row in counted(store)]


@pytest.mark.parametrize(
    ("temporality", "points", "expected"),
    [
        (CUMULATIVE, [(1, 2, 10, SAMPLED), (1, 3, 15, SAMPLED)], 15),
        (CUMULATIVE, [(1, 3, 15, SAMPLED), (1, 2, 10, SAMPLED)], 15),
        (DELTA, [(1, 2, 10, SAMPLED), (2, 3, 15, SAMPLED)], 25),
        # A reset, told by its start or, where none was sent, by the fall.
        (CUMULATIVE, [(1, 2, 10, SAMPLED), (5, 6, 4, SAMPLED)], 14),
        (CUMULATIVE, [(0, 2, 10, SAMPLED), (0, 3, 4, SAMPLED), (0, 4, 6, SAMPLED)], 16),
    ],
)
def test_what_was_started_is_counted_over_the_whole_run(
    store: Store, temporality: int, points: list[Point], expected: int
) -> None:
    send(store, STARTED, temporality, points)
    assert started(store) == [expected]


@pytest.mark.parametrize(
    ("points", "missing"),
    [
        ([(1, 2, 4, SAMPLED), (2, LATER, 5, SAMPLED)], 9),
        # Another stream of the process tells that nothing of this one was to be said.
        ([(1, 2, 4, SAMPLED), (2, 3, 7, "DROP"), (3, LATER, 5, SAMPLED)], 9),
        ([(1, 2, 4, SAMPLED), (3, LATER, 5, SAMPLED)], None),
        ([(0, 2, 4, SAMPLED), (0, LATER, 5, SAMPLED)], None),
    ],
)
def test_a_lost_report_of_delta_temporality_leaves_no_exact_count(
    store: Store, points: list[Point], missing: int | None
) -> None:
    send(store, STARTED, DELTA, points)
    send(store, LIVE, CUMULATIVE, [(1, LATER, 0, SAMPLED)])
    [row] = counted(store)
    assert (row["started"], row["absent"], row["missing"]) == (9, 9, missing)


def test_processes_count_apart(store: Store) -> None:
    send(store, STARTED, CUMULATIVE, [(1, 2, 10, SAMPLED)], instance="a")
    send(store, STARTED, CUMULATIVE, [(7, 8, 3, SAMPLED)], instance="b")
    assert started(store) == [10, 3]
    with Reader.of(store) as reader:
        prepare(reader, Config())
        assert trust(reader, ()).started_by_sdk == 13


def test_every_count_has_its_column(store: Store) -> None:
    send(store, STARTED, CUMULATIVE, [(1, 2, 10, SAMPLED), (1, 2, 7, "DROP")])
    send(store, LIVE, CUMULATIVE, [(1, 2, 3, ""), (1, 3, 1, "")])
    send(store, PROCESSED, DELTA, [(1, 2, 3, "queue_full"), (2, 3, 4, "queue_full"), (1, 2, 2, "")])
    [row] = counted(store)
    assert row == {
        "service": "shop",
        "instance_id": "a",
        "counted_ns": 2,
        "started": 10,
        "unsampled": 7,
        "live": 1,
        "processed": 2,
        "dropped": 7,
        "stored": 0,
        "absent": 9,
        "overflowed": 7,
        "unended": 1,
        "missing": 9,
    }


def test_what_was_pruned_does_not_count_as_missing(store: Store) -> None:
    send(store, STARTED, CUMULATIVE, [(1, LATER, 10, SAMPLED)])
    send(store, LIVE, CUMULATIVE, [(1, LATER, 1, "")])
    drawn.deliver(store, [drawn.Span(1)])
    assert counted(store)[0]["absent"] == 9
    with Reader.of(store) as reader:
        [doomed] = [part for part in plan(reader, (), until_ns=2**63) if part.instances]
    assert store.prune(doomed, now_ns=1) is not None
    assert counted(store)[0]["absent"] is None


def test_without_self_metrics_nothing_is_counted_and_nothing_is_zero(store: Store) -> None:
    send(store, "queue.depth", CUMULATIVE, [(1, 2, 10, "")])
    assert counted(store) == []
    with Reader.of(store) as reader:
        prepare(reader, Config())
        assert trust(reader, ()).started_by_sdk is None


def test_what_was_not_counted_is_unknown(store: Store) -> None:
    send(store, LIVE, CUMULATIVE, [(1, 2, 3, "")])
    [row] = counted(store)
    assert (row["started"], row["dropped"], row["live"]) == (None, None, 3)


def test_what_a_processor_dropped_is_a_finding(store: Store) -> None:
    send(store, PROCESSED, DELTA, [(1, 2, 3, "queue_full"), (2, 3, 4, "queue_full")])
    with Reader.of(store) as reader:
        prepare(reader, Config())
        [unit] = dropped_records.judge(Evidence(reader, Config(), has_baseline=False)).units
    assert [finding.message for finding in unit.findings] == [
        "shop dropped 7 spans by its SDK's own count: queue_full."
    ]
