"""Read a store back as batches: what was decoded, request by request, for export."""

from collections.abc import Callable, Iterator
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tracejury.store.reader import Reader
from tracejury.telemetry import batch as layout
from tracejury.telemetry.batch import Batch, batch_of_alerts

_REQUESTS_AT_ONCE: Final = 64
_SIGNALS: Final = ("traces", "logs", "metrics")


def stored_batches(
    reader: Reader, on_progress: Callable[[int, int], None] = lambda *_: None
) -> Iterator[Batch]:
    """Everything stored, in the order of arrival; a request that was stored is never split.

    Each batch has the requests of one signal, and none without a record. `on_progress` is told how
    many requests have been read, and how many there are.
    """
    [bounds] = reader.rows("""
        SELECT coalesce(min(request_no), 0) AS first, coalesce(max(request_no) + 1, 0) AS end
        FROM (
            SELECT request_no FROM stored.span
            UNION ALL
            SELECT request_no FROM stored.log_record
            UNION ALL
            SELECT request_no FROM stored.metric_point
            UNION ALL
            SELECT notification_no FROM stored.alert
        )
    """)
    for first in range(bounds["first"], bounds["end"], _REQUESTS_AT_ONCE):
        for signal in _SIGNALS:
            batch = _batch(reader, first, first + _REQUESTS_AT_ONCE, signal)
            if batch.requests:
                yield batch
        alerts = reader.arrow(_ALERTS, {"first": first, "end": first + _REQUESTS_AT_ONCE})
        if alerts.num_rows:
            webhooks = pc.max(alerts["request"]).as_py() + 1
            yield batch_of_alerts(webhooks, alerts.cast(layout.ALERTS))
        read = min(first + _REQUESTS_AT_ONCE, bounds["end"]) - bounds["first"]
        on_progress(read, bounds["end"] - bounds["first"])


def _batch(reader: Reader, first: int, end: int, signal: str) -> Batch:
    bounds = {"first": first, "end": end, "signal": signal}
    for name, sql in _WORKING.items():
        parameters = bounds if "$first" in sql else {}
        reader.register(name, reader.arrow(sql, parameters))
    requests = reader.value("""
        SELECT greatest(
            (SELECT coalesce(max(request) + 1, 0) FROM exported_span),
            (SELECT coalesce(max(request) + 1, 0) FROM exported_log),
            (SELECT coalesce(max(request) + 1, 0) FROM exported_point)
        )
    """)

    def table(sql: str, schema: pa.Schema) -> pa.Table:
        return reader.arrow(sql).cast(schema)

    return Batch(
        requests=int(requests),
        resources=table(
            """
            SELECT resource.schema_url, resource.dropped_attributes
            FROM exported_resource JOIN stored.resource AS resource USING (resource_id)
            ORDER BY row
            """,
            layout.RESOURCES,
        ),
        resource_attributes=table(_origin_attributes("resource", "resource_id"), layout.ATTRIBUTES),
        scopes=table(
            """
            SELECT scope.name, scope.version, scope.schema_url, scope.dropped_attributes
            FROM exported_scope JOIN stored.scope AS scope USING (scope_id)
            ORDER BY row
            """,
            layout.SCOPES,
        ),
        scope_attributes=table(_origin_attributes("scope", "scope_id"), layout.ATTRIBUTES),
        spans=reader.arrow(_SPANS).cast(layout.SPANS),
        span_attributes=table(_attributes("span", "span_no"), layout.ATTRIBUTES),
        events=table(
            """
            SELECT owner, event.time_ns, event.name, event.dropped_attributes
            FROM exported_event JOIN stored.span_event AS event USING (event_no)
            ORDER BY row
            """,
            layout.EVENTS,
        ),
        event_attributes=table(_attributes("event", "event_no"), layout.ATTRIBUTES),
        links=table(
            """
            SELECT owner, link.trace_id, link.span_id, link.trace_state, link.flags,
                link.dropped_attributes
            FROM exported_link JOIN stored.span_link AS link USING (link_no)
            ORDER BY row
            """,
            layout.LINKS,
        ),
        link_attributes=table(_attributes("link", "link_no"), layout.ATTRIBUTES),
        logs=reader.arrow(_LOGS).cast(layout.LOGS),
        log_attributes=table(_attributes("log", "log_no"), layout.ATTRIBUTES),
        rejections=layout.REJECTIONS.empty_table(),
        metrics=table(_METRICS, layout.METRICS),
        metric_attributes=table(_origin_attributes("metric", "metric_id"), layout.ATTRIBUTES),
        points=table(_POINTS, layout.POINTS),
        point_attributes=table(_attributes("point", "point_no"), layout.ATTRIBUTES),
        exemplars=table(_EXEMPLARS, layout.EXEMPLARS),
        exemplar_attributes=table(_attributes("exemplar", "exemplar_no"), layout.ATTRIBUTES),
    )


# Which rows a batch has, and which row number each gets.
_WORKING: Final = {
    "exported_span": """
        SELECT
            span_no,
            row_number() OVER (ORDER BY span_no) - 1 AS row,
            dense_rank() OVER (ORDER BY request_no) - 1 AS request
        FROM stored.span
        WHERE request_no >= $first AND request_no < $end AND $signal = 'traces'
    """,
    "exported_log": """
        SELECT
            log_no,
            row_number() OVER (ORDER BY log_no) - 1 AS row,
            dense_rank() OVER (ORDER BY request_no) - 1 AS request
        FROM stored.log_record
        WHERE request_no >= $first AND request_no < $end AND $signal = 'logs'
    """,
    "exported_point": """
        SELECT
            point_no,
            row_number() OVER (ORDER BY point_no) - 1 AS row,
            dense_rank() OVER (ORDER BY request_no) - 1 AS request
        FROM stored.metric_point
        WHERE request_no >= $first AND request_no < $end AND $signal = 'metrics'
    """,
    "exported_exemplar": """
        SELECT exemplar.exemplar_no, point.row AS owner,
            row_number() OVER (ORDER BY exemplar.exemplar_no) - 1 AS row
        FROM stored.exemplar AS exemplar JOIN exported_point AS point USING (point_no)
    """,
    "exported_metric": """
        SELECT metric_id, row_number() OVER (ORDER BY metric_id) - 1 AS row
        FROM (
            SELECT DISTINCT point.metric_id
            FROM exported_point JOIN stored.metric_point AS point USING (point_no)
        )
    """,
    "exported_event": """
        SELECT event.event_no, span.row AS owner,
            row_number() OVER (ORDER BY event.event_no) - 1 AS row
        FROM stored.span_event AS event JOIN exported_span AS span USING (span_no)
    """,
    "exported_link": """
        SELECT link.link_no, span.row AS owner,
            row_number() OVER (ORDER BY link.link_no) - 1 AS row
        FROM stored.span_link AS link JOIN exported_span AS span USING (span_no)
    """,
    "exported_resource": """
        SELECT resource_id, row_number() OVER (ORDER BY resource_id) - 1 AS row
        FROM (
            SELECT span.resource_id
            FROM exported_span JOIN stored.span AS span USING (span_no)
            UNION
            SELECT log.resource_id
            FROM exported_log JOIN stored.log_record AS log USING (log_no)
            UNION
            SELECT point.resource_id
            FROM exported_point JOIN stored.metric_point AS point USING (point_no)
        )
    """,
    "exported_scope": """
        SELECT scope_id, row_number() OVER (ORDER BY scope_id) - 1 AS row
        FROM (
            SELECT span.scope_id
            FROM exported_span JOIN stored.span AS span USING (span_no)
            UNION
            SELECT log.scope_id
            FROM exported_log JOIN stored.log_record AS log USING (log_no)
            UNION
            SELECT point.scope_id
            FROM exported_point JOIN stored.metric_point AS point USING (point_no)
        )
    """,
}

_SPANS: Final = """
    SELECT
        exported.request, resource.row AS resource, scope.row AS scope,
        span.trace_id, span.span_id, span.parent_span_id, span.trace_state, span.flags, span.name,
        span.kind, span.start_ns, span.end_ns, span.status_code, span.status_message,
        span.dropped_attributes, span.dropped_events, span.dropped_links
    FROM exported_span AS exported
    JOIN stored.span AS span USING (span_no)
    JOIN exported_resource AS resource USING (resource_id)
    JOIN exported_scope AS scope USING (scope_id)
    ORDER BY exported.row
"""

_LOGS: Final = """
    SELECT
        exported.request, resource.row AS resource, scope.row AS scope,
        log.time_ns, log.observed_ns, log.severity_number, log.severity_text, log.event_name,
        log.body_type, log.body, log.trace_id, log.span_id, log.flags, log.dropped_attributes
    FROM exported_log AS exported
    JOIN stored.log_record AS log USING (log_no)
    JOIN exported_resource AS resource USING (resource_id)
    JOIN exported_scope AS scope USING (scope_id)
    ORDER BY exported.row
"""

_METRICS: Final = """
    SELECT
        metric.name, metric.description, metric.unit, metric.kind, metric.temporality,
        metric.is_monotonic
    FROM exported_metric
    JOIN stored.metric AS metric USING (metric_id)
    ORDER BY row
"""

_POINTS: Final = """
    SELECT
        exported.request, resource.row AS resource, scope.row AS scope, metric.row AS metric,
        point.start_ns, point.time_ns, point.flags, point.int_value, point.double_value,
        point.count, point.sum, point.min, point.max, point.bucket_counts, point.bounds,
        point.scale, point.zero_count, point.zero_threshold, point.positive_offset,
        point.positive_counts, point.negative_offset, point.negative_counts, point.quantiles,
        point.quantile_values
    FROM exported_point AS exported
    JOIN stored.metric_point AS point USING (point_no)
    JOIN exported_resource AS resource USING (resource_id)
    JOIN exported_scope AS scope USING (scope_id)
    JOIN exported_metric AS metric USING (metric_id)
    ORDER BY exported.row
"""

_EXEMPLARS: Final = """
    SELECT
        owner, exemplar.time_ns, exemplar.int_value, exemplar.double_value, exemplar.trace_id,
        exemplar.span_id
    FROM exported_exemplar
    JOIN stored.exemplar AS exemplar USING (exemplar_no)
    ORDER BY row
"""

_ALERTS: Final = """
    SELECT
        dense_rank() OVER (ORDER BY notification_no) - 1 AS request, status, starts_ns, ends_ns,
        fingerprint, generator_url, labels, annotations, receiver, group_key, notification
    FROM stored.alert
    WHERE notification_no >= $first AND notification_no < $end
    ORDER BY alert_no
"""


# The names in these come from this file alone.
def _attributes(kind: str, number: str) -> str:
    return f"""
        SELECT exported.row AS owner, name.key, name.type, attribute.value
        FROM stored.{kind}_value AS attribute
        JOIN stored.attribute_key AS name USING (key_no)
        JOIN exported_{kind} AS exported USING ({number})
        ORDER BY exported.row, attribute.rowid
    """  # noqa: S608


def _origin_attributes(kind: str, number: str) -> str:
    return f"""
        SELECT exported.row AS owner, attribute.key, attribute.type, attribute.value
        FROM stored.{kind}_attribute AS attribute
        JOIN exported_{kind} AS exported USING ({number})
        ORDER BY exported.row, attribute.rowid
    """  # noqa: S608
