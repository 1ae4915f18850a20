"""What the bars of a waterfall tell beside how long a span took."""

import pytest
from tests.tui.requests import Log, Span, reader_of, trace_id

from tracejury.config import Config
from tracejury.store.reader import Reader
from tracejury.tui.detail_rows import span_rows
from tracejury.tui.waterfall_line import Scale, waterfall_line
from tracejury.tui.waterfall_rows import waterfall
from tracejury.workflow import browse
from tracejury.workflow.browse import OpenTrace
from tracejury.workflow.rebuild import prepare

RUN = [
    Span(1, name="job", start=0, end=4000),
    Span(2, name="load", parent=1, start=0, end=400),
    Span(3, name="store", parent=1, start=3600, end=4000),
]
LOGS = [Log("loaded", span=2, at=300), Log("stored", span=3, at=3700)]


@pytest.fixture(scope="module")
def run() -> Reader:
    reader = reader_of(RUN, LOGS)
    prepare(reader, Config())
    browse.prepare(reader)
    return reader


def opened(reader: Reader, *, whole: bool = False) -> OpenTrace:
    trace = browse.open_trace(reader, trace_id(1), whole_instance=whole)
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
    trace = opened(run)
    assert bars(trace)["job"] == "━━" + 20 * "░" + "━━"  # the ends are its children's
    assert "░" not in bars(trace)["load"]
    told = {row.name: row.value for row in span_rows(trace.spans[0], None, trace.logs)}
    assert told["gap"] == "3.2s from 08:00:00.400 that nothing accounts for"
    assert told["last line before"] == "08:00:00.300 worker INFO loaded"
    assert told["first line after"] == "08:00:03.700 worker INFO stored"
