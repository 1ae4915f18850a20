-- table: missing_half
-- One row a call that went well, to a peer and route whose other half is stored elsewhere, and
-- whose own other half is not.
--   span_no         BIGINT   row number of the CLIENT or PRODUCER span
--   instance_no     BIGINT   row number of the workflow instance
--   callee          VARCHAR  service that must have answered
--   callee_name     VARCHAR  span name of the half that is missing
--   callee_kind     VARCHAR  SERVER or CONSUMER
WITH known AS (
    SELECT
        caller, caller_name, route, message_type,
        arg_max(callee, pairs) AS callee,
        arg_max(callee_name, pairs) AS callee_name
    FROM pair
    GROUP BY caller, caller_name, route, message_type
)
SELECT
    call.span_no,
    call.instance_no,
    known.callee,
    known.callee_name,
    CASE call.kind WHEN 'PRODUCER' THEN 'CONSUMER' ELSE 'SERVER' END AS callee_kind
FROM external_call AS call
JOIN call AS raw USING (span_no)
LEFT JOIN span_field AS field USING (span_no)
JOIN known
    ON known.caller = call.service
    AND known.caller_name = call.name
    AND known.route = raw.route
    AND known.message_type
        = CASE WHEN call.kind = 'PRODUCER' THEN coalesce(field.message_type, '') ELSE '' END
WHERE NOT call.failed
    AND NOT call.has_server_half
