-- table: trace
-- One row a trace id of which at least one span is stored.
--   trace_no  BIGINT  dense row number, in the order in which they began, whatever came first
--   trace_id  BLOB    16 bytes
SELECT
    row_number() OVER (ORDER BY began_ns NULLS LAST, trace_id) - 1 AS trace_no,
    trace_id
FROM (
    SELECT span.trace_id, min(nullif(span.start_ns, 0)) AS began_ns
    FROM stored.span AS span
    GROUP BY span.trace_id
)
