"""What decoding metrics must give, told by protobuf's own classes and plain loops over them."""

from collections.abc import Sequence
from typing import Any

from tests.otlp.reference import (
    TABLES,
    Rows,
    add_attributes,
    add_resource,
    add_scope,
    is_id,
    same_double,
)

_KINDS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")
_EXPONENTIAL = ("scale", "zero_count", "zero_threshold")


def rows_of_metrics(requests: Sequence[Any]) -> Rows:
    rows: Rows = {table: [] for table in TABLES}
    for number, request in enumerate(requests):
        bad = 0
        for holder in request.resource_metrics:
            resource = add_resource(rows, holder)
            for scope_holder in holder.scope_metrics:
                scope = add_scope(rows, scope_holder)
                for metric in scope_holder.metrics:
                    bad += _add_metric(rows, (number, resource, scope), metric)
        if bad:
            reason = f"Exemplars with a trace_id or span_id that is no id: {bad};"
            rows["rejections"].append((number, 0, f"{reason} their points are stored."))
    return rows


def _add_metric(rows: Rows, origin: tuple[int, int, int], metric: Any) -> int:
    """Add a metric that has points; gives how many of its exemplars have bad ids."""
    kind = metric.WhichOneof("data")
    data = getattr(metric, kind)
    if not data.data_points:
        return 0
    row = len(rows["metrics"])
    temporality = getattr(data, "aggregation_temporality", None)
    monotonic = getattr(data, "is_monotonic", None)
    rows["metrics"].append(
        (metric.name, metric.description, metric.unit, kind, temporality, monotonic)
    )
    add_attributes(rows["metric_attributes"], row, metric.metadata)
    return sum(_add_point(rows, (*origin, row), kind, point) for point in data.data_points)


def _add_point(rows: Rows, origin: tuple[int, ...], kind: str, point: Any) -> int:
    row = len(rows["points"])
    fields = [point.start_time_unix_nano, point.time_unix_nano, point.flags]
    rows["points"].append((*origin, *fields, *_values(kind, point)))
    add_attributes(rows["point_attributes"], row, point.attributes)
    return sum(_add_exemplar(rows, row, sent) for sent in getattr(point, "exemplars", ()))


def _values(kind: str, point: Any) -> list[Any]:
    has = {field.name for field in point.DESCRIPTOR.fields}

    def present(name: str) -> Any:
        return getattr(point, name) if name in has and point.HasField(name) else None

    def plain(name: str) -> Any:
        return getattr(point, name) if name in has else None

    def listed(name: str) -> Any:
        return list(getattr(point, name)) if name in has else None

    def buckets(name: str) -> list[Any]:
        if name not in has:
            return [None, None]
        return [getattr(point, name).offset, list(getattr(point, name).bucket_counts)]

    pairs = point.quantile_values if kind == "summary" else None
    values = [
        present("as_int"),
        present("as_double"),
        plain("count"),
        plain("sum") if kind == "summary" else present("sum"),
        present("min"),
        present("max"),
        listed("bucket_counts"),
        listed("explicit_bounds"),
        *(plain(name) for name in _EXPONENTIAL),
        *buckets("positive"),
        *buckets("negative"),
        None if pairs is None else [pair.quantile for pair in pairs],
        None if pairs is None else [pair.value for pair in pairs],
    ]
    return [without_nan(value) for value in values]


def without_nan(value: Any) -> Any:
    """Doubles as text, so that NaN is equal to itself."""
    if isinstance(value, list):
        return [without_nan(item) for item in value]
    return same_double(value) if isinstance(value, float) else value


def _add_exemplar(rows: Rows, owner: int, sent: Any) -> int:
    row = len(rows["exemplars"])
    value = sent.WhichOneof("value")
    rows["exemplars"].append(
        (
            owner,
            sent.time_unix_nano,
            sent.as_int if value == "as_int" else None,
            without_nan(sent.as_double) if value == "as_double" else None,
            sent.trace_id,
            sent.span_id,
        )
    )
    add_attributes(rows["exemplar_attributes"], row, sent.filtered_attributes)
    sound = (not sent.trace_id or is_id(sent.trace_id, 16)) and (
        not sent.span_id or is_id(sent.span_id, 8)
    )
    return not sound
