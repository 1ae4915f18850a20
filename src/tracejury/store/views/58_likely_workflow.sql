-- table: likely_workflow
-- One row a workflow instance that is no background: the workflow it belongs to. Where its root is
-- not stored, or only links to spans that are not, that is the workflow of the run or the baseline whose
-- steps it shares.
--   instance_no    BIGINT   row number of the workflow instance
--   workflow       VARCHAR  name of the workflow
--   entry_service  VARCHAR  service of the entry point
--   entry_name     VARCHAR  span name of the entry point
--   outcome        VARCHAR  ok, failed or unknown
WITH following AS (
    SELECT
        instance.instance_no,
        -- Where a workflow begins so at times, or did in the clean run, its messages come from outside.
        bool_and(link.span_no IS NOT NULL) OVER (
            PARTITION BY instance.entry_service, instance.entry_name
        ) AND NOT EXISTS (
            SELECT 1
            FROM baseline_step AS step
            WHERE step.entry_service = instance.entry_service AND step.entry_name = instance.entry_name
        ) AS follows
    FROM workflow_instance AS instance
    LEFT JOIN (SELECT DISTINCT span_no FROM stored.span_link) AS link
        ON link.span_no = instance.entry_span_no
    WHERE NOT instance.background AND NOT instance.rootless
),
headless AS (
    SELECT instance_no FROM following WHERE follows
    UNION ALL
    SELECT instance_no FROM workflow_instance WHERE rootless AND NOT background
),
step_of_workflow AS (
    SELECT DISTINCT instance.entry_service, instance.entry_name, node.service, node.name, node.kind
    FROM workflow_instance AS instance
    ANTI JOIN headless USING (instance_no)
    JOIN trace_instance USING (instance_no)
    JOIN node USING (trace_no)
    WHERE NOT instance.background
    UNION
    SELECT entry_service, entry_name, service, name, kind
    FROM baseline_step
),
shared AS (
    SELECT service, name, kind, count(*) AS workflows
    FROM step_of_workflow
    GROUP BY ALL
),
-- A step that few workflows have says more than one that all have.
likeness AS (
    SELECT
        instance.instance_no,
        step.entry_service,
        step.entry_name,
        sum(1.0 / shared.workflows) AS weight
    FROM workflow_instance AS instance
    JOIN trace_instance USING (instance_no)
    JOIN node USING (trace_no)
    JOIN step_of_workflow AS step USING (service, name, kind)
    JOIN shared USING (service, name, kind)
    SEMI JOIN headless USING (instance_no)
    GROUP BY ALL
),
likeliest AS (
    SELECT
        instance_no,
        arg_max(entry_service, (weight, entry_service, entry_name)) AS entry_service,
        arg_max(entry_name, (weight, entry_service, entry_name)) AS entry_name
    FROM likeness
    GROUP BY instance_no
),
named AS (
    SELECT entry_service, entry_name, any_value(workflow) AS workflow
    FROM workflow_instance
    WHERE NOT background AND NOT rootless
    GROUP BY ALL
)
SELECT
    instance.instance_no,
    coalesce(named.workflow, likeliest.entry_name, instance.workflow) AS workflow,
    coalesce(likeliest.entry_service, instance.entry_service) AS entry_service,
    coalesce(likeliest.entry_name, instance.entry_name) AS entry_name,
    instance.outcome
FROM workflow_instance AS instance
LEFT JOIN likeliest USING (instance_no)
LEFT JOIN named
    ON named.entry_service = likeliest.entry_service
    AND named.entry_name = likeliest.entry_name
WHERE NOT instance.background
