-- table: missing_half
-- One row a call that went well, to a peer and route whose other half is stored elsewhere, and
-- whose own other half is not.
--   span_no         BIGINT   row number of the CLIENT or PRODUCER span
--   instance_no     BIGINT   row number of the workflow instance
--   callee          VARCHAR  service that must have answered, the likeliest
--   callee_name     VARCHAR  span name of the half that is missing, the likeliest
--   callee_kind     VARCHAR  SERVER or CONSUMER
WITH likeliest AS (
    SELECT
        caller, caller_name, route, message_type,
        arg_max(callee, (share, callee, callee_name)) AS callee,
        arg_max(callee_name, (share, callee, callee_name)) AS callee_name
    FROM half_step
    GROUP BY caller, caller_name, route, message_type
)
SELECT
    call.span_no,
    call.instance_no,
    likeliest.callee,
    likeliest.callee_name,
    CASE call.caller_kind WHEN 'PRODUCER' THEN 'CONSUMER' ELSE 'SERVER' END AS callee_kind
FROM unanswered_call AS call
JOIN likeliest USING (caller, caller_name, route, message_type)
