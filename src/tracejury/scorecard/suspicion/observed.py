"""What the spans of a store did, step by step, as columns: how long they took and what they showed.

A step is what spans share: service, name, kind, whom they call, and the operation of the service in
whose course they ran: the same query in the course of two requests is two steps.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tracejury.scorecard.suspicion.items import (
    FAILS,
    Floats,
    Ints,
    Item,
    codes,
    numbered,
    read_items,
)
from tracejury.store.reader import Reader

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
class Observed:
    """The spans in order of their start, and what they showed.

    `began_ns` is when the span's trace began. `time` is the logarithm of the own time, NaN where
    there is none; of a call whose message is taken later, of how long that took. `shown_by` are
    positions of spans, in order, beside the `item` each of them showed. `calls`: which service
    calls which. `answers`: by which step of the callee most spans of a calling step are answered.
    """

    steps: tuple[Step, ...]
    items: tuple[Item, ...]
    step: Ints
    trace: Ints
    start_ns: Ints
    began_ns: Ints
    time: Floats
    shown_by: Ints
    item: Ints
    calls: frozenset[tuple[str, str]]
    answers: dict[Step, str]


def observe(reader: Reader) -> Observed:
    """Read the spans of all workflow instances that are no background."""
    spans = reader.arrow(_SPANS, {"floor": FLOOR_NS})
    span_no = spans["span_no"].to_numpy()
    by_number = np.argsort(span_no, kind="stable")
    parent = _positions(spans["parent_no"].to_numpy(), span_no, by_number)
    service, services = codes(spans["service"])
    name, names = codes(spans["name"])
    kind, kinds = codes(spans["kind"])
    callee, callees = codes(spans["callee"])
    is_entry = spans["is_entry"].to_numpy(zero_copy_only=False)
    operation = name[_tops(parent, service, is_entry)]
    step, first = numbered(service, name, kind, callee, operation)
    steps = tuple(
        Step(services[s], names[n], kinds[k], callees[c], names[o])
        for s, n, k, c, o in zip(
            *(column[first] for column in (service, name, kind, callee, operation)), strict=True
        )
    )
    handles = spans["handles"].to_numpy(zero_copy_only=False)
    shown = read_items(reader)
    fails = np.array([item.kind == FAILS for item in shown.items], dtype=bool)
    shown_by = _positions(shown.span_no, span_no, by_number)
    order = np.argsort(shown_by, kind="stable")
    order = order[shown_by[order] >= 0]
    order = order[~(handles[shown_by[order]] & fails[shown.item[order]])]
    trace, start_ns = spans["trace_no"].to_numpy(), spans["start_ns"].to_numpy()
    return Observed(
        steps=steps,
        items=shown.items,
        step=step,
        trace=trace,
        start_ns=start_ns,
        began_ns=_began(trace, start_ns),
        time=np.where(handles, np.nan, spans["time"].to_numpy(zero_copy_only=False)),
        shown_by=shown_by[order],
        item=shown.item[order],
        calls=_calls(steps, service, services, parent),
        answers=_answers(steps, step, parent, is_entry),
    )


def _began(trace: Ints, start_ns: Ints) -> Ints:
    """When the trace of each span began; the spans are in order."""
    _, first, row = np.unique(trace, return_index=True, return_inverse=True)
    return start_ns[first][row]


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
    caller, callee = service[parent[crosses]], service[crosses]
    _, first = numbered(caller, callee)
    found = {(services[caller[at]], services[callee[at]]) for at in first}
    return frozenset(found | {(step.service, step.callee) for step in steps if step.callee})


def _answers(
    steps: tuple[Step, ...], step: Ints, parent: Ints, is_entry: NDArray[np.bool_]
) -> dict[Step, str]:
    answering = np.flatnonzero(is_entry & (parent >= 0))
    calling, answer = step[parent[answering]], step[answering]
    pair, first = numbered(calling, answer)
    often = np.argsort(np.bincount(pair, minlength=len(first)), kind="stable")
    pairs = zip(calling[first[often]].tolist(), answer[first[often]].tolist(), strict=True)
    # The most frequent comes last, and stays.
    return {
        steps[one]: steps[other].name
        for one, other in pairs
        if steps[one].callee == steps[other].service
    }


_SPANS: Final = """
    WITH half AS (
        SELECT parent_no AS span_no, max(duration_ns) AS duration_ns
        FROM node
        WHERE kind IN ('SERVER', 'CONSUMER') AND parent_no IS NOT NULL
        GROUP BY parent_no
    ),
    taken AS (
        SELECT creation_no AS span_no, min(start_ns) AS start_ns
        FROM delivery
        WHERE creation_no IS NOT NULL
        GROUP BY creation_no
    ),
    -- Whoever called what failed handles a failure: its time and its error are not its own.
    handling AS (
        SELECT DISTINCT node.parent_no AS span_no
        FROM span_error AS error
        JOIN node USING (span_no)
        WHERE NOT error.by_log AND node.parent_no IS NOT NULL
    )
    SELECT
        node.span_no,
        node.trace_no,
        coalesce(node.parent_no, -1) AS parent_no,
        node.service,
        node.name,
        node.kind,
        node.kind IN ('SERVER', 'CONSUMER') AS is_entry,
        handling.span_no IS NOT NULL AS handles,
        coalesce(nullif(call.target, '?'), '') AS callee,
        node.start_ns,
        -- A call's own time is what its callee does not account for; a message's is its wait.
        ln($floor + CASE
            WHEN call.target <> '?' AND node.kind = 'PRODUCER'
            THEN greatest(taken.start_ns - node.end_ns, 0)
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
    LEFT JOIN taken ON taken.span_no = node.span_no
    LEFT JOIN handling ON handling.span_no = node.span_no
    WHERE NOT instance.background AND node.start_ns IS NOT NULL
    ORDER BY node.start_ns, node.span_no
"""
