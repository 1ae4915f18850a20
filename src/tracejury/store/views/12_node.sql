-- table: node
-- One row a stored span, with its parent looked up inside its own trace.
--   span_no         BIGINT    row number of the span
--   trace_no        BIGINT    row number of the trace
--   parent_no       BIGINT    row number of the parent span; NULL: none is named, or it is not stored
--   missing_parent  UBIGINT   id of the parent that is named and not stored; NULL otherwise
--   span_id         UBIGINT   its own id
--   service         VARCHAR   service.name
--   instance_id     VARCHAR   process that sent it
--   host            VARCHAR   host that sent it
--   scope_name      VARCHAR   instrumentation scope
--   name            VARCHAR   span name
--   kind            VARCHAR   span kind
--   status          VARCHAR   UNSET, OK or ERROR
--   status_message  VARCHAR   '' where none was sent
--   start_ns        BIGINT    nanoseconds since 1970; NULL where unusable, or so late that nothing can be added
--   end_ns          BIGINT    nanoseconds since 1970; NULL where missing or before the start
--   duration_ns     BIGINT    end_ns - start_ns
--   flags           UINTEGER  as sent
--   received_ns     UBIGINT   arrival by the receiver's clock
-- joins: as written
-- A span id that several spans share (a client and a server half in B3 style, a doubled pipeline):
-- a child belongs to the one of its own process.
WITH twin AS (
    SELECT trace.trace_no, span.span_id, span.resource_id, min(span.span_no) AS span_no
    FROM stored.span AS span
    JOIN trace USING (trace_id)
    JOIN span_of_id USING (trace_no, span_id)
    WHERE span_of_id.copies > 1
    GROUP BY ALL
),
-- In B3 style a server answers under the id of the call, and names the call's parent as its own.
called AS (
    SELECT trace.trace_no, span.span_id, min(span.span_no) AS span_no
    FROM stored.span AS span
    JOIN trace USING (trace_id)
    JOIN span_of_id USING (trace_no, span_id)
    WHERE span_of_id.copies > 1
        AND span.kind = 3
    GROUP BY ALL
)
SELECT
    span.span_no,
    trace.trace_no,
    coalesce(called.span_no, twin.span_no, parent.span_no) AS parent_no,
    CASE
        WHEN parent.span_no IS NULL AND called.span_no IS NULL THEN span.parent_span_id
    END AS missing_parent,
    span.span_id,
    resource.service,
    resource.instance_id,
    resource.host,
    scope.name AS scope_name,
    span.name,
    CASE span.kind
        WHEN 0 THEN 'UNSPECIFIED' WHEN 1 THEN 'INTERNAL' WHEN 2 THEN 'SERVER'
        WHEN 3 THEN 'CLIENT' WHEN 4 THEN 'PRODUCER' WHEN 5 THEN 'CONSUMER'
        ELSE span.kind::VARCHAR
    END AS kind,
    CASE span.status_code WHEN 0 THEN 'UNSET' WHEN 1 THEN 'OK' WHEN 2 THEN 'ERROR'
        ELSE span.status_code::VARCHAR
    END AS status,
    span.status_message,
    -- A bound that leaves room for what is added to times.
    CASE WHEN span.start_ns BETWEEN 1 AND 9000000000000000000 THEN span.start_ns::BIGINT END
        AS start_ns,
    CASE
        WHEN span.start_ns > 0 AND span.end_ns BETWEEN span.start_ns AND 9000000000000000000
        THEN span.end_ns::BIGINT
    END AS end_ns,
    CASE
        WHEN span.start_ns > 0 AND span.end_ns BETWEEN span.start_ns AND 9000000000000000000
        THEN (span.end_ns - span.start_ns)::BIGINT
    END AS duration_ns,
    span.flags,
    span.received_ns
FROM stored.span AS span
JOIN trace USING (trace_id)
LEFT JOIN resource USING (resource_id)
LEFT JOIN stored.scope AS scope USING (scope_id)
LEFT JOIN span_of_id AS parent
    ON parent.trace_no = trace.trace_no
    AND parent.span_id = span.parent_span_id
LEFT JOIN twin
    ON twin.trace_no = trace.trace_no
    AND twin.span_id = span.parent_span_id
    AND twin.resource_id = span.resource_id
LEFT JOIN called
    ON called.trace_no = trace.trace_no
    AND called.span_id = span.span_id
    AND span.kind = 2
