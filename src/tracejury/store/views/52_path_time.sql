-- table: path_time
-- One row a workflow instance and what held its critical path: how long a step did, and in which part.
--   instance_no  BIGINT   row number of the workflow instance; background is left out
--   service      VARCHAR  of the step; '' between spans
--   name         VARCHAR  of the step; '' between spans
--   kind         VARCHAR  of the step; '' between spans
--   part         VARCHAR  own; after: what came of the step was waited for past its end; between: nothing ran
--   held_ns      BIGINT   time of the critical path
--   spans        BIGINT   spans of the step on the critical path
--   longest_no   BIGINT   row number of the span that held it longest; below zero between spans
WITH stretch AS (
    SELECT
        critical.instance_no,
        critical.span_no,
        critical.end_ns - critical.start_ns AS whole_ns,
        greatest(least(critical.end_ns, node.end_ns) - critical.start_ns, 0) AS own_ns
    FROM critical
    JOIN workflow_instance AS instance USING (instance_no)
    LEFT JOIN node USING (span_no)
    WHERE NOT instance.background
),
parted AS (
    SELECT instance_no, span_no, 'own' AS part, own_ns AS held_ns
    FROM stretch
    WHERE own_ns > 0
    UNION ALL
    SELECT
        instance_no,
        span_no,
        CASE WHEN span_no < 0 THEN 'between' ELSE 'after' END,
        whole_ns - coalesce(own_ns, 0)
    FROM stretch
    WHERE span_no < 0 OR whole_ns > own_ns
),
by_span AS (
    SELECT instance_no, span_no, part, sum(held_ns)::BIGINT AS held_ns
    FROM parted
    GROUP BY ALL
)
SELECT
    by_span.instance_no,
    coalesce(node.service, '') AS service,
    coalesce(node.name, '') AS name,
    coalesce(node.kind, '') AS kind,
    by_span.part,
    sum(by_span.held_ns)::BIGINT AS held_ns,
    count(*) AS spans,
    arg_max(by_span.span_no, (by_span.held_ns, -by_span.span_no)) AS longest_no
FROM by_span
LEFT JOIN node USING (span_no)
GROUP BY ALL
