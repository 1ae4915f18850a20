-- table: step_count
-- One row a step that was seen, is known to be missing, or is known from the baseline: what its
-- completeness is estimated from. Background is left out.
--   service        VARCHAR  of the step; '' where nothing tells
--   name           VARCHAR  of the step; '' where nothing tells
--   kind           VARCHAR  of the step; '' where nothing tells
--   observed       BIGINT   spans stored
--   inner_seen     BIGINT   of these, spans below which a span is stored
--   inner_ghosts   BIGINT   absent spans of the step that stored spans name as their parent, but for
--                           those that a crash explains
--   signs          BIGINT   absent spans of the step that any record names or implies
--   deficit        BIGINT   fewer than every clean instance of the same workflow has
--   cause          VARCHAR  the likeliest cause of most signs; '' without
--   evidence       VARCHAR  what that rests on
WITH observed AS (
    SELECT
        node.service, node.name, node.kind,
        count(*) AS observed,
        count(parent.parent_no) AS inner_seen
    FROM node
    JOIN trace_instance USING (trace_no)
    JOIN workflow_instance AS instance USING (instance_no)
    LEFT JOIN (SELECT DISTINCT parent_no FROM node) AS parent ON parent.parent_no = node.span_no
    WHERE NOT instance.background
    GROUP BY node.service, node.name, node.kind
),
ghosts AS (
    SELECT ghost.service, ghost.name, ghost.kind, count(*) AS inner_ghosts
    FROM ghost
    -- What a crash took says nothing about the rate at which others get lost.
    WHERE ghost.children > 0 AND ghost.cause <> 'killed'
    GROUP BY ALL
),
lost AS (
    SELECT
        service, name, kind,
        sum(signs)::BIGINT AS signs,
        sum(deficit)::BIGINT AS deficit,
        mode(cause) FILTER (cause <> '') AS cause,
        mode(evidence) FILTER (cause <> '') AS evidence
    FROM missing_in_instance
    GROUP BY service, name, kind
),
step AS (
    SELECT service, name, kind FROM observed
    UNION
    SELECT service, name, kind FROM lost
    UNION
    SELECT service, name, kind FROM baseline_step
)
SELECT
    step.service, step.name, step.kind,
    coalesce(observed.observed, 0) AS observed,
    coalesce(observed.inner_seen, 0) AS inner_seen,
    coalesce(ghosts.inner_ghosts, 0) AS inner_ghosts,
    coalesce(lost.signs, 0) AS signs,
    coalesce(lost.deficit, 0) AS deficit,
    coalesce(lost.cause, '') AS cause,
    coalesce(lost.evidence, '') AS evidence
FROM step
LEFT JOIN observed USING (service, name, kind)
LEFT JOIN ghosts USING (service, name, kind)
LEFT JOIN lost USING (service, name, kind)
