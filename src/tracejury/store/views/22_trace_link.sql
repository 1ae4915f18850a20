-- table: trace_link
-- One row a pair of traces of which one links to the other.
--   trace_no   BIGINT  the smaller row number
--   linked_no  BIGINT  the larger row number
SELECT DISTINCT
    least(node.trace_no, linked.trace_no) AS trace_no,
    greatest(node.trace_no, linked.trace_no) AS linked_no
FROM stored.span_link AS link
JOIN node USING (span_no)
JOIN trace AS linked ON linked.trace_id = link.trace_id
WHERE node.trace_no <> linked.trace_no
