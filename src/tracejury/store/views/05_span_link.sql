-- view: span_link
-- One row a link of a span to another span.
--   trace_id            VARCHAR   32 lower-case hex digits
--   span_id             VARCHAR   16 lower-case hex digits
--   linked_trace_id     VARCHAR   hex digits of what was sent
--   linked_span_id      VARCHAR   hex digits of what was sent
--   trace_state         VARCHAR   of the linked context
--   flags               UINTEGER  as sent
--   attributes          VARCHAR   JSON object of its attributes, every value as text
--   dropped_attributes  UINTEGER  count that the SDK reported
--   span_no             BIGINT    row number of the linking span in this store
SELECT
    lower(hex(span.trace_id)) AS trace_id,
    format('{:016x}', span.span_id) AS span_id,
    lower(hex(link.trace_id)) AS linked_trace_id,
    lower(hex(link.span_id)) AS linked_span_id,
    link.trace_state,
    link.flags,
    coalesce(attributes.object, '{}') AS attributes,
    link.dropped_attributes,
    link.span_no
FROM stored.span_link AS link
JOIN stored.span AS span USING (span_no)
LEFT JOIN (
    SELECT link_no, json_group_object(key, value)::VARCHAR AS object
    FROM stored.link_attribute
    GROUP BY link_no
) AS attributes USING (link_no)
