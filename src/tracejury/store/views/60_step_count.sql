-- table: step_count
-- One row a step that was seen, is known to be missing, or is known from the baseline: what its
-- completeness is estimated from. Background is left out.
--   service        VARCHAR  of the step; '' where nothing tells
--   name           VARCHAR  of the step; '' where nothing tells
--   kind           VARCHAR  of the step; '' where nothing tells
--   observed       BIGINT   spans stored, of several versions the first
--   parents        BIGINT   of these, spans below which another is stored: it would name them
--   answers        BIGINT   of these, halves that answer a stored call that went well
--   ghosts         DOUBLE   absent spans that stored children name, or log records alone
--   killed         DOUBLE   of the ghosts, those that a crash explains
--   halves         DOUBLE   halves missing to calls that went well; they may be ghosts, too
--   deficit        BIGINT   fewer than every clean instance of the same workflow has, or is declared
--   settled        BIGINT   of those observed, spans in instances of which the baseline says exactly
--                           how many they have
--   exact          BIGINT   of the deficit, what is missing in such instances
--   cause          VARCHAR  the likeliest cause of most signs; '' without
--   evidence       VARCHAR  what that rests on
-- Steps of which every clean instance has the same number; after a failure nothing is certain.
WITH steady AS (
    SELECT instance.instance_no, step.service, step.name, step.kind
    FROM likely_workflow AS instance
    JOIN baseline_step AS step USING (entry_service, entry_name)
    WHERE instance.outcome <> 'failed'
        AND step.fewest = step.most
        AND step.instances >= 3
),
observed AS (
    SELECT
        node.service, node.name, node.kind,
        count(*) AS observed,
        count(steady.instance_no) AS settled,
        count(parent.parent_no) AS parents,
        count(call.span_no) AS answers
    FROM node
    ANTI JOIN second_copy USING (span_no)
    JOIN trace_instance USING (trace_no)
    JOIN workflow_instance AS instance USING (instance_no)
    LEFT JOIN (
        SELECT DISTINCT coalesce(copy.first_no, child.parent_no) AS parent_no
        FROM node AS child
        LEFT JOIN second_copy AS copy ON copy.span_no = child.parent_no
    ) AS parent ON parent.parent_no = node.span_no
    LEFT JOIN external_call AS call
        ON call.span_no = node.parent_no
        AND NOT call.failed
        AND node.kind IN ('SERVER', 'CONSUMER')
    LEFT JOIN steady
        ON steady.instance_no = instance.instance_no
        AND steady.service = node.service
        AND steady.name = node.name
        AND steady.kind = node.kind
    WHERE NOT instance.background
    GROUP BY node.service, node.name, node.kind
),
-- Which step an absent parent or half is of is a likelihood: it is counted in parts.
ghosts AS (
    SELECT
        step.service, step.name, step.kind,
        sum(step.share) AS ghosts,
        coalesce(sum(step.share) FILTER (ghost.cause = 'killed'), 0) AS killed
    FROM ghost
    JOIN ghost_step AS step USING (trace_no, span_id)
    JOIN likely_workflow USING (instance_no)
    GROUP BY step.service, step.name, step.kind
),
halves AS (
    SELECT
        half.callee AS service,
        half.callee_name AS name,
        CASE call.caller_kind WHEN 'PRODUCER' THEN 'CONSUMER' ELSE 'SERVER' END AS kind,
        sum(half.share) AS halves
    FROM unanswered_call AS call
    JOIN half_step AS half USING (caller, caller_name, route, message_type)
    JOIN likely_workflow USING (instance_no)
    GROUP BY ALL
),
unseen AS (
    SELECT service, '' AS name, '' AS kind, count(DISTINCT (trace_id, span_id)) AS spans
    FROM unseen_span
    GROUP BY service
),
lost AS (
    SELECT
        missing.service, missing.name, missing.kind,
        coalesce(sum(missing.ghosts) FILTER (missing.name = ''), 0) AS unnamed,
        coalesce(sum(missing.killed) FILTER (missing.name = ''), 0) AS unnamed_killed,
        sum(missing.deficit) AS deficit,
        coalesce(sum(missing.deficit) FILTER (steady.instance_no IS NOT NULL), 0) AS exact,
        mode(missing.cause ORDER BY missing.cause) FILTER (missing.cause <> '') AS cause,
        mode(missing.evidence ORDER BY missing.evidence) FILTER (missing.evidence <> '') AS evidence
    FROM missing_in_instance AS missing
    LEFT JOIN steady USING (instance_no, service, name, kind)
    GROUP BY missing.service, missing.name, missing.kind
),
step AS (
    SELECT service, name, kind FROM observed
    UNION
    SELECT service, name, kind FROM ghosts
    UNION
    SELECT service, name, kind FROM halves
    UNION
    SELECT service, name, kind FROM lost
    UNION
    SELECT service, name, kind FROM unseen
    UNION
    SELECT service, name, kind FROM baseline_step
)
SELECT
    step.service, step.name, step.kind,
    coalesce(observed.observed, 0) AS observed,
    coalesce(observed.parents, 0) AS parents,
    coalesce(observed.answers, 0) AS answers,
    (coalesce(ghosts.ghosts, 0) + coalesce(lost.unnamed, 0) + coalesce(unseen.spans, 0))::DOUBLE AS ghosts,
    (coalesce(ghosts.killed, 0) + coalesce(lost.unnamed_killed, 0))::DOUBLE AS killed,
    coalesce(halves.halves, 0)::DOUBLE AS halves,
    coalesce(lost.deficit, 0)::BIGINT AS deficit,
    coalesce(observed.settled, 0) AS settled,
    coalesce(lost.exact, 0)::BIGINT AS exact,
    coalesce(lost.cause, CASE WHEN unseen.spans > 0 THEN 'not-exported' END, '') AS cause,
    coalesce(
        lost.evidence,
        CASE WHEN unseen.spans > 0 THEN 'log records of sampled traces name them' END,
        ''
    ) AS evidence
FROM step
LEFT JOIN observed USING (service, name, kind)
LEFT JOIN ghosts USING (service, name, kind)
LEFT JOIN halves USING (service, name, kind)
LEFT JOIN lost USING (service, name, kind)
LEFT JOIN unseen USING (service, name, kind)
