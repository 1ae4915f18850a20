"""What the spans of a store did, step by step, as columns: how long they took and what they showed.

A step is what spans share: service, name, kind, whom they call, and the operation of the service in
whose course they ran (the same query in the course of two requests is two steps). An item is what a
span can show or not: that it made a call, logged a line, failed, was answered.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracejury.store.reader import Reader

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# What a span can show.
CALLS: Final = "calls"
LOGS: Final = "logs"
FAILS: Final = "fails"
ANSWERED: Final = "answered"
LOSES: Final = "loses"

# Added to every own time before its logarithm: what takes less differs by chance alone.
FLOOR_NS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Step:
    """What spans are compared by. `callee` is '' where they call nobody that is known."""

    service: str
    name: str
    kind: str
    callee: str
    operation: str


@dataclass(frozen=True, slots=True)
class Item:
    """What a span of a step can show; `callee` is who was called or lost a span, else ''."""

    kind: str
    text: str
    callee: str


@dataclass(frozen=True, slots=True)
class Observed:
    """The spans in order of their start, and what they showed.

    `time` is the logarithm of the own time, NaN where there is none. `shown_by` are positions of
    spans, in order, beside the `item` each of them showed. `calls`: which service calls which.
    """

    steps: tuple[Step, ...]
    items: tuple[Item, ...]
    step: Ints
    trace: Ints
    start_ns: Ints
    time: Floats
    shown_by: Ints
    item: Ints
    calls: frozenset[tuple[str, str]]


def observe(reader: Reader) -> Observed:
    """Read the spans of all workflow instances that are no background."""
    spans = reader.arrow(_SPANS, {"floor": FLOOR_NS})
    span_no = spans["span_no"].to_numpy()
    by_number = np.argsort(span_no, kind="stable")
    parent = _positions(spans["parent_no"].to_numpy(), span_no, by_number)
    service, services = _codes(spans["service"])
    name, names = _codes(spans["name"])
    kind, kinds = _codes(spans["kind"])
    callee, callees = _codes(spans["callee"])
    operation = name[_tops(parent, service, spans["is_entry"].to_numpy(zero_copy_only=False))]
    distinct, step = np.unique(
        np.stack([service, name, kind, callee, operation]), axis=1, return_inverse=True
    )
    steps = tuple(
        Step(services[s], names[n], kinds[k], callees[c], names[o])
        for s, n, k, c, o in distinct.T.tolist()
    )
    shown = reader.arrow(_SHOWN)
    items, item = _items(shown)
    shown_by = _positions(shown["span_no"].to_numpy(), span_no, by_number)
    order = np.argsort(shown_by, kind="stable")
    order = order[shown_by[order] >= 0]
    return Observed(
        steps=steps,
        items=items,
        step=step.reshape(-1).astype(np.int64),
        trace=spans["trace_no"].to_numpy(),
        start_ns=spans["start_ns"].to_numpy(),
        time=spans["time"].to_numpy(zero_copy_only=False),
        shown_by=shown_by[order],
        item=item[order],
        calls=_calls(steps, service, services, parent),
    )


def _items(shown: pa.Table) -> tuple[tuple[Item, ...], Ints]:
    kind, kinds = _codes(shown["kind"])
    text, texts = _codes(shown["what"])
    callee, callees = _codes(shown["callee"])
    if not len(kind):
        return (), np.empty(0, dtype=np.int64)
    distinct, item = np.unique(np.stack([kind, text, callee]), axis=1, return_inverse=True)
    found = tuple(Item(kinds[k], texts[t], callees[c]) for k, t, c in distinct.T.tolist())
    return found, item.reshape(-1).astype(np.int64)


def _codes(column: pa.ChunkedArray) -> tuple[Ints, list[Any]]:
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


def _positions(numbers: Ints, known: Ints, order: Ints) -> Ints:
    """Where `numbers` stand in `known`, which `order` sorts; -1 for what is not there."""
    if not len(known):
        return np.full(len(numbers), -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(known, numbers, sorter=order), len(known) - 1)
    return np.where(known[order[at]] == numbers, order[at], -1)


def _tops(parent: Ints, service: Ints, is_entry: NDArray[np.bool_]) -> Ints:
    """For each span the one in whose course its service ran it: itself, if that is where it began.

    Doubles the distance at every turn; what stands in a cycle ends anywhere in it.
    """
    own = np.arange(len(parent))
    stays = is_entry | (parent < 0) | (service[parent] != service)
    above = np.where(stays, own, parent)
    for _ in range(len(parent).bit_length()):
        further = above[above]
        if np.array_equal(further, above):
            break
        above = further
    return above


def _calls(
    steps: tuple[Step, ...], service: Ints, services: list[str], parent: Ints
) -> frozenset[tuple[str, str]]:
    """Who calls whom: by parent and child of two services, and by the target of a call."""
    crosses = (parent >= 0) & (service[parent] != service)
    pairs = np.unique(np.stack([service[parent[crosses]], service[crosses]]), axis=1)
    found = {(services[caller], services[callee]) for caller, callee in pairs.T.tolist()}
    return frozenset(found | {(step.service, step.callee) for step in steps if step.callee})


_SPANS: Final = """
    WITH half AS (
        SELECT parent_no AS span_no, max(duration_ns) AS duration_ns
        FROM node
        WHERE kind IN ('SERVER', 'CONSUMER') AND parent_no IS NOT NULL
        GROUP BY parent_no
    )
    SELECT
        node.span_no,
        node.trace_no,
        coalesce(node.parent_no, -1) AS parent_no,
        node.service,
        node.name,
        node.kind,
        node.kind IN ('SERVER', 'CONSUMER') AS is_entry,
        coalesce(nullif(call.target, '?'), '') AS callee,
        node.start_ns,
        -- A call's own time is what its callee does not account for.
        ln($floor + CASE
            WHEN call.target <> '?'
            THEN greatest(node.duration_ns - coalesce(half.duration_ns, 0), 0)
            ELSE greatest(self_time.self_ns, 0)
        END)::DOUBLE AS time
    FROM node
    JOIN trace_instance ON trace_instance.trace_no = node.trace_no
    JOIN workflow_instance AS instance ON instance.instance_no = trace_instance.instance_no
    LEFT JOIN self_time ON self_time.span_no = node.span_no
    LEFT JOIN external_call AS call ON call.span_no = node.span_no
    LEFT JOIN half ON half.span_no = node.span_no
    WHERE NOT instance.background AND node.start_ns IS NOT NULL
    ORDER BY node.start_ns, node.span_no
"""

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
    -- A line is told by the place in the code that wrote it, else by its text without what varies.
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
        SELECT trace_no, arg_min(span_no, (start_ns, span_no)) AS span_no
        FROM node
        WHERE start_ns IS NOT NULL
        GROUP BY trace_no
    )
    SELECT DISTINCT span_no, 'calls' AS kind, what, callee FROM called
    UNION ALL
    SELECT DISTINCT span_no, 'logs', what, '' FROM line
    UNION ALL
    SELECT DISTINCT span_no, 'fails', error_type, '' FROM span_error
    UNION ALL
    SELECT span_no, 'answered', '', target FROM answered
    UNION ALL
    SELECT DISTINCT first.span_no, 'loses', ghost.name, ghost.service
    FROM ghost
    JOIN first USING (trace_no)
    WHERE ghost.service <> ''
"""
