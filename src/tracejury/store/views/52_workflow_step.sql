-- table: workflow_step
-- One row a step at its place in a workflow.
--   workflow        VARCHAR  name of the workflow
--   place           UBIGINT  identifies the place: the steps from the top down to it
--   parent_place    UBIGINT  the place above it; NULL at the top
--   depth           BIGINT   0 at the top of a trace
--   service         VARCHAR  of the step
--   name            VARCHAR  of the step
--   kind            VARCHAR  of the step
--   spans           BIGINT   how often it was stored
--   instances       BIGINT   in how many workflow instances
--   errors          BIGINT   how many of its spans failed
--   ghosts          BIGINT   spans of this step that are known to have existed and are not stored
--   p50_ms          DOUBLE   median duration
--   p95_ms          DOUBLE   95th percentile
--   p99_ms          DOUBLE   99th percentile
--   self_p50_ms     DOUBLE   median of the time in which nothing below it ran
--   critical_share  DOUBLE   share of the workflow's critical path that is its own time
--   first_start_ns  BIGINT   earliest start, relative to its instance's, in the middle instance
WITH critical_of AS (
    -- Past its own end a span only waits for what came of it.
    SELECT
        critical.span_no,
        sum(greatest(least(critical.end_ns, node.end_ns) - critical.start_ns, 0)) AS critical_ns
    FROM critical
    JOIN node USING (span_no)
    GROUP BY critical.span_no
),
whole AS (
    SELECT instance.workflow, sum(critical.end_ns - critical.start_ns) AS critical_ns
    FROM critical
    JOIN workflow_instance AS instance USING (instance_no)
    GROUP BY instance.workflow
),
ghosts AS (
    SELECT instance.workflow, ghost.service, ghost.name, ghost.kind, count(*) AS ghosts
    FROM ghost
    JOIN workflow_instance AS instance USING (instance_no)
    GROUP BY ALL
),
-- A ghost is counted once, at the place where its step is seen most.
main_place AS (
    SELECT step.workflow, node.service, node.name, node.kind, mode(step.place ORDER BY step.place) AS place
    FROM step_of AS step
    JOIN node USING (span_no)
    GROUP BY ALL
)
SELECT
    step.workflow,
    step.place,
    any_value(step.parent_place) AS parent_place,
    min(forest.depth) AS depth,
    any_value(node.service) AS service,
    any_value(node.name) AS name,
    any_value(node.kind) AS kind,
    count(*) AS spans,
    count(DISTINCT step.instance_no) AS instances,
    count(error.span_no) AS errors,
    coalesce(any_value(ghosts.ghosts) FILTER (main_place.place = step.place), 0) AS ghosts,
    quantile_cont(node.duration_ns, 0.5) / 1e6 AS p50_ms,
    quantile_cont(node.duration_ns, 0.95) / 1e6 AS p95_ms,
    quantile_cont(node.duration_ns, 0.99) / 1e6 AS p99_ms,
    quantile_cont(self_time.self_ns, 0.5) / 1e6 AS self_p50_ms,
    coalesce(sum(critical_of.critical_ns), 0) / nullif(any_value(whole.critical_ns), 0) AS critical_share,
    quantile_cont(node.start_ns - instance.start_ns::BIGINT, 0.5)::BIGINT AS first_start_ns
FROM step_of AS step
JOIN node USING (span_no)
JOIN forest USING (span_no)
JOIN workflow_instance AS instance ON instance.instance_no = step.instance_no
LEFT JOIN span_error AS error USING (span_no)
LEFT JOIN self_time USING (span_no)
LEFT JOIN critical_of USING (span_no)
LEFT JOIN whole ON whole.workflow = step.workflow
LEFT JOIN main_place
    ON main_place.workflow = step.workflow AND main_place.service = node.service
    AND main_place.name = node.name AND main_place.kind = node.kind
LEFT JOIN ghosts
    ON ghosts.workflow = step.workflow AND ghosts.service = node.service
    AND ghosts.name = node.name AND ghosts.kind = node.kind
GROUP BY step.workflow, step.place
