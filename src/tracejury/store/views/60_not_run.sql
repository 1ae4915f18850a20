-- table: not_run
-- One row a failed workflow instance and a step that every clean instance of its workflow has more
-- often: the failure kept it from running, as far as nothing tells that it ran. It is not missing.
--   instance_no  BIGINT   row number of the workflow instance
--   service      VARCHAR  of the step
--   name         VARCHAR  of the step
--   kind         VARCHAR  of the step
--   spans        BIGINT   how many fewer than every clean instance of the baseline has, at least one
WITH seen AS (
    SELECT trace_instance.instance_no, node.service, node.name, node.kind, count(*) AS spans
    FROM node
    JOIN trace_instance USING (trace_no)
    GROUP BY ALL
)
SELECT
    instance.instance_no,
    step.service,
    step.name,
    step.kind,
    (step.fewest - coalesce(seen.spans, 0) - coalesce(lost.signs, 0))::BIGINT AS spans
FROM likely_workflow AS instance
JOIN baseline_step AS step USING (entry_service, entry_name)
LEFT JOIN seen
    ON seen.instance_no = instance.instance_no
    AND seen.service = step.service AND seen.name = step.name AND seen.kind = step.kind
LEFT JOIN missing_in_instance AS lost
    ON lost.instance_no = instance.instance_no
    AND lost.service = step.service AND lost.name = step.name AND lost.kind = step.kind
WHERE instance.outcome = 'failed'
    AND step.fewest > coalesce(seen.spans, 0) + coalesce(lost.signs, 0)
