-- table: outgoing_call
-- One row a call to another process, as `external_call`, whose columns these are but for: the raw ids
-- of trace and span, the peer as recorded, and the request fields that are missing.
--   span_no          BIGINT   row number of the span
--   instance_no      BIGINT   row number of the workflow instance
--   trace_id         BLOB     16 bytes
--   span_id          UBIGINT  its own id
--   service          VARCHAR  who called
--   name             VARCHAR  span name
--   kind             VARCHAR  CLIENT or PRODUCER
--   target           VARCHAR  who was called: the service where it is known, else the best name recorded; '?' where nothing tells
--   peer             VARCHAR  who was called, by the best name recorded; NULL where nothing tells
--   route            VARCHAR  target and operation, without what changes from call to call
--   protocol         VARCHAR  http, db, messaging, rpc, genai, object, faas or other
--   operation        VARCHAR  what was asked; NULL where nothing tells
--   response         VARCHAR  the recorded answer: a status code or error type; NULL where none
--   request_parts    VARCHAR[] names of request fields that the protocol asks for and are missing
--   has_response     BOOLEAN  an answer was recorded, or the protocol says success by silence
--   implicit         BOOLEAN  success by silence: ended without error, which is all that was recorded
--   has_duration     BOOLEAN  start and end are usable
--   is_external      BOOLEAN  nothing of the peer's side was ever stored
--   has_server_half  BOOLEAN  the span that answered it is stored
--   failed           BOOLEAN  the call failed
--   duration_ns      BIGINT   NULL where unusable
--   start_ns         UBIGINT  nanoseconds since 1970
WITH answered AS (
    SELECT
        call.span_no,
        any_value(callee.service) AS callee
    FROM call
    JOIN node AS callee ON callee.parent_no = call.span_no
    WHERE callee.kind IN ('SERVER', 'CONSUMER')
    GROUP BY call.span_no
),
known_peer AS (
    SELECT
        peer,
        -- At its own machine every service has another neighbour: a proxy, a sidecar.
        CASE
            WHEN regexp_matches(peer, '^(localhost|127(\.\d+){3}|\[?::1\]?|0\.0\.0\.0)(:\d+)?$')
            THEN caller
        END AS caller,
        arg_max(callee, pairs) AS callee
    FROM pair
    WHERE peer <> '?'
    GROUP BY ALL
),
judged AS (
    SELECT
        call.*,
        answered.callee,
        known_peer.callee AS known_callee,
        call.response IS NULL
            AND NOT call.failed
            AND call.protocol IN ('db', 'messaging', 'rpc', 'object', 'genai')
            AND call.end_ns IS NOT NULL AS implicit
    FROM call
    LEFT JOIN answered USING (span_no)
    LEFT JOIN known_peer
        ON known_peer.peer = call.peer
        AND coalesce(known_peer.caller, call.service) = call.service
    WHERE call.is_innermost
)
SELECT
    judged.span_no,
    instance.instance_no,
    trace.trace_id,
    judged.span_id,
    judged.service,
    judged.name,
    judged.kind,
    coalesce(judged.callee, judged.known_callee, judged.peer, '?') AS target,
    judged.peer,
    judged.route,
    judged.protocol,
    judged.operation,
    judged.response,
    judged.request_parts,
    judged.response IS NOT NULL OR judged.implicit OR judged.failed AS has_response,
    judged.implicit,
    judged.end_ns IS NOT NULL AS has_duration,
    judged.callee IS NULL AND judged.known_callee IS NULL AS is_external,
    judged.callee IS NOT NULL AS has_server_half,
    judged.failed,
    judged.end_ns - judged.start_ns AS duration_ns,
    judged.start_ns::UBIGINT AS start_ns
FROM judged
JOIN trace ON trace.trace_no = judged.trace_no
JOIN trace_instance AS instance ON instance.trace_no = judged.trace_no
