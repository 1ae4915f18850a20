-- table: pair
-- One row a caller's route and the half that answered it: what teaches who is internal.
--   caller        VARCHAR  service of the CLIENT or PRODUCER
--   caller_name   VARCHAR  span name of the caller's half
--   caller_kind   VARCHAR  CLIENT or PRODUCER
--   route         VARCHAR  peer and operation as the caller names them
--   peer          VARCHAR  the peer as the caller names it
--   message_type  VARCHAR  task or message type of a PRODUCER; '' for a CLIENT
--   callee        VARCHAR  service of the SERVER or CONSUMER
--   callee_name   VARCHAR  its span name
--   pairs         BIGINT   how often both halves were stored
SELECT
    call.service AS caller,
    call.name AS caller_name,
    call.kind AS caller_kind,
    call.route,
    coalesce(call.peer, '?') AS peer,
    CASE WHEN call.kind = 'PRODUCER' THEN coalesce(field.message_type, '') ELSE '' END AS message_type,
    callee.service AS callee,
    callee.name AS callee_name,
    count(*) AS pairs
FROM call
LEFT JOIN span_field AS field USING (span_no)
JOIN node AS callee
    ON callee.parent_no = call.span_no
    AND (
        (call.kind = 'CLIENT' AND callee.kind = 'SERVER')
        OR (call.kind IN ('PRODUCER', 'CLIENT') AND callee.kind = 'CONSUMER')
    )
GROUP BY ALL
UNION ALL
SELECT caller, caller_name, caller_kind, route, peer, message_type, callee, callee_name, pairs
FROM baseline_pair
