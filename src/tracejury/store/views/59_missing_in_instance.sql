-- table: missing_in_instance
-- One row a workflow instance and step of which spans are known to be missing.
--   instance_no  BIGINT   row number of the workflow instance
--   service      VARCHAR  of the step; '' where nothing tells
--   name         VARCHAR  of the step; '' where nothing tells
--   kind         VARCHAR  of the step; '' where nothing tells
--   signs        BIGINT   spans that records of the run name or imply
--   deficit      BIGINT   how many fewer than every clean instance of the baseline has
--   cause        VARCHAR  the likeliest cause of most; '' where only the baseline tells
--   evidence     VARCHAR  what that rests on
WITH sign AS (
    SELECT instance_no, service, name, kind, cause, evidence
    FROM ghost
    UNION ALL
    -- The half of a call that left other signs of itself is counted there.
    SELECT half.instance_no, half.callee, half.callee_name, half.callee_kind, 'not-exported',
        'calls to it went well, and elsewhere its half was recorded'
    FROM missing_half AS half
    WHERE NOT EXISTS (
        SELECT 1
        FROM ghost
        WHERE ghost.instance_no = half.instance_no
            AND ghost.service = half.callee
            AND ghost.name = half.callee_name
    )
),
signs AS (
    SELECT instance_no, service, name, kind, count(*) AS signs,
        mode(cause) AS cause, mode(evidence) AS evidence
    FROM sign
    GROUP BY instance_no, service, name, kind
),
seen AS (
    SELECT trace_instance.instance_no, node.service, node.name, node.kind, count(*) AS spans
    FROM node
    JOIN trace_instance USING (trace_no)
    GROUP BY ALL
),
short AS (
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
)
SELECT
    coalesce(signs.instance_no, short.instance_no) AS instance_no,
    coalesce(signs.service, short.service) AS service,
    coalesce(signs.name, short.name) AS name,
    coalesce(signs.kind, short.kind) AS kind,
    coalesce(signs.signs, 0) AS signs,
    coalesce(short.deficit, 0) AS deficit,
    coalesce(signs.cause, '') AS cause,
    coalesce(signs.evidence, '') AS evidence
FROM signs
FULL JOIN short
    ON short.instance_no = signs.instance_no
    AND short.service = signs.service AND short.name = signs.name AND short.kind = signs.kind
