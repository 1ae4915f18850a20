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
--   halved_ms       DOUBLE   how much sooner an instance would end on average, had it half of its own time
--   removed_ms      DOUBLE   the same, had it none
--   removed_share   DOUBLE   the same, of the time from an instance's first start to its last end
--   clean_p50_ms    DOUBLE   median duration in the same workflow of the baseline; NULL: none known
--   clean_p95_ms    DOUBLE   95th percentile there
--   clean_p99_ms    DOUBLE   99th percentile there
--   budget_ms       DOUBLE   duration declared in step_seconds; NULL: none
--   over_budget     BIGINT   spans that took longer than that; NULL without one
--   first_start_ns  BIGINT   earliest start, relative to its instance's, in the middle instance
WITH seen AS (
    SELECT
        step.workflow,
        step.place,
        any_value(step.parent_place) AS parent_place,
        min(step.depth) AS depth,
        any_value(node.service) AS service,
        any_value(node.name) AS name,
        any_value(node.kind) AS kind,
        count(*) AS spans,
        quantile_cont(node.duration_ns, [0.5, 0.95, 0.99]) AS durations_ns,
        quantile_cont(self_time.self_ns, 0.5) AS self_ns,
        quantile_cont(node.start_ns - instance.start_ns::BIGINT, 0.5)::BIGINT AS first_start_ns
    FROM step_of AS step
    JOIN node USING (span_no)
    JOIN workflow_instance AS instance ON instance.instance_no = step.instance_no
    LEFT JOIN self_time USING (span_no)
    GROUP BY step.workflow, step.place
),
ran AS (
    SELECT instance.workflow, visit.place, count(*) AS instances
    FROM (SELECT DISTINCT place, instance_no FROM step_of) AS visit
    JOIN workflow_instance AS instance USING (instance_no)
    GROUP BY ALL
),
erring AS (
    SELECT step.workflow, step.place, count(*) AS errors
    FROM span_error
    JOIN step_of AS step USING (span_no)
    GROUP BY ALL
),
critical_of AS (
    -- Past its own end a span only waits for what came of it.
    SELECT
        step.workflow, step.place,
        sum(greatest(least(critical.end_ns, node.end_ns) - critical.start_ns, 0)) AS critical_ns
    FROM critical
    JOIN node USING (span_no)
    JOIN step_of AS step USING (span_no)
    GROUP BY ALL
),
whole AS (
    SELECT
        instance.workflow,
        sum(critical.end_ns - critical.start_ns) AS critical_ns,
        count(DISTINCT instance.instance_no) AS instances
    FROM critical
    JOIN workflow_instance AS instance USING (instance_no)
    GROUP BY instance.workflow
),
saved AS (
    SELECT
        instance.workflow,
        saving.place,
        sum(saving.halved_ns) AS halved_ns,
        sum(saving.removed_ns) AS removed_ns
    FROM saving
    JOIN workflow_instance AS instance USING (instance_no)
    WHERE NOT instance.background
    GROUP BY instance.workflow, saving.place
),
clean AS (
    SELECT
        entry.workflow, step.service, step.name, step.kind,
        max(step.p50_ms) AS p50_ms, max(step.p95_ms) AS p95_ms, max(step.p99_ms) AS p99_ms
    FROM baseline_step AS step
    JOIN (
        SELECT DISTINCT workflow, entry_service, entry_name
        FROM workflow_instance
    ) AS entry USING (entry_service, entry_name)
    GROUP BY entry.workflow, step.service, step.name, step.kind
),
budget AS (
    -- The longer name is the one that names the service, too.
    SELECT seen.workflow, seen.place, arg_max(declared.budget_ms, len(declared.step)) AS budget_ms
    FROM seen
    JOIN declared_budget AS declared
        ON declared.workflow = seen.workflow
        AND declared.step IN (seen.service || ': ' || seen.name, seen.name)
    GROUP BY seen.workflow, seen.place
),
over AS (
    SELECT budget.workflow, budget.place,
        count(*) FILTER (node.duration_ns > 1e6 * budget.budget_ms) AS spans
    FROM budget
    JOIN step_of AS step ON step.workflow = budget.workflow AND step.place = budget.place
    JOIN node USING (span_no)
    GROUP BY budget.workflow, budget.place
),
-- A ghost is counted once, at the place where its step is seen most.
main_place AS (
    SELECT workflow, service, name, kind, arg_min(place, (-spans, place)) AS place
    FROM seen
    GROUP BY ALL
),
ghosts AS (
    SELECT main_place.workflow, main_place.place, count(*) AS ghosts
    FROM ghost
    JOIN workflow_instance AS instance USING (instance_no)
    JOIN main_place
        ON main_place.workflow = instance.workflow AND main_place.service = ghost.service
        AND main_place.name = ghost.name AND main_place.kind = ghost.kind
    GROUP BY ALL
)
SELECT
    seen.workflow,
    seen.place,
    seen.parent_place,
    seen.depth,
    seen.service,
    seen.name,
    seen.kind,
    seen.spans,
    ran.instances,
    coalesce(erring.errors, 0) AS errors,
    coalesce(ghosts.ghosts, 0) AS ghosts,
    seen.durations_ns[1] / 1e6 AS p50_ms,
    seen.durations_ns[2] / 1e6 AS p95_ms,
    seen.durations_ns[3] / 1e6 AS p99_ms,
    seen.self_ns / 1e6 AS self_p50_ms,
    coalesce(critical_of.critical_ns, 0) / nullif(whole.critical_ns, 0) AS critical_share,
    coalesce(saved.halved_ns, 0) / whole.instances / 1e6 AS halved_ms,
    coalesce(saved.removed_ns, 0) / whole.instances / 1e6 AS removed_ms,
    -- The critical path of an instance lasts from its first start to its last end.
    coalesce(saved.removed_ns, 0) / nullif(whole.critical_ns, 0) AS removed_share,
    clean.p50_ms AS clean_p50_ms,
    clean.p95_ms AS clean_p95_ms,
    clean.p99_ms AS clean_p99_ms,
    budget.budget_ms,
    over.spans AS over_budget,
    seen.first_start_ns
FROM seen
JOIN ran USING (workflow, place)
LEFT JOIN erring USING (workflow, place)
LEFT JOIN critical_of USING (workflow, place)
LEFT JOIN whole USING (workflow)
LEFT JOIN ghosts USING (workflow, place)
LEFT JOIN saved USING (workflow, place)
LEFT JOIN budget USING (workflow, place)
LEFT JOIN over USING (workflow, place)
LEFT JOIN clean
    ON clean.workflow = seen.workflow AND clean.service = seen.service
    AND clean.name = seen.name AND clean.kind = seen.kind
