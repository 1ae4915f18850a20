"""The columnar unit that travels from the wire to the store: Arrow tables of some OTLP requests.

Rows refer to rows of other tables of the same batch by position: `resource`, `scope` and `owner`
are row numbers. Nothing of a request is lost on the way, whatever its shape; only spans whose ids
are not ids are left out, and counted in `rejections`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

_ORIGIN: Final = [
    ("request", pa.uint32()),  # position of the request in the batch
    ("resource", pa.uint32()),
    ("scope", pa.uint32()),
]

SPANS: Final = pa.schema(
    [
        *_ORIGIN,
        ("trace_id", pa.binary(16)),
        ("span_id", pa.uint64()),  # the eight bytes read big-endian
        ("parent_span_id", pa.uint64()),  # null: the span says it has no parent
        ("trace_state", pa.string()),
        ("flags", pa.uint32()),
        ("name", pa.string()),
        ("kind", pa.int32()),
        ("start_ns", pa.uint64()),
        ("end_ns", pa.uint64()),
        ("status_code", pa.int32()),
        ("status_message", pa.string()),
        ("dropped_attributes", pa.uint32()),
        ("dropped_events", pa.uint32()),
        ("dropped_links", pa.uint32()),
    ]
)

EVENTS: Final = pa.schema(
    [
        ("owner", pa.uint32()),  # row of `spans`
        ("time_ns", pa.uint64()),
        ("name", pa.string()),
        ("dropped_attributes", pa.uint32()),
    ]
)

LINKS: Final = pa.schema(
    [
        ("owner", pa.uint32()),  # row of `spans`
        ("trace_id", pa.binary()),  # as sent: a link may name ids that are none
        ("span_id", pa.binary()),
        ("trace_state", pa.string()),
        ("flags", pa.uint32()),
        ("dropped_attributes", pa.uint32()),
    ]
)

LOGS: Final = pa.schema(
    [
        *_ORIGIN,
        ("time_ns", pa.uint64()),
        ("observed_ns", pa.uint64()),
        ("severity_number", pa.int32()),
        ("severity_text", pa.string()),
        ("event_name", pa.string()),
        ("body_type", pa.string()),  # an attribute type, below
        ("body", pa.string()),
        ("trace_id", pa.binary(16)),  # null: none, or not 16 bytes, or all zero
        ("span_id", pa.uint64()),  # null: none, or not 8 bytes, or all zero
        ("flags", pa.uint32()),
        ("dropped_attributes", pa.uint32()),
    ]
)

# What the points of one metric have in common.
METRICS: Final = pa.schema(
    [
        ("name", pa.string()),
        ("description", pa.string()),
        ("unit", pa.string()),
        ("kind", pa.string()),  # gauge, sum, histogram, exponential_histogram or summary
        ("temporality", pa.int32()),  # as sent; null: points of this kind have none
        ("is_monotonic", pa.bool_()),  # null: points of this kind are no sums
    ]
)

# Null: points of this kind have no such field, or none was sent where that is told apart from zero
# (int_value, double_value, sum, min, max).
POINTS: Final = pa.schema(
    [
        *_ORIGIN,
        ("metric", pa.uint32()),  # row of `metrics`
        ("start_ns", pa.uint64()),
        ("time_ns", pa.uint64()),
        ("flags", pa.uint32()),
        ("int_value", pa.int64()),
        ("double_value", pa.float64()),
        ("count", pa.uint64()),
        ("sum", pa.float64()),
        ("min", pa.float64()),
        ("max", pa.float64()),
        ("bucket_counts", pa.list_(pa.uint64())),
        ("bounds", pa.list_(pa.float64())),
        ("scale", pa.int32()),
        ("zero_count", pa.uint64()),
        ("zero_threshold", pa.float64()),
        ("positive_offset", pa.int32()),
        ("positive_counts", pa.list_(pa.uint64())),
        ("negative_offset", pa.int32()),
        ("negative_counts", pa.list_(pa.uint64())),
        ("quantiles", pa.list_(pa.float64())),
        ("quantile_values", pa.list_(pa.float64())),
    ]
)

EXEMPLARS: Final = pa.schema(
    [
        ("owner", pa.uint32()),  # row of `points`
        ("time_ns", pa.uint64()),
        ("int_value", pa.int64()),
        ("double_value", pa.float64()),
        ("trace_id", pa.binary()),  # as sent: an exemplar may name ids that are none, or no ids
        ("span_id", pa.binary()),
    ]
)

# What one alert of an Alertmanager webhook says, and what is said of all alerts of the webhook.
ALERTS: Final = pa.schema(
    [
        ("request", pa.uint32()),  # position of the webhook in the batch
        ("status", pa.string()),  # firing or resolved
        ("starts_ns", pa.uint64()),  # null: none was sent
        ("ends_ns", pa.uint64()),  # null: not known yet, so it still fires
        ("fingerprint", pa.string()),
        ("generator_url", pa.string()),
        ("labels", pa.string()),  # a JSON object of texts
        ("annotations", pa.string()),  # a JSON object of texts
        ("receiver", pa.string()),
        ("group_key", pa.string()),
        ("notification", pa.string()),  # a JSON object: the rest of the webhook's fields
    ]
)

RESOURCES: Final = pa.schema([("schema_url", pa.string()), ("dropped_attributes", pa.uint32())])

SCOPES: Final = pa.schema(
    [
        ("name", pa.string()),
        ("version", pa.string()),
        ("schema_url", pa.string()),
        ("dropped_attributes", pa.uint32()),
    ]
)

# Types: string, bool, int, double, bytes, array, kvlist, empty (no value was set).
# Values as text: true/false; decimal integers; the shortest decimal that reads back as the same
# double (NaN, Infinity, -Infinity); base64; arrays and kvlists as JSON, in which what JSON cannot
# say is an object with one reserved key: {"$bytes": base64}, {"$double": "NaN"}, {"$empty": true},
# and {"$kvlist": [[key, value], ...]} for a list with a repeated key or one that starts with "$".
ATTRIBUTES: Final = pa.schema(
    [
        ("owner", pa.uint32()),  # row of the table the attributes belong to
        ("key", pa.dictionary(pa.int32(), pa.string())),
        ("type", pa.dictionary(pa.int8(), pa.string())),
        ("value", pa.dictionary(pa.int32(), pa.string())),  # not each value is there once only
    ]
)

REJECTIONS: Final = pa.schema(
    [
        ("request", pa.uint32()),
        ("rejected", pa.uint32()),  # spans left out of this request; 0: a warning
        ("reason", pa.string()),  # one sentence for the sender
    ]
)


def _empty(schema: pa.Schema) -> Callable[[], pa.Table]:
    table = schema.empty_table()
    return lambda: table


@dataclass(frozen=True, slots=True)
class Batch:
    """Some OTLP requests as Arrow tables, each with the schema of the same name above.

    Attribute tables keep the order in which the attributes came.
    """

    requests: int
    resources: pa.Table
    resource_attributes: pa.Table
    scopes: pa.Table
    scope_attributes: pa.Table
    spans: pa.Table
    span_attributes: pa.Table
    events: pa.Table
    event_attributes: pa.Table
    links: pa.Table
    link_attributes: pa.Table
    logs: pa.Table
    log_attributes: pa.Table
    rejections: pa.Table
    metrics: pa.Table = field(default_factory=_empty(METRICS))
    metric_attributes: pa.Table = field(default_factory=_empty(ATTRIBUTES))
    points: pa.Table = field(default_factory=_empty(POINTS))
    point_attributes: pa.Table = field(default_factory=_empty(ATTRIBUTES))
    exemplars: pa.Table = field(default_factory=_empty(EXEMPLARS))
    exemplar_attributes: pa.Table = field(default_factory=_empty(ATTRIBUTES))
    alerts: pa.Table = field(default_factory=_empty(ALERTS))


def batch_of_alerts(requests: int, alerts: pa.Table) -> Batch:
    """A batch of webhooks, which bring alerts and nothing else."""
    attributes = ATTRIBUTES.empty_table()
    return Batch(
        requests=requests,
        resources=RESOURCES.empty_table(),
        resource_attributes=attributes,
        scopes=SCOPES.empty_table(),
        scope_attributes=attributes,
        spans=SPANS.empty_table(),
        span_attributes=attributes,
        events=EVENTS.empty_table(),
        event_attributes=attributes,
        links=LINKS.empty_table(),
        link_attributes=attributes,
        logs=LOGS.empty_table(),
        log_attributes=attributes,
        rejections=REJECTIONS.empty_table(),
        alerts=alerts,
    )
