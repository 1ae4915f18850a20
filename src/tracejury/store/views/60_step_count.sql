-- table: step_count
-- One row a step that was seen, is known to be missing, or is known from the baseline: what its
-- completeness is estimated from. Background is left out.
--   service        VARCHAR  of the step; '' where nothing tells
--   name           VARCHAR  of the step; '' where nothing tells
--   kind           VARCHAR  of the step; '' where nothing tells
--   observed       BIGINT   spans stored
--   told_seen      BIGINT   of these, spans whose absence others would tell of: one is stored below
--                           them, or the call that they answer, which went well
--   ghosts         BIGINT   absent spans that stored children or log records name
--   killed         BIGINT   of the ghosts, those that a crash explains
--   halves         BIGINT   halves missing to calls that went well; they may be ghosts, too
--   deficit        BIGINT   fewer than every clean instance of the same workflow has
--   cause          VARCHAR  the likeliest cause of most signs; '' without
--   evidence       VARCHAR  what that rests on
WITH observed AS (
    SELECT
        node.service, node.name, node.kind,
        count(*) AS observed,
        count(*) FILTER (parent.parent_no IS NOT NULL OR call.span_no IS NOT NULL) AS told_seen
    FROM node
    JOIN trace_instance USING (trace_no)
    JOIN workflow_instance AS instance USING (instance_no)
    LEFT JOIN (SELECT DISTINCT parent_no FROM node) AS parent ON parent.parent_no = node.span_no
    LEFT JOIN external_call AS call
        ON call.span_no = node.parent_no
        AND NOT call.failed
        AND node.kind IN ('SERVER', 'CONSUMER')
    WHERE NOT instance.background
    GROUP BY node.service, node.name, node.kind
),
lost AS (
    SELECT
        service, name, kind,
        sum(ghosts)::BIGINT AS ghosts,
        sum(killed)::BIGINT AS killed,
        sum(halves)::BIGINT AS halves,
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
    coalesce(observed.told_seen, 0) AS told_seen,
    coalesce(lost.ghosts, 0) AS ghosts,
    coalesce(lost.killed, 0) AS killed,
    coalesce(lost.halves, 0) AS halves,
    coalesce(lost.deficit, 0) AS deficit,
    coalesce(lost.cause, '') AS cause,
    coalesce(lost.evidence, '') AS evidence
FROM step
LEFT JOIN observed USING (service, name, kind)
LEFT JOIN lost USING (service, name, kind)
