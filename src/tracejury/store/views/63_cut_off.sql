-- table: cut_off
-- One row a call that its caller waited for no longer.
--   span_no        BIGINT   row number of the CLIENT or PRODUCER span
--   instance_no    BIGINT   row number of the workflow instance
--   service        VARCHAR  who called
--   target         VARCHAR  who was called
--   protocol       VARCHAR  http, db, messaging, rpc, genai, object, faas or other
--   waited_for     VARCHAR  answer: a read or overall timeout; connection: a connect timeout; pool: none of its own pool was free; unclear: a deadline that the callee may have set
--   duration_ns    BIGINT   how long it waited
--   is_classified  BOOLEAN  error type, exception or message say timeout
--   evidence       VARCHAR  type: a timeout type without an answer; outlived: its server half went on
WITH answer AS (
    SELECT
        half.parent_no AS span_no,
        -- It was at work when the caller left, and went on; two clocks may differ by so much.
        bool_or(
            half.start_ns <= called.end_ns + skew.ns AND half.end_ns > called.end_ns + skew.ns
        ) AS outlives,
        bool_or(coalesce(class.is_timeout, false)) AS is_timeout
    FROM node AS half
    JOIN node AS called ON called.span_no = half.parent_no
    LEFT JOIN error_class AS class ON class.span_no = half.span_no
    JOIN (
        SELECT is_far, CASE WHEN is_far THEN 1e9 * value ELSE 0 END AS ns
        FROM bound, (VALUES (true), (false)) AS pair (is_far)
        WHERE name = 'skew_seconds'
    ) AS skew ON skew.is_far = (half.host IS NULL OR called.host IS NULL OR half.host <> called.host)
    WHERE half.kind = 'SERVER'
    GROUP BY half.parent_no
),
failed_call AS (
    SELECT
        call.span_no, call.instance_no, call.service, call.target, call.protocol, call.route,
        call.duration_ns, class.is_timeout, class.names_timeout,
        coalesce(answer.outlives, false) AS is_outlived,
        CASE
            WHEN class.is_pool_timeout THEN 'pool'
            WHEN class.is_connect_timeout THEN 'connection'
            -- The callee answers an expired deadline in the caller's own words, but at once.
            WHEN (upper(field.rpc_status) IN ('4', 'DEADLINE_EXCEEDED')
                    OR class.short_type = 'DEADLINE_EXCEEDED')
                AND NOT coalesce(answer.outlives, false)
                AND NOT (class.is_own_deadline AND call.duration_ns >= 50000000)
                THEN 'unclear'
            ELSE 'answer'
        END AS waited_for,
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
        AND NOT regexp_full_match(class.short_type, '[45]\d\d')
        -- So is the refusal of a database to wait for a lock any longer.
        AND NOT class.is_lock_timeout
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
    waited_for,
    duration_ns,
    true AS is_classified,
    'type' AS evidence
FROM failed_call
WHERE names_timeout OR (is_timeout AND is_outlived)
UNION ALL
SELECT
    span_no, instance_no, service, target, protocol, 'answer', duration_ns, false, 'outlived'
FROM outlived
JOIN alike USING (service, route)
