-- view: calm_node
-- One row a span of an instance that ran while no fault lasted; of several versions the first.
--   span_no    BIGINT   row number of the span
--   parent_no  BIGINT   row number of its parent; NULL: it has none, or it is not stored
--   service    VARCHAR  service.name
--   name       VARCHAR  of the span
--   kind       VARCHAR  of the span
SELECT node.span_no, node.parent_no, node.service, node.name, node.kind
FROM node
JOIN trace_instance USING (trace_no)
SEMI JOIN calm_instance USING (instance_no)
ANTI JOIN second_copy USING (span_no)
