-- view: span
-- One row a distinct stored span.
--   trace_id            VARCHAR   32 lower-case hex digits
--   span_id             VARCHAR   16 lower-case hex digits
--   parent_span_id      VARCHAR   16 lower-case hex digits; NULL: the span names no parent
--   service             VARCHAR   service.name of its resource; '' where none was sent
--   name                VARCHAR   the span's name
--   kind                VARCHAR   UNSPECIFIED, INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER, or the number sent
--   status              VARCHAR   UNSET, OK, ERROR, or the number sent
--   status_message      VARCHAR   '' where none was sent
--   start_ns            UBIGINT   nanoseconds since 1970
--   end_ns              UBIGINT   nanoseconds since 1970; 0: none was sent
--   duration_ns         BIGINT    NULL where the end is missing or before the start
--   flags               UINTEGER  as sent: bits 8 and 9 tell whether the parent is remote
--   trace_state         VARCHAR   as sent
--   scope_name          VARCHAR   instrumentation scope
--   scope_version       VARCHAR   its version
--   instance_id         VARCHAR   the process that sent it; NULL where nothing tells
--   received_ns         UBIGINT   when the receiver stored it, by its own clock
--   duplicates          BIGINT    how often the identical span arrived again
--   dropped_attributes  UINTEGER  counts that the SDK reported
--   dropped_events      UINTEGER
--   dropped_links       UINTEGER
--   span_no             BIGINT    row number in this store, in the order of arrival
SELECT
    lower(hex(span.trace_id)) AS trace_id,
    format('{:016x}', span.span_id) AS span_id,
    format('{:016x}', span.parent_span_id) AS parent_span_id,
    resource.service,
    span.name,
    CASE span.kind
        WHEN 0 THEN 'UNSPECIFIED' WHEN 1 THEN 'INTERNAL' WHEN 2 THEN 'SERVER'
        WHEN 3 THEN 'CLIENT' WHEN 4 THEN 'PRODUCER' WHEN 5 THEN 'CONSUMER'
        ELSE span.kind::VARCHAR
    END AS kind,
    CASE span.status_code
        WHEN 0 THEN 'UNSET' WHEN 1 THEN 'OK' WHEN 2 THEN 'ERROR'
        ELSE span.status_code::VARCHAR
    END AS status,
    span.status_message,
    span.start_ns,
    span.end_ns,
    CASE
        WHEN span.end_ns >= span.start_ns AND span.start_ns > 0
            AND span.end_ns - span.start_ns <= 9223372036854775807
        THEN (span.end_ns - span.start_ns)::BIGINT
    END AS duration_ns,
    span.flags,
    span.trace_state,
    scope.name AS scope_name,
    scope.version AS scope_version,
    resource.instance_id,
    span.received_ns,
    coalesce(again.duplicates, 0) AS duplicates,
    span.dropped_attributes,
    span.dropped_events,
    span.dropped_links,
    span.span_no
FROM stored.span AS span
LEFT JOIN resource USING (resource_id)
LEFT JOIN stored.scope AS scope USING (scope_id)
LEFT JOIN (
    SELECT identity, count(*) AS duplicates
    FROM stored.duplicate_span
    GROUP BY identity
) AS again ON again.identity = span.identity
