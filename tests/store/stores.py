"""Stores on disk for tests: filled, compared, and held by another process."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.workflow.drawn import Record, deliver

from tracejury.store.reader import Reader
from tracejury.store.writer import Store

ROOT = Path(__file__).parents[2]

_OWN = {
    "span_attribute": "SELECT span.identity, key, type, value"
    " FROM stored.span_attribute JOIN stored.span AS span USING (span_no)",
    "span_event": "SELECT span.identity, time_ns, event.name, event.dropped_attributes"
    " FROM stored.span_event AS event JOIN stored.span AS span USING (span_no)",
    "event_attribute": "SELECT span.identity, event.time_ns, event.name, key, type, value"
    " FROM stored.event_attribute JOIN stored.span_event AS event USING (event_no)"
    " JOIN stored.span AS span USING (span_no)",
    "span_link": "SELECT span.identity, link.* EXCLUDE (link_no, span_no)"
    " FROM stored.span_link AS link JOIN stored.span AS span USING (span_no)",
    "link_attribute": "SELECT span.identity, link.trace_id, link.span_id, key, type, value"
    " FROM stored.link_attribute JOIN stored.span_link AS link USING (link_no)"
    " JOIN stored.span AS span USING (span_no)",
    "log_attribute": "SELECT log.identity, key, type, value"
    " FROM stored.log_attribute JOIN stored.log_record AS log USING (log_no)",
    "span": "SELECT * EXCLUDE (span_no, request_no, received_ns) FROM stored.span",
    "log_record": "SELECT * EXCLUDE (log_no, request_no, received_ns) FROM stored.log_record",
    "metric": "FROM stored.metric",
    "metric_attribute": "FROM stored.metric_attribute",
    "metric_point": "SELECT * EXCLUDE (point_no, request_no, received_ns) FROM stored.metric_point",
    "point_attribute": "SELECT point.identity, key, type, value"
    " FROM stored.point_attribute JOIN stored.metric_point AS point USING (point_no)",
    "exemplar": "SELECT point.identity, exemplar.* EXCLUDE (exemplar_no, point_no)"
    " FROM stored.exemplar AS exemplar JOIN stored.metric_point AS point USING (point_no)",
    "exemplar_attribute": "SELECT point.identity, exemplar.time_ns, key, type, value"
    " FROM stored.exemplar_attribute JOIN stored.exemplar AS exemplar USING (exemplar_no)"
    " JOIN stored.metric_point AS point USING (point_no)",
    "resource": "FROM stored.resource",
    "resource_attribute": "FROM stored.resource_attribute",
    "scope": "FROM stored.scope",
    "scope_attribute": "FROM stored.scope_attribute",
}


def contents(reader: Reader) -> dict[str, Counter[tuple[Any, ...]]]:
    """Every stored table as a multiset, without row numbers and times of arrival."""
    return {
        table: Counter(tuple(map(_comparable, row.values())) for row in reader.rows(sql))
        for table, sql in _OWN.items()
    }


def _comparable(value: Any) -> Any:
    """The same, equal to itself and hashable."""
    if isinstance(value, list):
        return tuple(map(_comparable, value))
    return repr(value) if isinstance(value, float) else value


def contents_of(store: Store) -> dict[str, Counter[tuple[Any, ...]]]:
    with Reader.of(store) as reader:
        return contents(reader)


def counts(reader: Reader) -> tuple[int, int]:
    """Stored spans and log records."""
    [row] = reader.rows("""
        SELECT
            (SELECT count(*) FROM stored.span) AS spans,
            (SELECT count(*) FROM stored.log_record) AS logs
    """)
    return row["spans"], row["logs"]


def written(path: Path, *groups: list[Record]) -> Path:
    """A closed store with the records, each group as requests of its own."""
    with Store.open(path) as store:
        deliver(store, *groups)
    return path


@contextmanager
def elsewhere(code: str, *arguments: str | Path) -> Iterator["subprocess.Popen[str]"]:
    """Python code in another process, which says a line when it is ready and ends with stdin."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        raise AssertionError(process.communicate(timeout=60)[1])
    return line
