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
        "earlier": 0,
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
    send(store, STARTED, CUMULATIVE, [(drawn.START_NS, LATER, 10, SAMPLED)])
    send(store, LIVE, CUMULATIVE, [(drawn.START_NS, LATER, 1, "")])
    drawn.deliver(store, [drawn.Span(1)])
    assert counted(store)[0]["absent"] == 9
    with Reader.of(store) as reader:
        [doomed] = [part for part in plan(reader, (), until_ns=2**63) if part.instances]
    assert store.prune(doomed, now_ns=1) is not None
    assert counted(store)[0]["absent"] is None


SECOND = 10**9


@pytest.mark.parametrize(
    ("began_s", "counts", "earlier", "absent", "missing"),
    [
        # It had reported every five seconds to somebody else. Of the first report three are here.
        (-600, {2: 600, 7: 604, 12: 610}, 597, 10, None),
        (-600, {2: 3, 7: 4, 12: 10}, 0, 7, 7),
        # The first report is the first that it made.
        (-2, {3: 600, 8: 604, 12: 610}, 0, 607, 607),
        # A single report, within the minute by which reports come: nothing went elsewhere.
        (-30, {10: 5}, 0, 2, 2),
        (-600, {10: 5}, 2, 0, None),
    ],
)
def test_what_a_process_had_sent_before_the_run_is_not_missing(
    store: Store,
    began_s: int,
    counts: dict[int, int],
    earlier: int,
    absent: int,
    missing: int | None,
) -> None:
    began = drawn.START_NS + began_s * SECOND
    points = [(began, drawn.START_NS + at * SECOND, n, SAMPLED) for at, n in counts.items()]
    send(store, STARTED, CUMULATIVE, points)
    send(store, LIVE, CUMULATIVE, [(start, at, 0, SAMPLED) for start, at, _, _ in points])
    own = {"service.instance.id": "a"}
    drawn.deliver(store, [drawn.Span(number, resource=own) for number in (1, 2, 3)])
    [row] = counted(store)
    assert (row["earlier"], row["absent"], row["missing"]) == (earlier, absent, missing)
    assert row["started"] == max(counts.values()) - earlier


def test_a_process_that_began_while_others_were_heard_had_sent_nothing_elsewhere(
    store: Store,
) -> None:
    """What it did before its first report is lost, however late that comes."""
    began = drawn.START_NS + 600 * SECOND
    points = [(began, began + at * SECOND, n, SAMPLED) for at, n in ((300, 9), (305, 9))]
    send(store, STARTED, CUMULATIVE, points)
    send(store, LIVE, CUMULATIVE, [(start, at, 0, SAMPLED) for start, at, _, _ in points])
    drawn.deliver(store, [drawn.Span(1, service="other")])
    [row] = counted(store)
    assert (row["earlier"], row["started"], row["absent"]) == (0, 9, 9)


def test_what_was_dropped_before_the_run_was_not_dropped_in_it(store: Store) -> None:
    began, first = drawn.START_NS - 600 * SECOND, drawn.START_NS + SECOND
    for metric, reason, counts in (
        (STARTED, SAMPLED, (100, 110)),
        (STARTED, "DROP", (50, 54)),
        (LIVE, SAMPLED, (0, 0)),
        (PROCESSED, "", (80, 86)),
        (PROCESSED, "queue_full", (20, 23)),
    ):
        times = (first, first + 5 * SECOND)
        points = [(began, at, n, reason) for at, n in zip(times, counts, strict=True)]
        send(store, metric, CUMULATIVE, points)
    [row] = counted(store)
    assert (row["started"], row["unsampled"], row["processed"]) == (10, 4, 6)
    assert (row["dropped"], row["overflowed"], row["absent"]) == (3, 3, 10)
    with Reader.of(store) as reader:
        prepare(reader, Config())
        [unit] = dropped_records.judge(Evidence(reader, Config(), has_baseline=False)).units
    assert [finding.message for finding in unit.findings] == [
        "shop dropped 3 spans by its SDK's own count: queue_full.",
        "shop ended 10 spans by its SDK's own count, of which 10 never arrived.",
    ]


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
