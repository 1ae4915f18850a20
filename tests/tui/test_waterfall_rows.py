"""Every span that was stored is a row of its trace's waterfall, once, whatever its shape."""

from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.samples.recorded import recording, stored
from tests.shared_data import shared_data
from tests.tui.odd_run import ODD, ODD_LOGS, ODD_TRACE
from tests.tui.requests import Span, reader_of, trace_id

from tracejury.config import Config
from tracejury.errors import InputError
from tracejury.receiver.import_files import import_file
from tracejury.store.reader import Reader
from tracejury.store.writer import Store
from tracejury.tui.tree import Node, nodes, unfolded, with_ancestors
from tracejury.tui.waterfall_line import Scale
from tracejury.tui.waterfall_rows import Record, name_of, waterfall
from tracejury.workflow.browse.log_records import LogLine
from tracejury.workflow.browse.opened_trace import GhostSpan, OpenTrace, TraceSpan, open_trace
from tracejury.workflow.browse.trace_list import summarise_traces
from tracejury.workflow.rebuild import prepare

RANDOM_TRACES = 12


@pytest.fixture(scope="module")
def odd_trace() -> OpenTrace:
    return opened(prepared(reader_of(ODD, ODD_LOGS)), ODD_TRACE)


def opened(reader: Reader, number: int) -> OpenTrace:
    found = open_trace(reader, trace_id(number))
    assert found is not None
    return found


def prepared(reader: Reader) -> Reader:
    prepare(reader, Config())
    summarise_traces(reader)
    return reader


def span_names(tree: tuple[Node[Record], ...]) -> list[str]:
    return [node.record.name for node in tree if isinstance(node.record, TraceSpan)]


def test_every_span_of_an_odd_trace_is_shown_once(odd_trace: OpenTrace) -> None:
    tree = waterfall(odd_trace)

    sent = [span.name for span in ODD if span.trace == ODD_TRACE]
    assert sorted(span_names(tree)) == sorted(sent)


traces = st.lists(
    st.lists(st.tuples(st.integers(1, 8), st.integers(0, 11)), min_size=1, max_size=15),
    min_size=1,
    max_size=RANDOM_TRACES,
)


@given(traces)
@settings(max_examples=settings().max_examples // 25)
def test_every_span_of_any_trace_is_shown_once(shapes: list[list[tuple[int, int]]]) -> None:
    """Orphans, cycles, parents of themselves, and several spans with one id."""
    last = len(shapes)
    spans = [
        # The first of each trace links to the next one, and of the last to the first.
        Span(
            number, parent, f"{at}", trace=trace, start=number,
            links=() if at else ((trace % last + 1, number),),
        )
        for trace, shape in enumerate(shapes, 1)
        for at, (number, parent) in enumerate(shape)
    ]  # fmt: skip
    reader = prepared(reader_of([*spans, *spans[::3]]))
    for trace in range(1, len(shapes) + 1):
        sent = Counter(span.name for span in spans if span.trace == trace)
        assert Counter(span_names(waterfall(opened(reader, trace)))) == sent
    whole = open_trace(reader, trace_id(1), whole_instance=True)
    assert whole is not None
    shown = [node.record for node in waterfall(whole) if isinstance(node.record, TraceSpan)]
    assert sorted(shown) == sorted(whole.spans)


def test_every_span_of_a_recorded_run_is_shown_once() -> None:
    run = recording("worker-kill")
    sent = Counter(span["traceId"] for span in run.spans())
    reader = prepared(stored(run))
    traces = {trace: open_trace(reader, trace) for trace in sent}
    shown = {trace: len(span_names(waterfall(found))) for trace, found in traces.items() if found}
    assert shown == sent
    # Celery's workers begin when the request that sent the job has been answered.
    begun_later = {
        span.name
        for found in traces.values()
        if found
        for span in found.spans
        if span.span_no in Scale.of(found).waits and span.kind == "CONSUMER"
    }
    assert "run/generate_assets" in begun_later
    holes = reader.value("""
        SELECT count(*)
        FROM (
            SELECT instance_no, sum(end_ns - start_ns) AS path_ns
            FROM critical
            GROUP BY instance_no
        ) AS path
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE path.path_ns <> instance.end_ns - instance.start_ns
    """)
    assert holes == 0


def test_orphans_of_one_parent_lie_below_one_ghost_with_its_logs(odd_trace: OpenTrace) -> None:
    tree = waterfall(odd_trace)

    index = next(i for i, node in enumerate(tree) if isinstance(node.record, GhostSpan))
    below = tree[index + 1 : index + tree[index].size]
    assert [node.depth for node in below] == [1, 1, 1]
    assert [span.name for node in below if isinstance(span := node.record, TraceSpan)] == [
        "orphan one",
        "orphan two",
    ]
    assert [log.body for node in below if isinstance(log := node.record, LogLine)] == [
        "I was there"
    ]


def test_a_chain_of_ten_thousand_spans_needs_no_recursion() -> None:
    spans = [Span(number, number - 1, trace=3) for number in range(1, 10_001)]
    tree = waterfall(opened(prepared(reader_of(spans)), 3))
    assert tree[-1].depth == 9_999
    assert [node.size for node in tree[:2]] == [10_000, 9_999]


def test_folding_hides_what_lies_below() -> None:
    tree = nodes([("a", 0), ("b", 1), ("c", 2), ("d", 1), ("e", 0)])
    assert [node.size for node in tree] == [4, 2, 1, 1, 1]
    shown = unfolded(tree, {"b"}, lambda record: record)
    assert [node.record for node in shown] == ["a", "b", "d", "e"]


def test_a_filter_keeps_what_lies_above_a_match() -> None:
    tree = nodes([("a", 0), ("b", 1), ("c", 2), ("d", 1), ("e", 0)])
    kept = with_ancestors(tree, lambda record: record == "c")
    assert [(node.record, node.size) for node in kept] == [("a", 3), ("b", 2), ("c", 1)]


def test_names_tell_all_rows_apart(odd_trace: OpenTrace) -> None:
    tree = waterfall(odd_trace)
    assert len({name_of(node.record) for node in tree}) == len(tree)


def test_every_span_of_other_peoples_files_is_shown_once(tmp_path: Path) -> None:
    files = sorted(path for path in shared_data("otlp-fixtures").rglob("*") if path.is_file())
    with Store.open(tmp_path / "all.duckdb", kind="import") as store:
        for path in files:
            with suppress(InputError):
                import_file(store, path)
    with Reader.open(tmp_path / "all.duckdb") as reader:
        prepared(reader)
        kept = {
            row["trace_id"]: row["spans"]
            for row in reader.rows("SELECT trace_id, count(*) AS spans FROM span GROUP BY trace_id")
        }
        opened_traces = (open_trace(reader, trace) for trace in kept)
        shown = {
            found.trace_id: len(span_names(waterfall(found))) for found in opened_traces if found
        }
        arrived = reader.value("""
            SELECT sum(received - rejected - duplicates)
            FROM stored.delivery
            WHERE signal = 'traces'
        """)
    assert shown == kept != {}
    assert sum(kept.values()) == arrived
