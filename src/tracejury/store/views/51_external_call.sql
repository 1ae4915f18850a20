-- view: external_call
-- One row a call to another process: the innermost CLIENT or PRODUCER span of it.
--   span_no          BIGINT   row number of the span
--   instance_no      BIGINT   row number of the workflow instance
--   trace_id         VARCHAR  32 lower-case hex digits
--   span_id          VARCHAR  16 lower-case hex digits
--   service          VARCHAR  who called
--   name             VARCHAR  span name
--   kind             VARCHAR  CLIENT or PRODUCER
--   target           VARCHAR  who was called: the service where it is known, else the best name recorded; '?' where nothing tells
--   route            VARCHAR  target and operation, without what changes from call to call
--   protocol         VARCHAR  http, db, messaging, rpc, genai, object, faas or other
--   operation        VARCHAR  what was asked; NULL where nothing tells
--   response         VARCHAR  the recorded answer: a status code or error type; NULL where none
--   has_request      BOOLEAN  every request field that the protocol asks for was recorded
--   has_response     BOOLEAN  an answer was recorded, or the protocol says success by silence
--   implicit         BOOLEAN  success by silence: ended without error, which is all that was recorded
--   has_duration     BOOLEAN  start and end are usable
--   missing          VARCHAR[] attributes that were not recorded
--   is_external      BOOLEAN  nothing of the peer's side was ever stored
--   has_server_half  BOOLEAN  the span that answered it is stored
--   failed           BOOLEAN  the call failed
--   duration_ns      BIGINT   NULL where unusable
--   start_ns         UBIGINT  nanoseconds since 1970
SELECT
    span_no,
    instance_no,
    lower(hex(trace_id)) AS trace_id,
    format('{:016x}', span_id) AS span_id,
    service,
    name,
    kind,
    target,
    route,
    protocol,
    operation,
    response,
    len(request_parts) = 0 AS has_request,
    has_response,
    implicit,
    has_duration,
    list_concat(
        request_parts,
        CASE
            WHEN NOT has_response
            THEN [CASE protocol WHEN 'http' THEN 'http.response.status_code' ELSE 'error.type' END]
            ELSE []
        END,
        CASE WHEN NOT has_duration THEN ['end time'] ELSE [] END
    ) AS missing,
    is_external,
    has_server_half,
    failed,
    duration_ns,
    start_ns
FROM outgoing_call
