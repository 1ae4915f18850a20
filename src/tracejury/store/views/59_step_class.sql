-- table: step_class
-- One row a step of a workflow, what kind of work it is, and whether it is done for each item.
--   workflow     VARCHAR  name of the workflow
--   service      VARCHAR  of the step
--   name         VARCHAR  of the step
--   kind         VARCHAR  of the step
--   class        VARCHAR  compute, database, external, internal or queue
--   is_per_item  BOOLEAN  a span of it names an item of the job
WITH parent AS (
    SELECT DISTINCT parent_no
    FROM node
    WHERE parent_no IS NOT NULL
)
SELECT
    likely.workflow,
    node.service,
    node.name,
    node.kind,
    CASE
        WHEN bool_or(call.protocol = 'db') THEN 'database'
        WHEN node.kind IN ('PRODUCER', 'CONSUMER') OR bool_or(call.protocol = 'messaging')
            THEN 'queue'
        -- Of whom spans are stored is part of the system.
        WHEN node.kind = 'CLIENT' AND bool_and(NOT outgoing.is_external) THEN 'internal'
        WHEN node.kind = 'CLIENT' THEN 'external'
        WHEN node.kind = 'INTERNAL' AND bool_and(parent.parent_no IS NULL) THEN 'compute'
        ELSE 'internal'
    END AS class,
    bool_or(item.span_no IS NOT NULL) AS is_per_item
FROM likely_workflow AS likely
JOIN trace_instance USING (instance_no)
JOIN node USING (trace_no)
LEFT JOIN record_item AS item ON item.span_no = node.span_no
LEFT JOIN call ON call.span_no = node.span_no
LEFT JOIN outgoing_call AS outgoing ON outgoing.span_no = node.span_no
LEFT JOIN parent ON parent.parent_no = node.span_no
GROUP BY likely.workflow, node.service, node.name, node.kind
