-- view: span_attribute
-- One row an attribute of a span.
--   trace_id  VARCHAR  32 lower-case hex digits
--   span_id   VARCHAR  16 lower-case hex digits
--   key       VARCHAR  as sent
--   type      VARCHAR  string, bool, int, double, bytes, array, kvlist or empty
--   value     VARCHAR  as text: bytes in base64, arrays and kvlists as JSON
--   span_no   BIGINT   row number of the span in this store
SELECT
    lower(hex(span.trace_id)) AS trace_id,
    format('{:016x}', span.span_id) AS span_id,
    attribute.key,
    attribute.type,
    attribute.value,
    attribute.span_no
FROM stored.span_attribute AS attribute
JOIN stored.span AS span USING (span_no)
