-- view: span_reference
-- One row a stored span, as a finding refers to it.
--   span_no    BIGINT                                     row number of the span
--   start_ns   BIGINT                                     nanoseconds since 1970; NULL where unusable
--   reference  STRUCT(trace_id VARCHAR, span_id VARCHAR)  its ids in lower-case hex digits
SELECT
    node.span_no,
    node.start_ns,
    {'trace_id': lower(hex(trace.trace_id)), 'span_id': format('{:016x}', node.span_id)} AS reference
FROM node
JOIN trace USING (trace_no)
