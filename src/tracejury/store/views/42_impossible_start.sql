-- table: impossible_start
-- One row a span of another process than its caller's that their clocks place where it cannot have been:
-- before the call, or after the answer, by more than the bound skew_seconds.
--   span_no  BIGINT  row number of the span
WITH above AS (
    SELECT node.span_no, node.parent_no AS above_no, true AS is_child
    FROM node
    WHERE node.parent_no IS NOT NULL
    UNION ALL
    SELECT followed.span_no, followed.linked_no, false
    FROM linked_span AS followed
),
policy AS (
    SELECT (1e9 * value)::BIGINT AS bound_ns
    FROM bound
    WHERE name = 'skew_seconds'
)
SELECT DISTINCT node.span_no
FROM above
JOIN node USING (span_no)
JOIN node AS caller ON caller.span_no = above.above_no
CROSS JOIN policy
LEFT JOIN span_error AS error ON error.span_no = caller.span_no
WHERE (node.service <> caller.service
        OR node.instance_id <> caller.instance_id
        OR node.host <> caller.host)
    AND CASE
        -- Who waits for messages may have begun to before this one was sent.
        WHEN node.kind <> 'SERVER' OR NOT above.is_child
        THEN coalesce(node.end_ns, node.start_ns) < caller.start_ns - policy.bound_ns
        ELSE node.start_ns < caller.start_ns - policy.bound_ns
            OR (caller.kind = 'CLIENT' AND error.span_no IS NULL
                AND node.start_ns > caller.end_ns + policy.bound_ns)
    END
