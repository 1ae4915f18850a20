"""Which workflow instances are the oldest: what is removed to keep a store within its bounds.

The plan is made over a connection of its own, while commits go on, and by the very views that an
audit uses; so that what goes is what an audit would call an instance, and goes as a whole.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracejury.store.instances import derive_instances
from tracejury.store.reader import Reader
from tracejury.store.removal import Numbers, Slice

# A transaction removes about so many records: commits wait for it. One instance is never split.
_RECORDS_A_SLICE: Final = 20_000
# A plan names about so many records at most, so that it fits into memory: then comes the next one.
_RECORDS_A_PLAN: Final = 1_000_000

# Per instance when its last record came, and how many it has.
_LIVES: Final = """
    SELECT instance_no, max(last_ns) AS last_ns, sum(records)::BIGINT AS records
    FROM (
        SELECT instance.instance_no, max(span.received_ns) AS last_ns, count(*) AS records
        FROM stored.span AS span
        JOIN trace USING (trace_id)
        JOIN trace_instance AS instance USING (trace_no)
        GROUP BY instance.instance_no
        UNION ALL
        SELECT instance.instance_no, max(log.received_ns), count(*)
        FROM log_instance AS instance
        JOIN stored.log_record AS log USING (log_no)
        GROUP BY instance.instance_no
    )
    GROUP BY instance_no
"""

# What belongs to no instance: it goes by its own age.
_LOOSE: Final = """
    SELECT 'points' AS kind, point_no AS number, received_ns FROM stored.metric_point
    UNION ALL
    SELECT 'logs', log.log_no, log.received_ns
    FROM stored.log_record AS log
    ANTI JOIN log_instance USING (log_no)
    UNION ALL
    SELECT 'alerts', alert_no, received_ns FROM stored.alert
"""

# By when a share of all records had come that came first, instances as a whole.
_UNTIL: Final = f"""
    WITH piece AS (
        SELECT last_ns, records FROM life
        UNION ALL
        SELECT received_ns, count(*) FROM ({_LOOSE}) GROUP BY received_ns
    ),
    arrived AS (
        SELECT
            last_ns,
            sum(records) OVER (ORDER BY last_ns) AS so_far,
            sum(records) OVER () AS altogether
        FROM piece
    )
    SELECT min(last_ns) FROM arrived WHERE so_far >= $share * altogether
"""  # noqa: S608

_OLDEST_LOOSE: Final = f"""
    SELECT kind, number, received_ns
    FROM ({_LOOSE})
    WHERE received_ns <= $until
    ORDER BY received_ns, kind, number
    LIMIT $limit
"""  # noqa: S608

# The tables that grow with what is received.
_GROWING: Final = (
    *("span", "span_value", "span_event", "event_value", "span_link", "link_value"),
    *("log_record", "log_value", "alert"),
    *("metric_point", "point_value", "exemplar", "exemplar_value"),
)

# How much of what a table takes in the file is of rows that were removed.
_DEAD: Final = """
    WITH segment AS (
        SELECT * FROM pragma_storage_info($table)
    ),
    block AS (
        SELECT block_id FROM segment WHERE block_id >= 0
        UNION
        SELECT unnest(additional_block_ids) FROM segment
    ),
    held AS (
        SELECT sum(count) AS rows FROM segment WHERE column_id = 0 AND segment_type <> 'VALIDITY'
    )
    SELECT coalesce(
        (SELECT count(*) FROM block)
        * (
            SELECT block_size
            FROM pragma_database_size()
            WHERE database_name = current_database()
        )
        * greatest(
            0, 1 - (SELECT count(*) FROM query_table($table)) / (SELECT held.rows FROM held)
        ),
        0
    )::BIGINT
"""

# What came of traces that had been removed before: what is new is looked for among those, since it
# is less.
_LATE: Final = """
    WITH recent AS (
        SELECT trace_id FROM stored.span WHERE span_no >= $spans
        UNION
        SELECT trace_id FROM stored.log_record WHERE log_no >= $logs
    ),
    late AS MATERIALIZED (
        SELECT DISTINCT pruned.trace_id
        FROM stored.pruned_trace AS pruned
        SEMI JOIN recent USING (trace_id)
    )
    SELECT 'spans' AS kind, span.span_no AS number, span.received_ns
    FROM stored.span AS span
    SEMI JOIN late USING (trace_id)
    WHERE span.span_no >= $spans
    UNION ALL
    SELECT 'logs', log.log_no, log.received_ns
    FROM stored.log_record AS log
    SEMI JOIN late USING (trace_id)
    WHERE log.log_no >= $logs
"""


def plan(
    reader: Reader, keys: tuple[str, ...], *, until_ns: int, share: float | None = None
) -> list[Slice]:
    """What has been silent since `until_ns`, the oldest first.

    With a `share`, no more than about so much of the store. `keys` are the configured correlation
    keys.
    """
    before = int(reader.value("SELECT coalesce(max(span_no) + 1, 0) FROM stored.span"))
    derive_instances(reader, keys)
    reader.register("life", reader.arrow(_LIVES))
    if share is not None:
        until_ns = min(until_ns, reader.value(_UNTIL, {"share": share}) or 0)
    slices = [*_instances(reader, until_ns, before), *_loose(reader, until_ns)]
    return sorted(slices, key=lambda doomed: doomed.until_ns)


def not_free_yet(reader: Reader) -> int:
    """The bytes that removed rows still take in the file, as far as it was checkpointed.

    DuckDB gives the space of 122,880 rows back at once, when few or none of them are left.
    """
    return sum(int(reader.value(_DEAD, {"table": f"stored.{table}"})) for table in _GROWING)


def late_parts(reader: Reader, *, spans: int, logs: int) -> Slice | None:
    """What came, from those numbers on, of traces that were pruned before; None: nothing."""
    late = reader.arrow(_LATE, {"spans": spans, "logs": logs})
    return _slice(late) if late.num_rows else None


def _slice(records: pa.Table) -> Slice:
    """Records of several kinds, that belong to no whole instance."""
    kind, number = (records[name].to_numpy(zero_copy_only=False) for name in ("kind", "number"))
    until_ns = int(records["received_ns"].to_numpy().max())
    chosen: dict[str, Any] = {name: number[kind == name] for name in np.unique(kind)}
    return Slice(until_ns, **chosen)


def _instances(reader: Reader, until_ns: int, before: int) -> Iterator[Slice]:
    reader.register(
        "doomed_life",
        reader.arrow(
            """
            SELECT instance_no, last_ns, slice_no
            FROM (
                SELECT instance_no, last_ns, (so_far - records) // $slice AS slice_no,
                    so_far - records AS earlier
                FROM (
                    SELECT *, sum(records) OVER (ORDER BY last_ns, instance_no) AS so_far FROM life
                )
                WHERE last_ns <= $until
            )
            WHERE earlier < $limit
            """,
            {"slice": _RECORDS_A_SLICE, "until": until_ns, "limit": _RECORDS_A_PLAN},
        ),
    )
    spans = _by_slice(
        reader,
        """
        SELECT doomed.slice_no, span.span_no AS number
        FROM stored.span AS span
        JOIN trace USING (trace_id)
        JOIN trace_instance AS instance USING (trace_no)
        JOIN doomed_life AS doomed USING (instance_no)
        WHERE span.span_no < $before
        """,
        {"before": before},
    )
    logs = _by_slice(
        reader,
        """
        SELECT doomed.slice_no, instance.log_no AS number
        FROM log_instance AS instance
        JOIN doomed_life AS doomed USING (instance_no)
        """,
    )
    for row in reader.rows("""
        SELECT slice_no, max(last_ns) AS until_ns, count(*) AS instances
        FROM doomed_life
        GROUP BY slice_no
        ORDER BY slice_no
    """):
        none = np.empty(0, np.int64)
        yield Slice(
            until_ns=int(row["until_ns"]),
            spans=spans.get(row["slice_no"], none),
            logs=logs.get(row["slice_no"], none),
            instances=int(row["instances"]),
            planned_before=before,
        )


def _loose(reader: Reader, until_ns: int) -> Iterator[Slice]:
    found = reader.arrow(_OLDEST_LOOSE, {"until": until_ns, "limit": _RECORDS_A_PLAN})
    for start in range(0, found.num_rows, _RECORDS_A_SLICE):
        yield _slice(found.slice(start, _RECORDS_A_SLICE))


def _by_slice(
    reader: Reader, sql: str, parameters: dict[str, object] | None = None
) -> dict[int, Numbers]:
    found = reader.arrow(sql, parameters or {})
    if not found.num_rows:
        return {}
    slice_no: NDArray[np.int64] = found["slice_no"].to_numpy().astype(np.int64)
    order = np.argsort(slice_no, kind="stable")
    distinct, starts = np.unique(slice_no[order], return_index=True)
    numbers = found["number"].to_numpy()[order]
    return dict(zip(distinct.tolist(), np.split(numbers, starts[1:]), strict=True))
