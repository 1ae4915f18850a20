-- view: span_event
-- One row an event of a span.
--   trace_id            VARCHAR   32 lower-case hex digits
--   span_id             VARCHAR   16 lower-case hex digits
--   time_ns             UBIGINT   nanoseconds since 1970
--   name                VARCHAR   as sent, for example 'exception'
--   attributes          VARCHAR   JSON object of its attributes, every value as text
--   dropped_attributes  UINTEGER  count that the SDK reported
--   span_no             BIGINT    row number of the span in this store
--   event_no            BIGINT    row number of the event in this store
SELECT
    lower(hex(span.trace_id)) AS trace_id,
    format('{:016x}', span.span_id) AS span_id,
    event.time_ns,
    event.name,
    coalesce(attributes.object, '{}') AS attributes,
    event.dropped_attributes,
    event.span_no,
    event.event_no
FROM stored.span_event AS event
JOIN stored.span AS span USING (span_no)
LEFT JOIN (
    SELECT event_no, json_group_object(key, value)::VARCHAR AS object
    FROM stored.event_attribute
    GROUP BY event_no
) AS attributes USING (event_no)
