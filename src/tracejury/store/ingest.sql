-- Hashes of incoming records: what makes two of them the same. Attributes count in any order.

-- name: resource
SELECT
    hash(resource.schema_url, resource.dropped_attributes, coalesce(attributes.digest, 0)) AS id
FROM incoming_resource AS resource
LEFT JOIN (
    SELECT owner, sum(hash(key, type, value)) AS digest
    FROM incoming_resource_attribute
    GROUP BY owner
) AS attributes ON attributes.owner = resource.row
ORDER BY resource.row;

-- name: scope
SELECT
    hash(
        scope.name, scope.version, scope.schema_url, scope.dropped_attributes,
        coalesce(attributes.digest, 0)
    ) AS id
FROM incoming_scope AS scope
LEFT JOIN (
    SELECT owner, sum(hash(key, type, value)) AS digest
    FROM incoming_scope_attribute
    GROUP BY owner
) AS attributes ON attributes.owner = scope.row
ORDER BY scope.row;

-- name: span
WITH attributes AS (
    SELECT owner, sum(hash(key, type, value)) AS digest
    FROM incoming_span_attribute
    GROUP BY owner
),
event_attributes AS (
    SELECT owner, sum(hash(key, type, value)) AS digest
    FROM incoming_event_attribute
    GROUP BY owner
),
events AS (
    SELECT
        event.owner,
        sum(hash(
            event.time_ns, event.name, event.dropped_attributes,
            coalesce(event_attributes.digest, 0)
        )) AS digest
    FROM incoming_event AS event
    LEFT JOIN event_attributes ON event_attributes.owner = event.row
    GROUP BY event.owner
),
link_attributes AS (
    SELECT owner, sum(hash(key, type, value)) AS digest
    FROM incoming_link_attribute
    GROUP BY owner
),
links AS (
    SELECT
        link.owner,
        sum(hash(
            link.trace_id, link.span_id, link.trace_state, link.flags, link.dropped_attributes,
            coalesce(link_attributes.digest, 0)
        )) AS digest
    FROM incoming_link AS link
    LEFT JOIN link_attributes ON link_attributes.owner = link.row
    GROUP BY link.owner
)
SELECT
    hash(
        span.trace_id, span.span_id, span.parent_span_id, span.trace_state, span.flags,
        span.name, span.kind, span.start_ns, span.end_ns, span.status_code,
        span.status_message, span.dropped_attributes, span.dropped_events,
        span.dropped_links, span.resource_id, span.scope_id,
        coalesce(attributes.digest, 0), coalesce(events.digest, 0), coalesce(links.digest, 0)
    ) AS id
FROM incoming_span AS span
LEFT JOIN attributes ON attributes.owner = span.row
LEFT JOIN events ON events.owner = span.row
LEFT JOIN links ON links.owner = span.row
ORDER BY span.row;

-- name: log
WITH attributes AS (
    SELECT owner, sum(hash(key, type, value)) AS digest
    FROM incoming_log_attribute
    GROUP BY owner
)
SELECT
    hash(
        log.time_ns, log.observed_ns, log.severity_number, log.severity_text, log.event_name,
        log.body_type, log.body, log.trace_id, log.span_id, log.flags,
        log.dropped_attributes, log.resource_id, log.scope_id,
        coalesce(attributes.digest, 0)
    ) AS id
FROM incoming_log AS log
LEFT JOIN attributes ON attributes.owner = log.row
ORDER BY log.row;
