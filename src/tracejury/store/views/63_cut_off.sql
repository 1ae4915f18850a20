-- table: cut_off
-- One row a call that its caller waited for no longer.
--   span_no        BIGINT   row number of the CLIENT or PRODUCER span
--   instance_no    BIGINT   row number of the workflow instance
--   service        VARCHAR  who called
--   target         VARCHAR  who was called
--   protocol       VARCHAR  http, db, messaging, rpc, genai, object, faas or other
--   waited_for     VARCHAR  connection: a connect timeout; answer: a read or overall timeout
--   duration_ns    BIGINT   how long it waited
--   is_classified  BOOLEAN  error type, exception or message say timeout
--   evidence       VARCHAR  type: a timeout type without an answer; outlived: its server half went on
WITH answer AS (
    SELECT
        node.parent_no AS span_no,
        max(node.end_ns) AS end_ns,
        bool_or(coalesce(class.is_timeout, false)) AS is_timeout
    FROM node
    LEFT JOIN error_class AS class USING (span_no)
    WHERE node.kind = 'SERVER' AND node.parent_no IS NOT NULL
    GROUP BY node.parent_no
),
failed_call AS (
    SELECT
        call.span_no, call.instance_no, call.service, call.target, call.protocol, call.route,
        call.duration_ns, class.is_timeout, class.is_connect_timeout,
        answer.end_ns > node.end_ns AS is_outlived,
        -- Where the parent ended, too, the whole of the work was called off.
        parent.end_ns <= node.end_ns + 5000000 AS ended_with_parent
    FROM external_call AS call
    JOIN node USING (span_no)
    JOIN error_class AS class USING (span_no)
    JOIN span_field AS field USING (span_no)
    LEFT JOIN answer USING (span_no)
    LEFT JOIN node AS parent ON parent.span_no = node.parent_no
    WHERE call.duration_ns IS NOT NULL
        -- A status code is an answer: somebody else's timeout, if it is one.
        AND field.http_status IS NULL
        -- A job's own limit says nothing of how long the call would have waited.
        AND NOT class.is_job_limit
        AND NOT coalesce(answer.is_timeout, false)
),
outlived AS (
    SELECT *
    FROM failed_call
    WHERE is_outlived AND NOT is_timeout AND NOT coalesce(ended_with_parent, false)
),
-- Three callers that gave up after the same time had a clock, whatever they said.
alike AS (
    SELECT service, route
    FROM outlived
    GROUP BY service, route
    HAVING count(*) >= 3 AND max(duration_ns) <= 1.02 * min(duration_ns)
)
SELECT
    span_no, instance_no, service, target, protocol,
    CASE WHEN is_connect_timeout THEN 'connection' ELSE 'answer' END AS waited_for,
    duration_ns,
    true AS is_classified,
    'type' AS evidence
FROM failed_call
WHERE is_timeout
UNION ALL
SELECT
    span_no, instance_no, service, target, protocol, 'answer', duration_ns, false, 'outlived'
FROM outlived
JOIN alike USING (service, route)
