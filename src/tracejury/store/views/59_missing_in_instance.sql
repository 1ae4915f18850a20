-- table: missing_in_instance
-- One row a workflow instance and step of which spans are known to be missing.
--   instance_no  BIGINT   row number of the workflow instance
--   service      VARCHAR  of the step; '' where nothing tells
--   name         VARCHAR  of the step; '' where nothing tells
--   kind         VARCHAR  of the step; '' where nothing tells
--   signs        BIGINT   spans that records of the run name or imply
--   deficit      BIGINT   how many fewer than every clean instance of the baseline has, or than are declared
--   ghosts       BIGINT   spans that stored children or log records name
--   killed       BIGINT   of the ghosts, those that a crash explains
--   halves       BIGINT   halves missing to calls that went well; they may be ghosts, too
--   cause        VARCHAR  the likeliest cause of most; '' where only the baseline or a declaration tells
--   evidence     VARCHAR  what that rests on
WITH sign AS (
    SELECT
        instance_no, service, name, kind, cause, evidence,
        true AS is_ghost,
        cause = 'killed' AS is_killed
    FROM ghost
    UNION ALL
    SELECT instance_no, callee, callee_name, callee_kind, 'not-exported',
        'calls to it went well, and elsewhere its half was recorded', false, false
    FROM missing_half
),
counted AS (
    SELECT
        instance_no, service, name, kind,
        count(*) FILTER (is_ghost) AS ghosts,
        count(*) FILTER (is_killed) AS killed,
        count(*) FILTER (NOT is_ghost) AS halves,
        coalesce(mode(cause ORDER BY cause) FILTER (is_ghost), min(cause)) AS cause,
        coalesce(mode(evidence ORDER BY evidence) FILTER (is_ghost), min(evidence)) AS evidence
    FROM sign
    GROUP BY instance_no, service, name, kind
),
-- A half that left other signs of itself is counted once.
signs AS (
    SELECT
        *,
        greatest(ghosts, halves) AS signs
    FROM counted
),
seen AS (
    SELECT trace_instance.instance_no, node.service, node.name, node.kind, count(*) AS spans
    FROM node
    ANTI JOIN second_copy USING (span_no)
    SEMI JOIN baseline_step USING (service, name, kind)
    JOIN trace_instance USING (trace_no)
    GROUP BY ALL
),
fewer AS (
    SELECT
        instance.instance_no, step.service, step.name, step.kind,
        step.fewest - coalesce(seen.spans, 0) AS deficit
    FROM likely_workflow AS instance
    JOIN baseline_step AS step USING (entry_service, entry_name)
    LEFT JOIN seen
        ON seen.instance_no = instance.instance_no
        AND seen.service = step.service AND seen.name = step.name AND seen.kind = step.kind
    -- Steps after a failure did not run: they are not missing.
    WHERE instance.outcome <> 'failed'
        AND step.fewest > coalesce(seen.spans, 0)
),
-- Declared steps, of the service and kind that they have elsewhere in the run.
declared AS (
    SELECT
        step.workflow,
        step.name,
        step.service AS of_service,
        coalesce(nullif(step.service, ''), min(known.service), '') AS service,
        coalesce(min(known.kind), '') AS kind
    FROM declared_step AS step
    LEFT JOIN (SELECT DISTINCT service, name, kind FROM node) AS known
        ON known.name = step.name AND step.service IN ('', known.service)
    GROUP BY step.workflow, step.name, step.service
),
had AS (
    SELECT DISTINCT trace_instance.instance_no, node.service, node.name
    FROM node
    SEMI JOIN declared_step USING (name)
    JOIN trace_instance USING (trace_no)
),
-- What follows a failure, caught or not, may have been left out on purpose.
troubled AS (
    SELECT DISTINCT trace_instance.instance_no
    FROM span_error
    JOIN node USING (span_no)
    JOIN trace_instance USING (trace_no)
),
short AS (
    SELECT instance_no, service, name, kind, deficit, '' AS evidence
    FROM fewer
    UNION ALL
    SELECT instance.instance_no, declared.service, declared.name, declared.kind, 1,
        'the declaration of its workflow names it'
    FROM likely_workflow AS instance
    JOIN declared USING (workflow)
    ANTI JOIN troubled USING (instance_no)
    ANTI JOIN had
        ON had.instance_no = instance.instance_no
        AND had.name = declared.name
        AND declared.of_service IN ('', had.service)
    ANTI JOIN fewer
        ON fewer.instance_no = instance.instance_no
        AND fewer.service = declared.service AND fewer.name = declared.name
    WHERE instance.outcome <> 'failed'
),
joined AS (
    SELECT
        coalesce(signs.instance_no, short.instance_no) AS instance_no,
        coalesce(signs.service, short.service) AS service,
        coalesce(signs.name, short.name) AS name,
        coalesce(signs.kind, short.kind) AS kind,
        coalesce(signs.ghosts, 0) AS ghosts,
        coalesce(signs.signs, 0) AS signs,
        coalesce(short.deficit, 0) AS deficit,
        coalesce(signs.killed, 0) AS killed,
        coalesce(signs.halves, 0) AS halves,
        coalesce(signs.cause, '') AS cause,
        coalesce(signs.evidence, short.evidence, '') AS evidence
    FROM signs
    FULL JOIN short
        ON short.instance_no = signs.instance_no
        AND short.service = signs.service AND short.name = signs.name AND short.kind = signs.kind
),
-- A log record names a span and not its step: it may be one that is known to be missing already.
known AS (
    SELECT
        instance_no, service,
        coalesce(sum(greatest(signs, deficit) - ghosts) FILTER (name <> ''), 0) AS spans
    FROM joined
    GROUP BY instance_no, service
)
SELECT
    joined.instance_no,
    joined.service,
    joined.name,
    joined.kind,
    (joined.signs - twice.spans)::BIGINT AS signs,
    joined.deficit,
    (joined.ghosts - twice.spans)::BIGINT AS ghosts,
    least(joined.killed, joined.ghosts - twice.spans)::BIGINT AS killed,
    joined.halves,
    joined.cause,
    joined.evidence
FROM joined
JOIN known USING (instance_no, service)
CROSS JOIN LATERAL (
    SELECT CASE WHEN joined.name = '' THEN least(joined.signs, known.spans) ELSE 0 END AS spans
) AS twice
WHERE joined.name <> '' OR joined.signs > twice.spans
