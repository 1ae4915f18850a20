"""Data points as OTLP/JSON writes them, under the metrics that they belong to."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import groupby
from operator import itemgetter
from typing import Final

from tracejury.otlp.encode_values import ByOwner, Row, attributes_of, double, nanoseconds, present
from tracejury.telemetry.batch import Batch

_DATA: Final = {
    "gauge": "gauge",
    "sum": "sum",
    "histogram": "histogram",
    "exponential_histogram": "exponentialHistogram",
    "summary": "summary",
}

_DOUBLES: Final = {
    "double_value": "asDouble",
    "sum": "sum",
    "min": "min",
    "max": "max",
    "zero_threshold": "zeroThreshold",
}


def point_writer(batch: Batch) -> Callable[[int, Row], Row]:
    """What writes a row of `points`: its metric's row in the batch, the metric, and the point."""
    attributes = attributes_of(batch.point_attributes)
    metadata = attributes_of(batch.metric_attributes)
    exemplars = _exemplars(batch)
    metrics = batch.metrics.to_pylist()

    def write(row: int, point: Row) -> Row:
        metric = metrics[point["metric"]]
        return {
            "row": point["metric"],
            "metric": metric | {"metadata": metadata[point["metric"]]},
            "point": present(
                {
                    "attributes": attributes[row],
                    "startTimeUnixNano": nanoseconds(point["start_ns"]),
                    "timeUnixNano": nanoseconds(point["time_ns"]),
                    "flags": point["flags"],
                    "exemplars": exemplars[row],
                    **_distribution(point),
                }
            )
            | _sent(point),
        }

    return write


def metrics_of(points: list[Row]) -> list[Row]:
    """The metrics of what a point's writer gave, in order."""
    by_metric = [list(inner) for _, inner in groupby(points, itemgetter("row"))]
    return [_metric(inner[0]["metric"], [row["point"] for row in inner]) for inner in by_metric]


def _metric(metric: Row, points: list[Row]) -> Row:
    data = {
        "dataPoints": points,
        "aggregationTemporality": metric["temporality"],
        "isMonotonic": metric["is_monotonic"],
    }
    return present(
        {
            "name": metric["name"],
            "description": metric["description"],
            "unit": metric["unit"],
            "metadata": metric["metadata"],
            _DATA[metric["kind"]]: present(data),
        }
    )


def _distribution(point: Row) -> Row:
    return {
        "count": _integer(point["count"]),
        "bucketCounts": _integers(point["bucket_counts"]),
        "explicitBounds": [double(bound) for bound in point["bounds"] or ()],
        "scale": point["scale"],
        "zeroCount": _integer(point["zero_count"]),
        "positive": _buckets(point["positive_offset"], point["positive_counts"]),
        "negative": _buckets(point["negative_offset"], point["negative_counts"]),
        "quantileValues": [
            {"quantile": double(quantile), "value": double(value)}
            for quantile, value in zip(
                point["quantiles"] or (), point["quantile_values"] or (), strict=True
            )
        ],
    }


def _sent(row: Row) -> Row:
    """The values; one that is zero, or minus zero, is not one that is absent."""
    sent: Row = {}
    if row["int_value"] is not None:
        sent["asInt"] = str(row["int_value"])
    for column, name in _DOUBLES.items():
        if row.get(column) is not None:
            sent[name] = double(row[column])
    return sent


def _buckets(offset: int | None, counts: list[int] | None) -> Row:
    return present({"offset": offset, "bucketCounts": _integers(counts)})


def _exemplars(batch: Batch) -> ByOwner:
    attributes = attributes_of(batch.exemplar_attributes)
    exemplars: ByOwner = defaultdict(list)
    for row, exemplar in enumerate(batch.exemplars.to_pylist()):
        exemplars[exemplar["owner"]].append(
            present(
                {
                    "timeUnixNano": nanoseconds(exemplar["time_ns"]),
                    "filteredAttributes": attributes[row],
                    "traceId": exemplar["trace_id"].hex(),
                    "spanId": exemplar["span_id"].hex(),
                }
            )
            | _sent(exemplar)
        )
    return exemplars


def _integer(number: int | None) -> str | None:
    return str(number) if number else None


def _integers(numbers: Iterable[int] | None) -> list[str]:
    return [str(number) for number in numbers or ()]
