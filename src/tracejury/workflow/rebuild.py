"""Rebuild what happened: from the stored rows to workflow instances, steps, calls and ghosts.

Every stage is derived when something first reads from it. Some are computed on whole columns here,
because they follow pointers.
"""

import time
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from itertools import chain
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracejury.config import Config, Policy
from tracejury.store.instances import register_components, register_correlation_keys
from tracejury.store.reader import Reader, definitions
from tracejury.telemetry import lexicon, semconv
from tracejury.workflow import faults, stopwatch
from tracejury.workflow.baseline import Baseline
from tracejury.workflow.critical_path import Ints, critical_path, lay_out
from tracejury.workflow.faults import Fault
from tracejury.workflow.forest import below_links, build_forest, depths, positions_of
from tracejury.workflow.renamed import renamed_services
from tracejury.workflow.self_time import self_times
from tracejury.workflow.span_fields import span_fields
from tracejury.workflow.state_rows import no_state_rows
from tracejury.workflow.stopwatch import Measurement
from tracejury.workflow.terminal_errors import find_terminal_errors
from tracejury.workflow.what_if import what_if


def prepare(
    reader: Reader,
    config: Config,
    *,
    injected: tuple[Fault, ...] = (),
    baseline: Baseline | None = None,
    state_rows: pa.Table | None = None,
    measured: tuple[Measurement, ...] = (),
) -> None:
    """Have every view and table of `reader`'s store derived when it is first read from.

    `injected` are the faults of the run, `baseline` what a clean run taught, `state_rows` what the
    system's own database says, `measured` how long persons took to find roots.
    """
    reader.register("sent_state_row", no_state_rows() if state_rows is None else state_rows)
    reader.register("measured_diagnosis", stopwatch.as_table(measured))
    _register_inputs(reader, config, injected, baseline or Baseline.empty())
    for name in definitions():
        reader.promise(partial(reader.derive, name), name)
    for compute, names in _COMPUTED.items():
        reader.promise(partial(compute, reader), *names)


def rebuild(
    reader: Reader,
    config: Config,
    *,
    injected: tuple[Fault, ...] = (),
    baseline: Baseline | None = None,
) -> None:
    """Derive every view and table at once, for who may ask for any."""
    prepare(reader, config, injected=injected, baseline=baseline)
    reader.fulfil((*definitions(), *chain.from_iterable(_COMPUTED.values())))


def _register_inputs(
    reader: Reader, config: Config, injected: tuple[Fault, ...], baseline: Baseline
) -> None:
    reader.register("field_key", _field_keys())
    register_correlation_keys(reader, config.correlation_keys)
    for name, table in _lexicons(config).items():
        reader.promise(partial(reader.register, name, table), name)
    reader.register("bound", _bounds(config.policy))
    reader.register("declared_budget", _budgets(config))
    reader.register("declared_step", _declared_steps(config))
    reader.register("fault", faults.as_table(injected))
    reader.register("settled_before", _settled_before(reader, config.policy))
    reader.promise(partial(_clean_run, reader, baseline), "renamed_service", *baseline.tables())


def _clean_run(reader: Reader, baseline: Baseline) -> None:
    """What the clean run taught, of services by the names that they have in this one."""
    names = renamed_services(reader, baseline)
    reader.register(
        "renamed_service",
        pa.table(
            {
                "was": pa.array(names.keys(), pa.string()),
                "service": pa.array(names.values(), pa.string()),
            }
        ),
    )
    for name, table in baseline.renamed(names).tables().items():
        reader.register(name, table)


def _field_keys() -> pa.Table:
    rows = [
        {"key": key, "field": field, "priority": priority}
        for field, keys in semconv.FIELD_KEYS.items()
        for priority, key in enumerate(keys)
    ]
    return pa.Table.from_pylist(rows)


def _lexicons(config: Config) -> dict[str, pa.Table]:
    """The keys and words that name items, states and errors."""
    keys = [{"key": key, "level": level} for key, level in semconv.STATE_KEYS.items()]
    words = [
        {"word": word, "state": state, "is_final": state in semconv.FINAL_STATES}
        for word, state in semconv.STATES.items()
    ]
    errors = [
        {"class": name, "word": word} for name, words in lexicon.TYPES.items() for word in words
    ]
    patterns = [
        {"class": name, "pattern": f"(?i){pattern.pattern}"}
        for name, pattern in lexicon.MESSAGES.items()
    ]
    named = {"item_key": _item_keys(config), "state_key": keys, "state_word": words}
    named |= {"error_word": errors, "error_pattern": patterns}
    return {name: pa.Table.from_pylist(rows) for name, rows in named.items()}


def _item_keys(config: Config) -> list[dict[str, object]]:
    """The keys that name items, those first that a workflow declares for its own."""
    declared = [(flow.items, flow.name) for flow in config.workflows if flow.items]
    known = [(key, "") for key in semconv.ITEM_KEYS]
    return [
        {"sent_as": prefix + key, "key": key, "rank": rank, "workflow": workflow}
        for rank, (key, workflow) in enumerate([*declared, *known])
        for prefix in ("", semconv.BAGGAGE_PREFIX)
    ]


def _bounds(policy: Policy) -> pa.Table:
    return pa.Table.from_pylist(
        [{"name": bound.name, "value": getattr(policy, bound.name)} for bound in fields(policy)]
    )


def _budgets(config: Config) -> pa.Table:
    """How long steps may take, by the names they were declared under."""
    schema = pa.schema(
        [("workflow", pa.string()), ("step", pa.string()), ("budget_ms", pa.float64())]
    )
    rows = [
        {"workflow": workflow.name, "step": step, "budget_ms": 1000 * seconds}
        for workflow in config.workflows
        for step, seconds in workflow.step_seconds
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def _declared_steps(config: Config) -> pa.Table:
    """The steps that workflows are declared to have, and not as optional; service '' is any."""
    schema = pa.schema([(name, pa.string()) for name in ("workflow", "service", "name")])
    rows = []
    for workflow in config.workflows:
        for step in workflow.steps:
            if step not in workflow.optional:
                service, colon, name = step.partition(": ")
                named = (
                    {"service": service, "name": name} if colon else {"service": "", "name": step}
                )
                rows.append({"workflow": workflow.name, **named})
    return pa.Table.from_pylist(rows, schema=schema)


def _settled_before(reader: Reader, policy: Policy) -> pa.Table:
    """Up to which time of arrival nothing more can come: always, once every writer ended."""
    is_open = bool(reader.value("SELECT count(*) > 0 FROM stored.session WHERE ended_ns IS NULL"))
    limit = time.time_ns() - int(policy.settle_seconds * 1e9) if is_open else 2**63 - 1
    return pa.table({"time_ns": pa.array([limit], pa.int64())})


def _forest(reader: Reader) -> None:
    table = reader.arrow("""
        SELECT
            span_no,
            trace_no,
            coalesce(parent_no, -1) AS parent_no,
            hash(service, name, kind) AS step,
            coalesce(start_ns, 0) AS start_ns,
            span_id
        FROM node
        ORDER BY span_no
    """)
    span_no = table["span_no"].to_numpy()
    parent_no = table["parent_no"].to_numpy()
    parent = positions_of(parent_no, span_no)
    forest = build_forest(
        parent,
        table["step"].to_numpy(),
        table["start_ns"].to_numpy(),
        table["span_id"].to_numpy(),
    )
    reader.register(
        "forest",
        pa.table(
            {
                "span_no": span_no,
                "trace_no": table["trace_no"],
                "parent_no": _at(forest.parent, span_no),
                "top_no": span_no[forest.top],
                "depth": forest.depth,
                "is_in_cycle": forest.is_in_cycle,
                "place": forest.place,
                "parent_place": _at(forest.parent, forest.place),
            }
        ),
    )


def _item_parts(reader: Reader) -> None:
    """Which item run a span is part of: its own, or that of the nearest span above it."""
    span_no, run_no = _at_or_below(reader, "item_run")
    reader.register("item_part", pa.table({"span_no": span_no, "run_no": run_no}))


def _misplaced(reader: Reader) -> None:
    """Which spans began at an impossible time, or lie below one that did."""
    span_no, _ = _at_or_below(reader, "impossible_start")
    reader.register("misplaced", pa.table({"span_no": span_no}))


def _at_or_below(reader: Reader, heads: str) -> tuple[Ints, Ints]:
    """Every span that is in the table `heads` or lies below one, and the nearest of these."""
    table = reader.arrow(f"""
        SELECT
            forest.span_no,
            coalesce(forest.parent_no, -1) AS parent_no,
            head.span_no IS NOT NULL AS is_head
        FROM forest
        LEFT JOIN {heads} AS head USING (span_no)
        WHERE forest.top_no IN (
            SELECT tree.top_no
            FROM {heads}
            JOIN forest AS tree USING (span_no)
        )
        ORDER BY forest.span_no
    """)  # noqa: S608 - names of ours
    span_no = table["span_no"].to_numpy()
    parent = positions_of(table["parent_no"].to_numpy(), span_no)
    is_head = table["is_head"].to_numpy(zero_copy_only=False)
    nearest = np.where(is_head | (parent < 0), np.arange(len(parent)), parent)
    while not np.array_equal(further := nearest[nearest], nearest):
        nearest = further
    found = np.flatnonzero(is_head[nearest])
    return span_no[found], span_no[nearest[found]]


def _fields(reader: Reader) -> None:
    found = span_fields(reader)
    reader.register("sent_field", found)
    # What nobody sent takes no place.
    columns = ", ".join(
        field if field in found.column_names else f"NULL::VARCHAR AS {field}"
        for field in semconv.FIELD_KEYS
    )
    reader.define("found_field", f"SELECT span_no, {columns} FROM sent_field")  # noqa: S608 - names of ours


def _followed(reader: Reader) -> None:
    """Which span each top came of by its link: the last to end of those that it links to."""
    links = reader.arrow("""
        SELECT link.span_no, arg_max(linked.span_no, (linked.end_ns, linked.span_no)) AS linked_no
        FROM linked_span AS link
        JOIN node USING (span_no)
        JOIN forest USING (span_no)
        JOIN node AS linked ON linked.span_no = link.linked_no
        JOIN trace_instance AS place ON place.trace_no = node.trace_no
        JOIN trace_instance AS linked_place ON linked_place.trace_no = linked.trace_no
        WHERE forest.parent_no IS NULL
            AND node.missing_parent IS NULL
            AND linked_place.instance_no = place.instance_no
            AND (linked.start_ns <= node.start_ns
                OR link.span_no IN (SELECT began.span_no FROM impossible_start AS began))
            AND linked.end_ns IS NOT NULL
            AND node.span_no <> linked.span_no
        GROUP BY link.span_no
    """)
    at, followed_no = links["span_no"].to_numpy(), links["linked_no"].to_numpy()
    if len(at):
        tree = reader.arrow("""
            SELECT span_no, coalesce(parent_no, -1) AS parent_no
            FROM forest
            ORDER BY span_no
        """)
        span_no = tree["span_no"].to_numpy()
        parent = positions_of(tree["parent_no"].to_numpy(), span_no)
        linked = np.full(len(parent), -1)
        linked[positions_of(at, span_no)] = positions_of(followed_no, span_no)
        joined = below_links(parent, linked)
        kept = np.flatnonzero(joined != parent)
        at, followed_no = span_no[kept], span_no[joined[kept]]
    reader.register("followed", pa.table({"span_no": at, "followed_no": followed_no}))


def _at(positions: Ints, values: NDArray[np.generic]) -> pa.Array:
    """The values at `positions`, null where a position is below zero."""
    found = values[np.maximum(positions, 0)] if len(values) else values
    return pa.array(found, mask=positions < 0)


def _paths(reader: Reader) -> None:
    table = reader.arrow("""
        SELECT
            node.span_no,
            coalesce(forest.parent_no, -1) AS parent_no,
            coalesce(forest.parent_no, followed.followed_no, -1) AS above_no,
            forest.place,
            instance.instance_no,
            node.start_ns,
            node.end_ns,
            -- Nor is a call stretched over a callee whose clock is wrong.
            node.kind = 'CLIENT' AND (
                error.span_no IS NOT NULL
                OR node.span_no IN (
                    SELECT late.parent_no
                    FROM impossible_start
                    JOIN node AS late USING (span_no)
                )
            ) AS gave_up
        FROM node
        JOIN forest USING (span_no)
        JOIN trace_instance AS instance ON instance.trace_no = node.trace_no
        LEFT JOIN span_error AS error USING (span_no)
        LEFT JOIN followed USING (span_no)
        WHERE node.end_ns IS NOT NULL
        ORDER BY node.span_no
    """)
    span_no = table["span_no"].to_numpy()
    instance = table["instance_no"].to_numpy()
    parent = positions_of(table["parent_no"].to_numpy(), span_no)
    start_ns, end_ns = table["start_ns"].to_numpy(), table["end_ns"].to_numpy()
    gave_up = table["gave_up"].to_numpy(zero_copy_only=False)
    layout = lay_out(parent, depths(parent), instance, start_ns, end_ns, gave_up)
    own = self_times(layout, start_ns, end_ns)
    # What follows by a link was waited for, but is no part of what it links to.
    above = positions_of(table["above_no"].to_numpy(), span_no)
    if not np.array_equal(above, parent):
        layout = lay_out(above, depths(above), instance, start_ns, end_ns, gave_up)
    reader.register(
        "self_time",
        pa.table(
            {
                "span_no": span_no,
                "self_ns": own.self_ns,
                "largest_gap_ns": own.largest_gap_ns,
                "gap_start_ns": own.gap_start_ns,
                "children": own.children,
            }
        ),
    )
    stretches = critical_path(layout, instance)
    places, step = np.unique(table["place"].to_numpy(), return_inverse=True)
    saved = what_if(layout, instance, stretches, end_ns, step)
    reader.register(
        "saving",
        pa.table(
            {
                "instance_no": saved.instance,
                "place": places[saved.step],
                "halved_ns": saved.halved_ns,
                "removed_ns": saved.removed_ns,
            }
        ),
    )
    reader.register(
        "critical",
        pa.table(
            {
                "instance_no": stretches.instance,
                "span_no": _holders(stretches.holder, span_no),
                "start_ns": stretches.start_ns,
                "end_ns": stretches.end_ns,
            }
        ),
    )


def _holders(positions: Ints, numbers: Ints) -> Ints:
    """The row numbers at `positions`; what is below zero stays what it is."""
    if not len(numbers):
        return positions
    return np.where(positions >= 0, numbers[np.maximum(positions, 0)], positions)


# What is computed on whole columns, with the tables that it gives.
_COMPUTED: Final[dict[Callable[[Reader], None], tuple[str, ...]]] = {
    _forest: ("forest",),
    _item_parts: ("item_part",),
    _misplaced: ("misplaced",),
    _fields: ("found_field",),
    register_components: ("trace_component",),
    _followed: ("followed",),
    _paths: ("self_time", "critical", "saving"),
    find_terminal_errors: ("terminal_error",),
}
