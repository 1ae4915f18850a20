-- table: orphan
-- One row a span whose parent is named and not stored.
--   span_no         BIGINT   row number of the span
--   trace_no        BIGINT   row number of the trace
--   missing_parent  UBIGINT  id of the parent
--   side            VARCHAR  local: the same process lost it; remote: another one; unknown: not said
--   external_entry  BOOLEAN  nobody in this run could have made the call: it came from outside
WITH entered AS (
    SELECT trace_no, bool_or(parent_no IS NULL AND missing_parent IS NULL) AS has_root
    FROM node
    GROUP BY trace_no
)
SELECT
    node.span_no,
    node.trace_no,
    node.missing_parent,
    CASE node.flags & 768 WHEN 256 THEN 'local' WHEN 768 THEN 'remote' ELSE 'unknown' END AS side,
    node.flags & 768 = 768
    AND node.kind IN ('SERVER', 'CONSUMER')
    AND NOT entered.has_root
    AND NOT EXISTS (
        SELECT 1
        FROM pair
        WHERE pair.callee = node.service AND pair.callee_name = node.name
    ) AS external_entry
FROM node
JOIN entered USING (trace_no)
WHERE node.missing_parent IS NOT NULL
