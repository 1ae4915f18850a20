"""Join several batches into one, so that they share a transaction."""

from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tracejury.telemetry.batch import Batch

# The tables whose rows others refer to.
_OWNERS: Final = (
    "resources",
    "scopes",
    "spans",
    "events",
    "links",
    "logs",
    "metrics",
    "points",
    "exemplars",
)


def combine(batches: Sequence[Batch]) -> Batch:
    """One batch with the rows of `batches` in order; row numbers and requests are shifted."""
    if len(batches) == 1:
        return batches[0]
    offsets = {
        name: _offsets([getattr(batch, name).num_rows for batch in batches]) for name in _OWNERS
    }
    requests = _offsets([batch.requests for batch in batches])

    def joined(name: str, **columns: list[int]) -> pa.Table:
        shifted = []
        for position, batch in enumerate(batches):
            table = getattr(batch, name)
            for column, by in columns.items():
                table = _shift(table, column, by[position])
            shifted.append(table)
        return pa.concat_tables(shifted)

    origin = {"request": requests, "resource": offsets["resources"], "scope": offsets["scopes"]}
    return Batch(
        requests=sum(batch.requests for batch in batches),
        resources=joined("resources"),
        resource_attributes=joined("resource_attributes", owner=offsets["resources"]),
        scopes=joined("scopes"),
        scope_attributes=joined("scope_attributes", owner=offsets["scopes"]),
        spans=joined("spans", **origin),
        span_attributes=joined("span_attributes", owner=offsets["spans"]),
        events=joined("events", owner=offsets["spans"]),
        event_attributes=joined("event_attributes", owner=offsets["events"]),
        links=joined("links", owner=offsets["spans"]),
        link_attributes=joined("link_attributes", owner=offsets["links"]),
        logs=joined("logs", **origin),
        log_attributes=joined("log_attributes", owner=offsets["logs"]),
        rejections=joined("rejections", request=requests),
        metrics=joined("metrics"),
        metric_attributes=joined("metric_attributes", owner=offsets["metrics"]),
        points=joined("points", **origin, metric=offsets["metrics"]),
        point_attributes=joined("point_attributes", owner=offsets["points"]),
        exemplars=joined("exemplars", owner=offsets["points"]),
        exemplar_attributes=joined("exemplar_attributes", owner=offsets["exemplars"]),
        alerts=joined("alerts", request=requests),
    )


def _offsets(sizes: Sequence[int]) -> list[int]:
    offsets = [0]
    for size in sizes[:-1]:
        offsets.append(offsets[-1] + size)
    return offsets


def _shift(table: pa.Table, column: str, by: int) -> pa.Table:
    if by == 0 or table.num_rows == 0:
        return table
    index = table.schema.get_field_index(column)
    moved = pc.add(table[column], pa.scalar(by, pa.uint32()))
    return table.set_column(index, table.schema.field(column), moved)
