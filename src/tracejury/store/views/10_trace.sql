-- table: trace
-- One row a trace id of which at least one span is stored.
--   trace_no  BIGINT  dense row number, in the order of first arrival
--   trace_id  BLOB    16 bytes
SELECT
    row_number() OVER (ORDER BY first_span_no) - 1 AS trace_no,
    trace_id
FROM (
    SELECT span.trace_id, min(span.span_no) AS first_span_no
    FROM stored.span AS span
    GROUP BY span.trace_id
)
