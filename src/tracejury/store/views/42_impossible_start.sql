-- table: impossible_start
-- One row a span that clocks place where it cannot have been, by more than the bound skew_seconds: it
-- ended before what it lies below began, or answers a call of another process before or after that.
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
WHERE CASE
        -- Who waits for messages may have begun to before this one was sent, and what a process says of
        -- itself may have begun before its span did.
        WHEN node.kind <> 'SERVER' OR NOT above.is_child OR (
            node.service = caller.service
            AND node.instance_id IS NOT DISTINCT FROM caller.instance_id
            AND node.host IS NOT DISTINCT FROM caller.host
        )
        THEN coalesce(node.end_ns, node.start_ns) < caller.start_ns - policy.bound_ns
        ELSE node.start_ns < caller.start_ns - policy.bound_ns
            OR (caller.kind = 'CLIENT' AND error.span_no IS NULL
                AND node.start_ns > caller.end_ns + policy.bound_ns)
    END
