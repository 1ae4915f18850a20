-- table: unanswered_call
-- One row a call that went well, by a route whose other half is stored elsewhere, and whose own
-- other half is not.
--   span_no       BIGINT   row number of the CLIENT or PRODUCER span
--   instance_no   BIGINT   row number of the workflow instance
--   caller        VARCHAR  its service
--   caller_name   VARCHAR  its span name
--   caller_kind   VARCHAR  CLIENT or PRODUCER
--   route         VARCHAR  peer and operation as the caller names them
--   message_type  VARCHAR  task or message type of a PRODUCER; '' for a CLIENT
WITH answered AS (
    SELECT DISTINCT caller, caller_name, route, message_type
    FROM pair
)
SELECT
    call.span_no,
    call.instance_no,
    call.service AS caller,
    call.name AS caller_name,
    call.kind AS caller_kind,
    call.route,
    answered.message_type
FROM outgoing_call AS call
LEFT JOIN span_field AS field USING (span_no)
JOIN answered
    ON answered.caller = call.service
    AND answered.caller_name = call.name
    AND answered.route = call.route
    AND answered.message_type
        = CASE WHEN call.kind = 'PRODUCER' THEN coalesce(field.message_type, '') ELSE '' END
WHERE NOT call.failed
    AND NOT call.has_server_half
    -- The half answers one of several versions of the call.
    AND call.span_no NOT IN (SELECT copy.span_no FROM second_copy AS copy)
    AND call.span_no NOT IN (
        SELECT copy.first_no
        FROM second_copy AS copy
        JOIN outgoing_call AS other USING (span_no)
        WHERE other.has_server_half
    )
