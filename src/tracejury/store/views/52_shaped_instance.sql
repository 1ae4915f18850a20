-- table: shaped_instance
-- One row a workflow instance that has its root and is no background, with its shape: the set of its steps.
--   instance_no    BIGINT   row number of the workflow instance
--   entry_service  VARCHAR  service of the entry span
--   entry_name     VARCHAR  name of the entry span
--   outcome        VARCHAR  ok, failed or unknown
--   shape          UBIGINT  the same for instances with the same services, span names and kinds; never 0
--   took_ns        BIGINT   from its earliest start to its latest end
SELECT
    instance.instance_no,
    any_value(instance.entry_service) AS entry_service,
    any_value(instance.entry_name) AS entry_name,
    any_value(instance.outcome) AS outcome,
    greatest(bit_xor(step.hash), 1)::UBIGINT AS shape,
    any_value(instance.took_ns) AS took_ns
FROM workflow_instance AS instance
JOIN (
    SELECT DISTINCT trace_instance.instance_no, hash(node.service, node.name, node.kind) AS hash
    FROM node
    JOIN trace_instance USING (trace_no)
) AS step USING (instance_no)
WHERE NOT instance.background AND NOT instance.rootless
GROUP BY instance.instance_no
