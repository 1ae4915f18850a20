-- table: span_of_id
-- One row a span id of a trace: the first span that has it.
--   trace_no  BIGINT   row number of the trace
--   span_id   UBIGINT  the id
--   span_no   BIGINT   row number of the first span that has it
--   copies    BIGINT   how many spans have it
SELECT trace.trace_no, span.span_id, min(span.span_no) AS span_no, count(*) AS copies
FROM stored.span AS span
JOIN trace USING (trace_id)
GROUP BY trace.trace_no, span.span_id
