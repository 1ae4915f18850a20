"""What spans show: that they made a call, logged a line, failed, were answered, lost a span.

A line is told by the place in the code that wrote it, else by its text without what varies in it.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracejury.store.reader import Reader

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

CALLS: Final = "calls"
LOGS: Final = "logs"
FAILS: Final = "fails"
ANSWERED: Final = "answered"
LOSES: Final = "loses"


@dataclass(frozen=True, slots=True)
class Item:
    """What a span can show or not; `callee` is who was called or lost a span, else ''."""

    kind: str
    text: str
    callee: str


@dataclass(frozen=True, slots=True)
class Shown:
    """Which span (its row number) showed which of `items`."""

    items: tuple[Item, ...]
    span_no: Ints
    item: Ints


def read_items(reader: Reader) -> Shown:
    """What each span of the store showed."""
    shown = reader.arrow(_SHOWN)
    span_no = shown["span_no"].to_numpy()
    kind, kinds = codes(shown["kind"])
    text, texts = codes(shown["what"])
    callee, callees = codes(shown["callee"])
    item, first = numbered(kind, text, callee)
    items = tuple(
        Item(kinds[k], texts[t], callees[c])
        for k, t, c in zip(kind[first], text[first], callee[first], strict=True)
    )
    return Shown(items, span_no, item)


def codes(column: pa.ChunkedArray) -> tuple[Ints, list[Any]]:
    """Each value's number, and the values by number, sorted."""
    encoded = pa.chunked_array(column).dictionary_encode().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([]).dictionary_encode()
    values = encoded.dictionary.to_pylist()
    order = sorted(range(len(values)), key=values.__getitem__)
    rank = np.empty(len(values), dtype=np.int64)
    rank[order] = np.arange(len(values))
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return (rank[codes] if len(values) else codes), [values[at] for at in order]


def numbered(*columns: Ints) -> tuple[Ints, Ints]:
    """The number of each row among the distinct ones, in their order, and where each is first."""
    row = np.zeros(len(columns[0]), dtype=np.int64)
    first = row[:0]
    for column in columns:
        values = int(column.max(initial=0)) + 1
        _, first, row = np.unique(row * values + column, return_index=True, return_inverse=True)
    return row.astype(np.int64), first


_SHOWN: Final = """
    WITH called AS (
        SELECT
            child.parent_no AS span_no,
            child.name AS what,
            coalesce(nullif(call.target, '?'), '') AS callee
        FROM node AS child
        JOIN node AS parent ON parent.span_no = child.parent_no
        LEFT JOIN external_call AS call ON call.span_no = child.span_no
        WHERE child.service = parent.service
    ),
    placed AS (
        SELECT
            log_no,
            any_value(value) FILTER (key IN ('code.file.path', 'code.filepath')) AS file,
            any_value(value) FILTER (key IN ('code.function.name', 'code.function')) AS function,
            any_value(value) FILTER (key IN ('code.line.number', 'code.lineno')) AS line
        FROM stored.log_attribute
        WHERE key LIKE 'code.%'
        GROUP BY log_no
    ),
    line AS (
        SELECT
            log_instance.span_no,
            coalesce(
                coalesce(placed.file, placed.function) || ':' || placed.line,
                nullif(regexp_extract(head, '[\\w.$]+(?:#|\\.[a-z]{1,5}:)\\d+', 0), ''),
                trim(regexp_replace(regexp_replace(
                    head,
                    '"[^"]*"|''[^'']*''|\\b[0-9a-fA-F]{8}[0-9a-fA-F-]*\\b', '*', 'g'),
                    '\\d+', '*', 'g'))
            ) AS what
        FROM log_instance
        JOIN (
            SELECT log_no, left(coalesce(body, event_name), 200) AS head
            FROM stored.log_record
        ) AS log USING (log_no)
        LEFT JOIN placed USING (log_no)
        WHERE log_instance.span_no IS NOT NULL
    ),
    answered AS (
        SELECT call.span_no, call.target
        FROM external_call AS call
        WHERE call.has_server_half AND call.target <> '?'
    ),
    -- What never arrived is told of the trace's first span: it happened somewhere below it.
    first AS (
        SELECT trace_no, arg_min(span_no, (start_ns, span_id)) AS span_no
        FROM node
        WHERE start_ns IS NOT NULL
        GROUP BY trace_no
    )
    SELECT DISTINCT span_no, 'calls' AS kind, what, callee FROM called
    UNION ALL
    SELECT DISTINCT span_no, 'logs', what, '' FROM line
    UNION ALL
    SELECT DISTINCT span_no, 'fails', error_type, ''
    FROM span_error
    UNION ALL
    SELECT span_no, 'answered', '', target FROM answered
    UNION ALL
    SELECT DISTINCT first.span_no, 'loses', ghost.name, ghost.service
    FROM ghost
    JOIN first USING (trace_no)
    WHERE ghost.service <> ''
"""
