-- table: expected_step
-- One row a workflow and step that was seen, is known to be missing, or must have run.
--   workflow        VARCHAR  name of the workflow
--   service         VARCHAR  of the step; '' where nothing tells
--   name            VARCHAR  of the step; '' where nothing tells
--   kind            VARCHAR  of the step; '' where nothing tells
--   observed        BIGINT   spans stored, in instances that did not fail
--   signs           BIGINT   spans that records of the run name or imply, in all instances
--   signs_in_sound  BIGINT   the same, in instances that did not fail
--   expected        DOUBLE   spans that as many clean instances of the baseline have; NULL without
--   mean            DOUBLE   spans of it in a clean instance; NULL without a baseline
--   is_constant     BOOLEAN  every clean instance has the same number
--   cause           VARCHAR  the likeliest cause of most signs
--   evidence        VARCHAR  what that rests on
WITH sound AS (
    SELECT workflow, entry_service, entry_name, count(*) AS instances
    FROM likely_workflow
    WHERE outcome <> 'failed'
    GROUP BY ALL
),
observed AS (
    SELECT instance.workflow, node.service, node.name, node.kind, count(*) AS spans
    FROM node
    JOIN trace_instance USING (trace_no)
    JOIN likely_workflow AS instance USING (instance_no)
    WHERE instance.outcome <> 'failed'
    GROUP BY ALL
),
signs AS (
    SELECT
        instance.workflow, lost.service, lost.name, lost.kind,
        sum(lost.signs)::BIGINT AS signs,
        coalesce(sum(lost.signs) FILTER (instance.outcome <> 'failed'), 0)::BIGINT AS signs_in_sound,
        mode(lost.cause) FILTER (lost.cause <> '') AS cause,
        mode(lost.evidence) FILTER (lost.cause <> '') AS evidence
    FROM missing_in_instance AS lost
    JOIN likely_workflow AS instance USING (instance_no)
    GROUP BY ALL
),
demanded AS (
    SELECT
        sound.workflow, step.service, step.name, step.kind,
        sum(sound.instances * step.mean) AS expected,
        any_value(step.mean) AS mean,
        bool_and(step.fewest = step.mean) AS is_constant
    FROM sound
    JOIN baseline_step AS step USING (entry_service, entry_name)
    GROUP BY ALL
),
step AS (
    SELECT workflow, service, name, kind FROM observed
    UNION
    SELECT workflow, service, name, kind FROM signs
    UNION
    SELECT workflow, service, name, kind FROM demanded
)
SELECT
    step.*,
    coalesce(observed.spans, 0) AS observed,
    coalesce(signs.signs, 0) AS signs,
    coalesce(signs.signs_in_sound, 0) AS signs_in_sound,
    demanded.expected,
    demanded.mean,
    coalesce(demanded.is_constant, true) AS is_constant,
    coalesce(signs.cause, '') AS cause,
    coalesce(signs.evidence, '') AS evidence
FROM step
LEFT JOIN observed USING (workflow, service, name, kind)
LEFT JOIN signs USING (workflow, service, name, kind)
LEFT JOIN demanded USING (workflow, service, name, kind)
