"""What a clean run teaches: who calls whom, what lies below what, and how often each step runs."""

from dataclasses import dataclass, fields
from typing import Final, Self

import pyarrow as pa

from tracejury.store.reader import Reader

_STEP: Final = [("service", pa.string()), ("name", pa.string()), ("kind", pa.string())]

PAIRS: Final = pa.schema(
    [
        ("caller", pa.string()),
        ("caller_name", pa.string()),
        ("caller_kind", pa.string()),
        ("route", pa.string()),
        ("peer", pa.string()),
        ("message_type", pa.string()),
        ("callee", pa.string()),
        ("callee_name", pa.string()),
        ("pairs", pa.int64()),
    ]
)
BRANCHES: Final = pa.schema(
    [
        *_STEP,
        ("parent_service", pa.string()),
        ("parent_name", pa.string()),
        ("parent_kind", pa.string()),
        ("ratio", pa.float64()),  # spans of the step below each span of the parent's
    ]
)
FAMILIES: Final = pa.schema(
    [
        ("parent_service", pa.string()),
        ("parent_name", pa.string()),
        ("parent_kind", pa.string()),
        # Which classes of spans stood below a span of the step; empty: none did.
        ("children", pa.list_(pa.struct([("service", pa.string()), ("kind", pa.string())]))),
        ("times", pa.int64()),
    ]
)
PARENT_STEPS: Final = pa.schema(
    [
        *_STEP,
        ("parent_service", pa.string()),
        ("parent_name", pa.string()),
        ("parent_kind", pa.string()),
        ("times", pa.int64()),
    ]
)
STEPS: Final = pa.schema(
    [
        ("entry_service", pa.string()),
        ("entry_name", pa.string()),
        *_STEP,
        ("instances", pa.int64()),  # clean instances of the workflow
        ("present", pa.int64()),  # how many of them have the step
        ("fewest", pa.int64()),  # spans of the step in an instance, zero where one lacks it
        ("most", pa.int64()),
        ("mean", pa.float64()),
        ("p95_ms", pa.float64()),
        ("p50_ms", pa.float64()),
        ("p99_ms", pa.float64()),
    ]
)
TRACES: Final = pa.schema(
    [
        ("entry_service", pa.string()),
        ("entry_name", pa.string()),
        ("trace_id", pa.binary()),
        ("spans", pa.int64()),
    ]
)
INSTANCE_TIME: Final = pa.schema(
    [
        ("entry_service", pa.string()),
        ("entry_name", pa.string()),
        ("shape", pa.uint64()),  # of shaped_instance; 0: whatever the shape
        ("instances", pa.int64()),
        ("lower", pa.float64()),  # quartiles of the logarithm of nanoseconds
        ("median", pa.float64()),
        ("upper", pa.float64()),
    ]
)
STEP_TIME: Final = pa.schema(
    [
        ("entry_service", pa.string()),
        ("entry_name", pa.string()),
        ("shape", pa.uint64()),  # of shaped_instance; 0: whatever the shape
        *_STEP,
        ("part", pa.string()),  # of path_time
        ("held_ns", pa.int64()),  # of the critical path, in the middle instance
        ("spans", pa.float64()),  # on the critical path, in the mean
    ]
)


# Times of fewer instances than these have no quartiles worth the name.
FEWEST_TIMED: Final = 8


@dataclass(frozen=True, slots=True)
class Baseline:
    """Tables of a clean run, with the schemas above."""

    pairs: pa.Table
    parent_steps: pa.Table
    steps: pa.Table
    branches: pa.Table
    families: pa.Table
    traces: pa.Table
    instance_times: pa.Table
    step_times: pa.Table

    @classmethod
    def empty(cls) -> Self:
        """A baseline that teaches nothing."""
        schemas = (
            *(PAIRS, PARENT_STEPS, STEPS, BRANCHES, FAMILIES, TRACES),
            *(INSTANCE_TIME, STEP_TIME),
        )
        return cls(*(schema.empty_table() for schema in schemas))

    @classmethod
    def learn(cls, reader: Reader, *, with_times: bool = False) -> Self:
        """What the rebuilt store of `reader` teaches. Failed instances teach no steps.

        What ran while a fault lasted teaches nothing but who calls whom.

        `with_times`: also how long instances and their steps take, which is dear.
        """
        empty = INSTANCE_TIME.empty_table(), STEP_TIME.empty_table()
        fewest = {"fewest": FEWEST_TIMED}
        return cls(
            pairs=reader.arrow("FROM pair").cast(PAIRS),
            parent_steps=reader.arrow(_PARENT_STEPS).cast(PARENT_STEPS),
            steps=reader.arrow(_STEPS).cast(STEPS),
            branches=reader.arrow(_BRANCHES).cast(BRANCHES),
            families=reader.arrow(_FAMILIES).cast(FAMILIES),
            traces=reader.arrow(_TRACES).cast(TRACES),
            instance_times=reader.arrow(INSTANCE_TIMES, fewest) if with_times else empty[0],
            step_times=reader.arrow(STEP_TIMES, fewest) if with_times else empty[1],
        )

    @property
    def exists(self) -> bool:
        """Whether there is a clean run to compare with."""
        return bool(self.steps.num_rows)

    def renamed(self, names: dict[str, str]) -> Self:
        """The same of services that go by other names: `names` has the new ones by the old ones."""
        if not names:
            return self
        return type(self)(
            **{field.name: _renamed(getattr(self, field.name), names) for field in fields(self)}
        )

    def tables(self) -> dict[str, pa.Table]:
        """The tables by the name under which the views know them."""
        return {
            "baseline_pair": self.pairs,
            "baseline_parent_step": self.parent_steps,
            "baseline_step": self.steps,
            "baseline_branch": self.branches,
            "baseline_family": self.families,
            "baseline_trace": self.traces,
            "baseline_instance_time": self.instance_times,
            "baseline_step_time": self.step_times,
        }


_SERVICES: Final = ("service", "parent_service", "entry_service", "caller", "callee")


def _renamed(table: pa.Table, names: dict[str, str]) -> pa.Table:
    for column in table.column_names:
        at, found = table.column_names.index(column), table[column].combine_chunks()
        if column in _SERVICES:
            table = table.set_column(at, table.field(column), _by_new_name(found, names))
        elif column == "children":
            services = _by_new_name(found.values.field("service"), names)
            kinds = found.values.field("kind")
            children = pa.StructArray.from_arrays([services, kinds], ["service", "kind"])
            lists = pa.ListArray.from_arrays(found.offsets, children)
            table = table.set_column(at, table.field(column), lists.cast(found.type))
    return table


def _by_new_name(services: pa.Array, names: dict[str, str]) -> pa.Array:
    known = services.dictionary_encode()
    renamed = [names.get(name, name) for name in known.dictionary.to_pylist()]
    return pa.array(renamed, pa.string()).take(known.indices)


_BRANCHES: Final = """
    WITH parents AS (
        SELECT service, name, kind, count(*) AS spans
        FROM calm_node
        GROUP BY ALL
    )
    SELECT
        child.service, child.name, child.kind,
        parent.service AS parent_service, parent.name AS parent_name, parent.kind AS parent_kind,
        count(*)::DOUBLE / any_value(parents.spans) AS ratio
    FROM calm_node AS child
    JOIN calm_node AS parent ON parent.span_no = child.parent_no
    JOIN parents
        ON parents.service = parent.service
        AND parents.name = parent.name
        AND parents.kind = parent.kind
    GROUP BY
        child.service, child.name, child.kind, parent.service, parent.name, parent.kind
"""

_FAMILIES: Final = """
    WITH child AS (
        SELECT DISTINCT parent_no, service, kind
        FROM calm_node
        WHERE parent_no IS NOT NULL
    ),
    family AS (
        SELECT
            parent_no,
            list({'service': service, 'kind': kind} ORDER BY service, kind) AS children
        FROM child
        GROUP BY parent_no
    )
    SELECT
        node.service AS parent_service, node.name AS parent_name, node.kind AS parent_kind,
        coalesce(family.children, []) AS children,
        count(*) AS times
    FROM calm_node AS node
    LEFT JOIN family ON family.parent_no = node.span_no
    GROUP BY ALL
"""

_PARENT_STEPS: Final = """
    SELECT
        child.service, child.name, child.kind,
        parent.service AS parent_service, parent.name AS parent_name, parent.kind AS parent_kind,
        count(*) AS times
    FROM calm_node AS child
    JOIN calm_node AS parent ON parent.span_no = child.parent_no
    GROUP BY ALL
"""

_STEPS: Final = """
    WITH clean AS (
        SELECT instance_no, entry_service, entry_name
        FROM workflow_instance
        SEMI JOIN calm_instance USING (instance_no)
        WHERE outcome = 'ok' AND NOT background AND NOT rootless
    ),
    counted AS (
        SELECT
            clean.entry_service, clean.entry_name, clean.instance_no,
            node.service, node.name, node.kind,
            count(*) AS spans
        FROM clean
        JOIN trace_instance USING (instance_no)
        JOIN node USING (trace_no)
        ANTI JOIN second_copy USING (span_no)
        GROUP BY ALL
    ),
    timed AS (
        SELECT
            clean.entry_service, clean.entry_name, node.service, node.name, node.kind,
            quantile_cont(node.duration_ns, [0.5, 0.95, 0.99]) AS durations_ns
        FROM clean
        JOIN trace_instance USING (instance_no)
        JOIN node USING (trace_no)
        GROUP BY ALL
    ),
    sizes AS (
        SELECT entry_service, entry_name, count(*) AS instances
        FROM clean
        GROUP BY ALL
    )
    SELECT
        counted.entry_service, counted.entry_name,
        counted.service, counted.name, counted.kind,
        any_value(sizes.instances) AS instances,
        count(*) AS present,
        CASE WHEN count(*) < any_value(sizes.instances) THEN 0 ELSE min(counted.spans) END
            AS fewest,
        max(counted.spans) AS most,
        sum(counted.spans)::DOUBLE / any_value(sizes.instances) AS mean,
        any_value(timed.durations_ns[2]) / 1e6 AS p95_ms,
        any_value(timed.durations_ns[1]) / 1e6 AS p50_ms,
        any_value(timed.durations_ns[3]) / 1e6 AS p99_ms
    FROM counted
    JOIN sizes USING (entry_service, entry_name)
    JOIN timed USING (entry_service, entry_name, service, name, kind)
    GROUP BY counted.entry_service, counted.entry_name, counted.service, counted.name, counted.kind
"""

# What the steps were learnt from.
_TRACES: Final = """
    SELECT instance.entry_service, instance.entry_name, trace.trace_id, count(*) AS spans
    FROM workflow_instance AS instance
    SEMI JOIN calm_instance USING (instance_no)
    JOIN trace_instance USING (instance_no)
    JOIN trace USING (trace_no)
    JOIN node USING (trace_no)
    WHERE instance.outcome = 'ok' AND NOT instance.background AND NOT instance.rootless
    GROUP BY instance.entry_service, instance.entry_name, trace.trace_id
"""

# Of every workflow, by its entry, and of each shape that is frequent enough: how long the instances
# took that did not fail, nor ran while a fault lasted.
INSTANCE_TIMES: Final = """
    SELECT
        entry_service,
        entry_name,
        coalesce(shape, 0)::UBIGINT AS shape,
        count(*) AS instances,
        quantile_cont(ln(1 + took_ns), 0.25) AS lower,
        quantile_cont(ln(1 + took_ns), 0.5) AS median,
        quantile_cont(ln(1 + took_ns), 0.75) AS upper
    FROM shaped_instance
    SEMI JOIN calm_instance USING (instance_no)
    WHERE outcome = 'ok'
    GROUP BY GROUPING SETS ((entry_service, entry_name), (entry_service, entry_name, shape))
    HAVING count(*) >= $fewest
"""

# How long each step held the critical path in the middle instance: not at all in one without it.
STEP_TIMES: Final = """
    WITH clean AS (
        FROM shaped_instance
        SEMI JOIN calm_instance USING (instance_no)
        WHERE outcome = 'ok'
    ),
    sizes AS (
        SELECT
            entry_service,
            entry_name,
            coalesce(shape, 0)::UBIGINT AS shape,
            count(*) AS instances
        FROM clean
        GROUP BY GROUPING SETS ((entry_service, entry_name), (entry_service, entry_name, shape))
        HAVING count(*) >= $fewest
    ),
    step AS (
        SELECT
            clean.entry_service, clean.entry_name, coalesce(clean.shape, 0)::UBIGINT AS shape,
            path.service, path.name, path.kind, path.part,
            count(*) AS present,
            sum(path.spans) AS spans,
            list(path.held_ns ORDER BY path.held_ns) AS held
        FROM clean
        JOIN path_time AS path USING (instance_no)
        GROUP BY
            clean.entry_service, clean.entry_name, path.service, path.name, path.kind, path.part,
            GROUPING SETS ((), (clean.shape))
    )
    SELECT
        step.entry_service, step.entry_name, step.shape,
        step.service, step.name, step.kind, step.part,
        coalesce(
            held[greatest((sizes.instances + 1) // 2 - (sizes.instances - present), 0)], 0
        ) AS held_ns,
        step.spans::DOUBLE / sizes.instances AS spans
    FROM step
    JOIN sizes USING (entry_service, entry_name, shape)
"""
