-- table: step_risk
-- One row a step of a workflow: the audit's high-risk indicators as far as they were seen, and its risk.
--   service         VARCHAR  of the step
--   name            VARCHAR  of the step
--   kind            VARCHAR  of the step
--   spans           BIGINT   how often it was stored
--   workflows       VARCHAR[] names of the workflows it belongs to
--   impact          INTEGER  1 to 3: 3 where it changes something outside
--   probability     INTEGER  1 to 3: 3 where it fails once in twenty times or more often outside of faults
--   difficulty      INTEGER  1 to 3 of detection: 3 where no answer to it is recorded, 2 where it takes over 10 s
--   risk            INTEGER  impact * (probability + difficulty): 12 and more is critical, 9 and more high
--   is_external     BOOLEAN  it calls somebody of whom nothing is stored
--   is_mutating     BOOLEAN  it changes something elsewhere
--   is_long         BOOLEAN  its 95th percentile is over 10 s
--   is_in_loop      BOOLEAN  it is what a loop goes round with
--   is_unanswered   BOOLEAN  a call of it has no recorded answer
--   usual           BIGINT   how often it ran outside of faults
--   usual_failures  BIGINT   how often it failed then
--   is_untried      BOOLEAN  it failed and was never tried again
--   is_untimed      BOOLEAN  it failed, and no timeout on that target was seen
WITH tried AS (
    SELECT DISTINCT span_no
    FROM attempt_of
    WHERE number < attempts
),
usual AS (
    SELECT node.span_no
    FROM node
    ANTI JOIN fault
        ON node.start_ns <= fault.end_ns
        AND coalesce(node.end_ns, node.start_ns) >= fault.start_ns
),
timed AS (
    SELECT DISTINCT service, target
    FROM cut_off
),
measured AS (
    SELECT
        node.service, node.name, node.kind,
        count(*) AS spans,
        list(DISTINCT instance.workflow ORDER BY instance.workflow) AS workflows,
        coalesce(bool_or(call.is_external), false) AS is_external,
        node.kind = 'PRODUCER' OR coalesce(bool_or(
            upper(field.http_method) IN ('POST', 'PUT', 'PATCH', 'DELETE')
            OR regexp_matches(
                coalesce(field.db_operation, field.db_query),
                '^\s*(INSERT|UPDATE|DELETE|MERGE|REPLACE)\b', 'i'
            )
            OR regexp_matches(field.rpc_method, '(Put|Delete|Copy|Complete)\w*$')
        ) FILTER (node.kind = 'CLIENT'), false) AS is_mutating,
        coalesce(quantile_cont(node.duration_ns, 0.95) > 10000000000, false) AS is_long,
        coalesce(
            bool_or(NOT call.has_response)
                OR (node.kind = 'PRODUCER' AND NOT bool_or(call.has_server_half)),
            false
        ) AS is_unanswered,
        count(usual.span_no) AS usual,
        count(error.span_no) FILTER (usual.span_no IS NOT NULL) AS usual_failures,
        count(error.span_no) > 0 AND count(tried.span_no) = 0 AND node.kind = 'CLIENT'
            AS is_untried,
        count(error.span_no) > 0 AND count(timed.service) = 0 AND node.kind = 'CLIENT'
            AS is_untimed
    FROM node
    JOIN trace_instance USING (trace_no)
    JOIN workflow_instance AS instance
        ON instance.instance_no = trace_instance.instance_no
    LEFT JOIN external_call AS call ON call.span_no = node.span_no
    LEFT JOIN span_field AS field ON field.span_no = node.span_no
    LEFT JOIN span_error AS error ON error.span_no = node.span_no
    LEFT JOIN usual ON usual.span_no = node.span_no
    LEFT JOIN tried ON tried.span_no = node.span_no
    LEFT JOIN timed ON timed.service = call.service AND timed.target = call.target
    WHERE NOT instance.background
    GROUP BY node.service, node.name, node.kind
),
looped AS (
    SELECT DISTINCT service, name, kind
    FROM loop
),
rated AS (
    SELECT
        measured.*,
        looped.name IS NOT NULL AS is_in_loop,
        CASE
            WHEN is_external AND is_mutating THEN 3
            WHEN is_external OR is_mutating OR looped.name IS NOT NULL THEN 2
            ELSE 1
        END AS impact,
        CASE
            WHEN usual_failures >= 0.05 * usual AND usual_failures > 0 THEN 3
            WHEN usual_failures > 0 THEN 2
            ELSE 1
        END AS probability,
        CASE WHEN is_unanswered THEN 3 WHEN is_long THEN 2 ELSE 1 END AS difficulty
    FROM measured
    LEFT JOIN looped USING (service, name, kind)
)
SELECT
    service, name, kind, spans, workflows, impact, probability, difficulty,
    impact * (probability + difficulty) AS risk,
    is_external, is_mutating, is_long, is_in_loop, is_unanswered, usual, usual_failures,
    is_untried, is_untimed
FROM rated
