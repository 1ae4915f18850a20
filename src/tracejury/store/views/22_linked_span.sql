-- table: linked_span
-- One row a stored span and a stored span that it links to.
--   span_no    BIGINT  row number of the linking span
--   linked_no  BIGINT  row number of the span it links to
SELECT DISTINCT link.span_no, linked.span_no AS linked_no
FROM (
    SELECT
        span_no,
        trace_id,
        CASE WHEN octet_length(span_id) = 8 THEN ('0x' || hex(span_id))::UBIGINT END AS span_id
    FROM stored.span_link
) AS link
JOIN trace USING (trace_id)
JOIN node AS linked ON linked.trace_no = trace.trace_no AND linked.span_id = link.span_id
