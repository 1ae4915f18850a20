-- table: second_copy
-- One row a span that came in another version before, as a doubled pipeline sends them.
--   span_no   BIGINT  row number of the span
--   first_no  BIGINT  row number of its first version: same ids, service, name and kind
SELECT
    node.span_no,
    min(node.span_no) OVER version AS first_no
FROM node
JOIN span_of_id AS id USING (trace_no, span_id)
WHERE id.copies > 1
WINDOW version AS (
    PARTITION BY node.trace_no, node.span_id, node.service, node.name, node.kind
)
QUALIFY node.span_no <> first_no
