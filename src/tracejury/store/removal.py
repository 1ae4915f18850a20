"""Remove records from a store, with all that belongs to them, and note how many they were."""

from dataclasses import dataclass, field
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Hashes = NDArray[np.uint64]

# How late a part of a pruned trace may come and still be known: so many traces ago.
_REMEMBERED_TRACES: Final = 1_000_000


def _none() -> Numbers:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Slice:
    """What is removed in one transaction: records by their numbers, in any order.

    `until_ns` is when the last of them came. With `planned_before`, the spans are `instances` whole
    workflow instances, as they were before the span of that number came.
    """

    until_ns: int
    spans: Numbers = field(default_factory=_none)
    logs: Numbers = field(default_factory=_none)
    points: Numbers = field(default_factory=_none)
    alerts: Numbers = field(default_factory=_none)
    instances: int = 0
    planned_before: int | None = None


@dataclass(frozen=True, slots=True)
class Removed:
    """The identities of what is gone, and of how many instances and traces it was."""

    instances: int
    traces: int
    spans: Hashes
    logs: Hashes
    points: Hashes
    alerts: Hashes

    def counts(self) -> dict[str, int]:
        """How many of each kind of record."""
        kinds = ("spans", "logs", "points", "alerts")
        counted = {kind: len(getattr(self, kind)) for kind in kinds}
        return {"instances": self.instances, "traces": self.traces, **counted}


def remove(connection: duckdb.DuckDBPyConnection, doomed: Slice, now_ns: int) -> Removed | None:
    """Remove `doomed`; the transaction is the caller's. None, and nothing: it has grown since."""
    if doomed.planned_before is not None and _has_grown(connection, doomed):
        return None
    traces = _remember_traces(connection, doomed, now_ns)
    removed = Removed(
        doomed.instances,
        traces,
        spans=_remove_spans(connection, doomed.spans),
        logs=_remove(connection, "log_record", "log_no", doomed.logs, {"log_value": "log_no"}),
        points=_remove_points(connection, doomed.points),
        alerts=_remove(connection, "alert", "alert_no", doomed.alerts, {}),
    )
    counts = removed.counts()
    order = ("instances", "traces", "spans", "logs", "points", "alerts")
    connection.execute(
        "INSERT INTO stored.pruning VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [now_ns, doomed.until_ns, *(counts[name] for name in order)],
    )
    return removed


def forget_old_traces(connection: duckdb.DuckDBPyConnection) -> None:
    """Keep in mind the traces that were removed last only."""
    connection.execute(
        """
        DELETE FROM stored.pruned_trace
        WHERE pruned_ns < (
            SELECT pruned_ns FROM stored.pruned_trace ORDER BY pruned_ns DESC LIMIT 1 OFFSET ?
        )
        """,
        [_REMEMBERED_TRACES],
    )


def _has_grown(connection: duckdb.DuckDBPyConnection, doomed: Slice) -> bool:
    _offer(connection, doomed.spans)
    [(late,)] = connection.execute(
        """
        SELECT count(*)
        FROM stored.span AS late
        WHERE late.span_no >= ?
            AND late.trace_id IN (
                SELECT span.trace_id
                FROM stored.span AS span
                JOIN doomed ON doomed.number = span.span_no
            )
        """,
        [doomed.planned_before],
    ).fetchall()
    connection.unregister("doomed")
    return bool(late)


def _remember_traces(connection: duckdb.DuckDBPyConnection, doomed: Slice, now_ns: int) -> int:
    """How many traces are removed; those of whole instances are kept in mind."""
    if not len(doomed.spans) or doomed.planned_before is None:
        return 0
    _offer(connection, doomed.spans)
    [(count,)] = connection.execute(
        """
        INSERT INTO stored.pruned_trace
        SELECT DISTINCT span.trace_id, ?::UBIGINT
        FROM stored.span AS span
        JOIN doomed ON doomed.number = span.span_no
        """,
        [now_ns],
    ).fetchall()
    connection.unregister("doomed")
    return int(count)


def _remove_spans(connection: duckdb.DuckDBPyConnection, spans: Numbers) -> Hashes:
    for part in ("event", "link"):
        owned = _owned(connection, f"span_{part}", f"{part}_no", "span_no", spans)
        _remove(connection, f"span_{part}", f"{part}_no", owned, {f"{part}_value": f"{part}_no"})
    identities = _remove(connection, "span", "span_no", spans, {"span_value": "span_no"})
    connection.register("doomed", pa.table({"identity": identities}))
    connection.execute(
        "DELETE FROM stored.duplicate_span WHERE identity IN (SELECT doomed.identity FROM doomed)"
    )
    connection.unregister("doomed")
    return identities


def _remove_points(connection: duckdb.DuckDBPyConnection, points: Numbers) -> Hashes:
    exemplars = _owned(connection, "exemplar", "exemplar_no", "point_no", points)
    values = {"exemplar_value": "exemplar_no"}
    _remove(connection, "exemplar", "exemplar_no", exemplars, values)
    return _remove(connection, "metric_point", "point_no", points, {"point_value": "point_no"})


# The names of tables and columns in these come from this file alone.
def _owned(
    connection: duckdb.DuckDBPyConnection, table: str, number: str, owner: str, owners: Numbers
) -> Numbers:
    """The numbers of the rows of `table` whose owner is one of `owners`."""
    if not len(owners):
        return owners
    _offer(connection, owners)
    found = connection.execute(
        f"SELECT {number} FROM stored.{table} WHERE {_among(owner)}",  # noqa: S608
        _bounds(owners),
    ).fetchnumpy()[number]
    connection.unregister("doomed")
    return np.asarray(found, np.int64)


def _remove(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    number: str,
    doomed: Numbers,
    parts: dict[str, str],
) -> Hashes:
    """Remove rows of `table`, and of its `parts`; the identities, where the rows have any."""
    if not len(doomed):
        return np.empty(0, np.uint64)
    _offer(connection, doomed)
    bounds = _bounds(doomed)
    for part, column in parts.items():
        connection.execute(
            f"DELETE FROM stored.{part} WHERE {_among(column)}",  # noqa: S608
            bounds,
        )
    has_identity = table in {"span", "log_record", "metric_point", "alert"}
    what = "identity" if has_identity else f"{number} AS identity"
    gone = connection.execute(
        f"DELETE FROM stored.{table} WHERE {_among(number)} RETURNING {what}",  # noqa: S608
        bounds,
    ).fetchnumpy()["identity"]
    connection.unregister("doomed")
    return np.asarray(gone, np.uint64)


def _among(column: str) -> str:
    # The bounds let DuckDB pass over the row groups that have none of them.
    return f"{column} BETWEEN ? AND ? AND {column} IN (SELECT doomed.number FROM doomed)"  # noqa: S608


def _bounds(numbers: Numbers) -> list[int]:
    return [int(numbers.min()), int(numbers.max())]


def _offer(connection: duckdb.DuckDBPyConnection, numbers: Numbers) -> None:
    connection.register("doomed", pa.table({"number": numbers}))
