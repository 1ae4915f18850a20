"""What the bars of a waterfall tell beside how long a span took."""

import pytest
from tests.tui.requests import Log, Span, reader_of, trace_id

from tracejury.config import Config
from tracejury.store.reader import Reader
from tracejury.tui.detail_rows import span_rows
from tracejury.tui.waterfall_line import Scale, waterfall_line
from tracejury.tui.waterfall_rows import waterfall
from tracejury.workflow.browse.opened_trace import OpenTrace, open_trace
from tracejury.workflow.browse.trace_list import summarise_traces
from tracejury.workflow.rebuild import prepare

RUN = [
    Span(1, name="job", start=0, end=4000),
    Span(2, name="load", parent=1, start=0, end=400),
    Span(3, name="store", parent=1, start=3600, end=4000),
]
QUEUED = [
    Span(11, trace=2, name="POST /jobs", service="web", kind="SERVER", end=20),
    Span(12, trace=2, parent=11, name="publish", service="web", kind="PRODUCER", start=10, end=15),
    Span(13, trace=2, parent=12, name="process", kind="CONSUMER", start=60, end=100),
    Span(14, trace=2, parent=11, name="after the answer", service="web", start=18, end=45),
    Span(21, trace=3, name="batch", kind="CONSUMER", start=120, end=160, links=((2, 12),)),
    Span(22, trace=3, parent=21, name="write", start=125, end=150),
]
LOGS = [Log("loaded", span=2, at=300), Log("stored", span=3, at=3700)]


@pytest.fixture(scope="module")
def run() -> Reader:
    reader = reader_of([*RUN, *QUEUED], LOGS)
    prepare(reader, Config())
    summarise_traces(reader)
    return reader


def opened(reader: Reader, number: int, *, whole: bool = False) -> OpenTrace:
    trace = open_trace(reader, trace_id(number), whole_instance=whole)
    assert trace is not None
    return trace


def bars(trace: OpenTrace) -> dict[str, str]:
    """The bar of each span by its name, 24 cells wide."""
    scale = Scale.of(trace)
    return {
        getattr(node.record, "name", ""): waterfall_line(node, "", scale, 80).plain[-24:]
        for node in waterfall(trace)
    }


def test_time_that_nothing_accounts_for_is_drawn_and_told(run: Reader) -> None:
    trace = opened(run, 1)
    assert bars(trace)["job"] == "━━" + 20 * "░" + "━━"  # the ends are its children's
    assert "░" not in bars(trace)["load"]
    told = {row.name: row.value for row in span_rows(trace.spans[0], None, trace.logs)}
    assert told["gap"] == "3.2s from 08:00:00.400 that nothing accounts for"
    assert told["last line before"] == "08:00:00.300 worker INFO loaded"
    assert told["first line after"] == "08:00:03.700 worker INFO stored"


def test_a_consumer_that_begins_later_is_drawn_with_its_wait(run: Reader) -> None:
    drawn = bars(opened(run, 2))
    assert drawn["publish"] == "  ██" + 20 * " "
    assert drawn["process"] == "   " + 11 * "┄" + 9 * "█" + "━"
    # What overlaps its parent waited for nothing.
    assert "┄" not in drawn["after the answer"]


def test_what_follows_by_a_link_lies_below_what_it_came_of(run: Reader) -> None:
    whole = opened(run, 2, whole=True)
    rows = [(getattr(node.record, "name", ""), node.depth) for node in waterfall(whole)]
    assert rows == [
        ("POST /jobs", 0),
        ("publish", 1),
        ("process", 2),
        ("batch", 2),
        ("write", 3),
        ("after the answer", 1),
    ]
    assert bars(whole)["batch"].strip("█━") == "  " + 16 * "┄"
    [line] = [
        waterfall_line(node, "", Scale.of(whole), 80).plain
        for node in waterfall(whole)
        if getattr(node.record, "name", "") == "batch"
    ]
    assert line.startswith(" ⇢◆")


def test_the_critical_path_follows_links(run: Reader) -> None:
    path = run.rows("""
        SELECT node.name, (critical.start_ns - instance.start_ns) / 1e6 AS from_ms
        FROM critical
        LEFT JOIN node USING (span_no)
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE instance.traces = 2
        ORDER BY critical.start_ns
    """)
    # The producer waited for both; nothing is left between the traces.
    assert [(row["name"], row["from_ms"]) for row in path] == [
        ("POST /jobs", 0),
        ("publish", 10),
        ("process", 60),
        ("publish", 100),
        ("batch", 120),
        ("write", 125),
        ("batch", 150),
    ]
