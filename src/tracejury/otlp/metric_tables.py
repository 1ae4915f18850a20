"""Metrics as the flat tables of a `Batch`: what they are, their data points, and exemplars.

There are five kinds of points, each a message of its own. One table takes them all, in the order of
the metrics that they belong to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tracejury.otlp.nested import (
    FALSE,
    Columns,
    attributes,
    inner,
    is_id,
    numbers,
    relisted,
    table,
    texts,
)
from tracejury.otlp.size_limits import check_numbers, check_records
from tracejury.otlp.values import Read
from tracejury.telemetry import batch

_KINDS: Final = ("gauge", "sum", "histogram", "exponential_histogram", "summary")
_WITHOUT_TEMPORALITY: Final = frozenset({"gauge", "summary"})
_WITHOUT_EXEMPLARS: Final = frozenset({"summary"})

_Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Points:
    """The points of one kind, and for each the row of its metric's message."""

    kind: int
    rows: pa.Array
    messages: _Places


def metric_tables(
    messages: pa.Array, origin: list[pa.Array], columns: Columns
) -> dict[str, pa.Table]:
    """The tables of some metrics; `origin` has request, resource and scope of each."""
    found = [_points(kind, messages, columns.field) for kind in range(len(_KINDS))]
    parts = [points for points in found if len(points.rows)]
    if not parts:
        return {}
    check_records(sum(len(points.rows) for points in parts))
    check_numbers(sum(_numbers_in(points, columns.field) for points in parts))
    # A metric that claims to be of two kinds is taken for two.
    codes = np.concatenate([points.messages * len(_KINDS) + points.kind for points in parts])
    order = np.argsort(codes, kind="stable")
    distinct, metric = np.unique(codes, return_inverse=True)
    of_metric = pa.array(distinct // len(_KINDS))
    of_point = pa.array(codes[order] // len(_KINDS))
    points = _point_table(parts, columns.field).take(pa.array(order))
    places = [*(column.take(of_point) for column in origin), pa.array(metric[order])]
    rows = _Ordered(parts, pa.array(order))
    return {
        "metrics": _metrics(messages, distinct, columns.field),
        "metric_attributes": attributes(messages.take(of_metric), columns, name="metadata"),
        "points": table(batch.POINTS, [*places, *points.columns]),
        "point_attributes": rows.attributes(columns),
        **_exemplar_tables(rows.exemplars(columns.field), places[0], columns),
    }


def _points(kind: int, messages: pa.Array, read: Read) -> _Points:
    found = inner(read(read(messages, _KINDS[kind]), "data_points"))
    return _Points(kind, found.rows, found.parents.to_numpy().astype(np.int64))


def _numbers_in(points: _Points, read: Read) -> int:
    """How many counts and bounds of buckets the points of one kind hold."""
    match _KINDS[points.kind]:
        case "histogram":
            lists = [read(points.rows, name) for name in ("bucket_counts", "explicit_bounds")]
        case "exponential_histogram":
            sides = [read(points.rows, side) for side in ("positive", "negative")]
            lists = [read(side, "bucket_counts") for side in sides]
        case _:
            lists = []
    return sum(pc.sum(pc.list_value_length(column)).as_py() or 0 for column in lists)


def _metrics(messages: pa.Array, codes: _Places, read: Read) -> pa.Table:
    kinds, rows = codes % len(_KINDS), codes // len(_KINDS)
    chosen = messages.take(pa.array(rows))
    temporality = pa.nulls(len(codes), pa.int32())
    for kind, name in enumerate(_KINDS):
        if name not in _WITHOUT_TEMPORALITY and (kinds == kind).any():
            sent = numbers(read(chosen, name), "aggregation_temporality", read)
            temporality = pc.if_else(pa.array(kinds == kind), sent, temporality)
    is_sum = pa.array(kinds == _KINDS.index("sum"))
    is_monotonic = pc.fill_null(read(read(chosen, "sum"), "is_monotonic"), FALSE)
    return table(
        batch.METRICS,
        [
            *(texts(chosen, name, read) for name in ("name", "description", "unit")),
            pa.array(_KINDS).take(pa.array(kinds)),
            temporality,
            pc.if_else(is_sum, is_monotonic, pa.scalar(None, pa.bool_())),
        ],
    )


def _point_table(parts: Sequence[_Points], read: Read) -> pa.Table:
    """All fields of the points but for where they belong; null is what a kind does not have."""
    schema = pa.schema(list(batch.POINTS)[4:])
    tables = []
    for points in parts:
        found = _fields(_KINDS[points.kind], points.rows, read)
        columns = [
            found.get(field.name, pa.nulls(len(points.rows), field.type)) for field in schema
        ]
        tables.append(table(schema, columns))
    return pa.concat_tables(tables).combine_chunks()


def _fields(kind: str, points: pa.Array, read: Read) -> dict[str, Any]:
    common = {
        "start_ns": numbers(points, "start_time_unix_nano", read),
        "time_ns": numbers(points, "time_unix_nano", read),
        "flags": numbers(points, "flags", read),
    }
    match kind:
        case "gauge" | "sum":
            return common | _sent(points, read, int_value="as_int", double_value="as_double")
        case "histogram":
            return common | _distribution(points, read) | _buckets(points, read)
        case "exponential_histogram":
            return common | _distribution(points, read) | _exponential_buckets(points, read)
        case _:
            return common | _quantiles(points, read)


def _sent(points: pa.Array, read: Read, **names: str) -> dict[str, pa.Array]:
    return {column: read(points, name) for column, name in names.items()}


def _distribution(points: pa.Array, read: Read) -> dict[str, pa.Array]:
    sent = _sent(points, read, sum="sum", min="min", max="max")
    return {"count": numbers(points, "count", read)} | sent


def _buckets(points: pa.Array, read: Read) -> dict[str, pa.Array]:
    return {
        "bucket_counts": _lists(points, "bucket_counts", read),
        "bounds": _lists(points, "explicit_bounds", read),
    }


def _exponential_buckets(points: pa.Array, read: Read) -> dict[str, pa.Array]:
    positive, negative = read(points, "positive"), read(points, "negative")
    return {
        "scale": numbers(points, "scale", read),
        "zero_count": numbers(points, "zero_count", read),
        "zero_threshold": numbers(points, "zero_threshold", read),
        "positive_offset": numbers(positive, "offset", read),
        "positive_counts": _lists(positive, "bucket_counts", read),
        "negative_offset": numbers(negative, "offset", read),
        "negative_counts": _lists(negative, "bucket_counts", read),
    }


def _quantiles(points: pa.Array, read: Read) -> dict[str, pa.Array]:
    pairs = read(points, "quantile_values")
    inner_pairs = pc.list_flatten(pairs)
    return {
        "count": numbers(points, "count", read),
        "sum": numbers(points, "sum", read),
        "quantiles": relisted(pairs, numbers(inner_pairs, "quantile", read)),
        "quantile_values": relisted(pairs, numbers(inner_pairs, "value", read)),
    }


def _lists(rows: pa.Array, name: str, read: Read) -> pa.Array:
    lists = read(rows, name)
    return relisted(lists, pc.list_flatten(lists))


@dataclass(frozen=True, slots=True)
class _Ordered:
    """What points of all kinds hold in the same form, in the order of the table of points."""

    parts: Sequence[_Points]
    order: pa.Array

    def attributes(self, columns: Columns) -> pa.Table:
        lists = [columns.field(points.rows, "attributes") for points in self.parts]
        entries = inner(pa.concat_arrays(lists).take(self.order))
        return table(batch.ATTRIBUTES, [entries.parents, *columns.attributes(entries.rows)])

    def exemplars(self, read: Read) -> pa.Array | None:
        """The list of each point's exemplars; None where no kind has any."""
        lists = {
            points.kind: read(points.rows, "exemplars")
            for points in self.parts
            if _KINDS[points.kind] not in _WITHOUT_EXEMPLARS
        }
        if not lists:
            return None
        kind = next(iter(lists.values())).type
        return pa.concat_arrays(
            [lists.get(part.kind, pa.nulls(len(part.rows), kind)) for part in self.parts]
        ).take(self.order)


def _exemplar_tables(
    lists: pa.Array | None, requests: pa.Array, columns: Columns
) -> dict[str, pa.Table]:
    if lists is None:
        return {}
    read = columns.field
    exemplars = inner(lists)
    trace_ids, span_ids = read(exemplars.rows, "trace_id"), read(exemplars.rows, "span_id")
    are_sound = pc.and_(_is_id_or_none(trace_ids, 16), _is_id_or_none(span_ids, 8))
    return {
        "exemplars": table(
            batch.EXEMPLARS,
            [
                exemplars.parents,
                numbers(exemplars.rows, "time_unix_nano", read),
                read(exemplars.rows, "as_int"),
                read(exemplars.rows, "as_double"),
                pc.fill_null(trace_ids, b""),
                pc.fill_null(span_ids, b""),
            ],
        ),
        "exemplar_attributes": attributes(exemplars.rows, columns, name="filtered_attributes"),
        "rejections": _warnings(requests.take(exemplars.parents), are_sound),
    }


def _is_id_or_none(ids: pa.Array, size: int) -> pa.Array:
    # Null is what OTLP/JSON held and no hexadecimal was.
    is_none = pc.equal(pc.binary_length(ids), pa.scalar(0, pa.int32()))
    return pc.or_(pc.fill_null(is_none, FALSE), is_id(ids, size))


def _warnings(requests: pa.Array, are_sound: pa.Array) -> pa.Table:
    """Per request with exemplars whose ids are none, that its points are kept all the same."""
    if pc.all(are_sound).as_py() is not False:
        return batch.REJECTIONS.empty_table()
    counts = np.bincount(requests.filter(pc.invert(are_sound)).to_numpy())
    rows = [
        {
            "request": int(request),
            "rejected": 0,
            "reason": f"Exemplars with a trace_id or span_id that is no id: {counts[request]};"
            " their points are stored.",
        }
        for request in np.flatnonzero(counts)
    ]
    return pa.Table.from_pylist(rows, schema=batch.REJECTIONS)
