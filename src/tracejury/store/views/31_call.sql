-- table: call
-- One row a CLIENT or PRODUCER span: who called whom, for what, and what was recorded of it.
--   span_no         BIGINT    row number of the span
--   trace_no        BIGINT    row number of the trace
--   parent_no       BIGINT    row number of the parent span; NULL: none is named, or it is not stored
--   span_id         UBIGINT   its own id
--   service         VARCHAR   who called
--   name            VARCHAR   span name
--   kind            VARCHAR   CLIENT or PRODUCER
--   start_ns        BIGINT    nanoseconds since 1970; NULL where unusable
--   end_ns          BIGINT    NULL where missing or before the start
--   failed          BOOLEAN   the call failed
--   peer            VARCHAR   who was called, by the best name recorded; NULL where nothing tells
--   operation       VARCHAR   what was asked; NULL where nothing tells
--   protocol        VARCHAR   http, db, messaging, rpc, genai, object, faas or other
--   request_parts   VARCHAR[] names of request fields that the protocol asks for and are missing
--   response        VARCHAR   the recorded answer: a status code or error type; NULL where none
--   is_innermost    BOOLEAN   no CLIENT child in the same process: a logical span around it is not
--   route           VARCHAR   peer and method or operation, without what changes from call to call
WITH described AS (
    SELECT
        node.span_no,
        node.trace_no,
        node.parent_no,
        node.span_id,
        node.service,
        node.name,
        node.kind,
        node.start_ns,
        node.end_ns,
        node.status,
        error.span_no IS NOT NULL AS failed,
        coalesce(error.error_type, '') AS error_type,
        field.*,
        CASE
            WHEN field.genai_operation IS NOT NULL OR field.genai_provider IS NOT NULL THEN 'genai'
            WHEN field.object_bucket IS NOT NULL THEN 'object'
            WHEN field.db_system IS NOT NULL THEN 'db'
            WHEN field.messaging_system IS NOT NULL OR field.destination IS NOT NULL
                OR (node.kind = 'PRODUCER' AND field.messaging_operation IS NOT NULL) THEN 'messaging'
            WHEN field.rpc_system IS NOT NULL OR field.rpc_method IS NOT NULL THEN 'rpc'
            WHEN field.http_method IS NOT NULL OR field.url_full IS NOT NULL
                OR field.http_status IS NOT NULL THEN 'http'
            WHEN field.function_name IS NOT NULL THEN 'faas'
            WHEN node.kind = 'PRODUCER' THEN 'messaging'
            ELSE 'other'
        END AS protocol,
        CASE
            WHEN field.peer_port IS NULL OR ends_with(field.peer_address, ':' || field.peer_port)
            THEN field.peer_address
            ELSE field.peer_address || ':' || field.peer_port
        END AS address,
        coalesce(
            field.http_route,
            nullif(split_part(field.url_path, '?', 1), ''),
            nullif(regexp_extract(field.url_full, '^[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#]*(/[^?#]*)', 1), '')
        ) AS path
    FROM node
    LEFT JOIN span_field AS field USING (span_no)
    LEFT JOIN span_error AS error USING (span_no)
    WHERE node.kind IN ('CLIENT', 'PRODUCER')
),
named AS (
    SELECT
        *,
        coalesce(
            peer_name,
            address,
            nullif(
                regexp_extract(url_full, '^[a-zA-Z][a-zA-Z0-9+.-]*://(?:[^/@?#]*@)?([^/?#]+)', 1), ''
            ),
            CASE WHEN protocol = 'messaging' THEN coalesce(destination, messaging_system) END,
            CASE WHEN db_system IS NOT NULL THEN concat_ws('/', db_system, split_part(db_namespace, '|', 1)) END,
            object_bucket,
            genai_provider,
            function_name
        ) AS peer,
        CASE protocol
            WHEN 'db' THEN coalesce(
                nullif(concat_ws(' ', db_operation, db_collection), ''),
                regexp_extract(db_query, '^\s*(\w+)', 1)
            )
            WHEN 'messaging' THEN concat_ws(' ', messaging_operation, coalesce(message_type, destination))
            WHEN 'rpc' THEN concat_ws('/', rpc_service, rpc_method)
            WHEN 'genai' THEN concat_ws(' ', genai_operation, genai_model)
            WHEN 'object' THEN concat_ws(' ', rpc_method, object_key)
            WHEN 'http' THEN concat_ws(' ', http_method, path)
            WHEN 'faas' THEN function_name
        END AS operation
    FROM described
),
-- An outer span of the same process around a CLIENT span is the same call, told twice.
inner_call AS (
    SELECT DISTINCT node.parent_no AS span_no
    FROM node
    JOIN node AS parent ON parent.span_no = node.parent_no
    WHERE node.kind IN ('CLIENT', 'PRODUCER')
        AND parent.kind IN ('CLIENT', 'PRODUCER')
        AND parent.kind = node.kind
        AND parent.service = node.service
)
SELECT
    named.span_no,
    named.trace_no,
    named.parent_no,
    named.span_id,
    named.service,
    named.name,
    named.kind,
    named.start_ns,
    named.end_ns,
    named.failed,
    named.peer,
    nullif(named.operation, '') AS operation,
    named.protocol,
    -- Most calls lack nothing, and a list is dear to filter.
    coalesce(string_split(nullif(concat_ws(
        chr(31),
        CASE WHEN named.peer IS NULL AND named.protocol <> 'db' THEN 'peer' END,
        CASE WHEN named.protocol = 'http' AND named.http_method IS NULL THEN 'http.request.method' END,
        CASE WHEN named.protocol = 'http' AND named.url_full IS NULL AND named.url_path IS NULL
            AND named.http_route IS NULL THEN 'url.full' END,
        CASE WHEN named.protocol = 'db' AND named.db_operation IS NULL AND named.db_query IS NULL
            THEN 'db.operation.name' END,
        CASE WHEN named.protocol = 'rpc' AND named.rpc_method IS NULL THEN 'rpc.method' END,
        CASE WHEN named.protocol = 'messaging' AND named.destination IS NULL
            THEN 'messaging.destination.name' END,
        CASE WHEN named.protocol = 'messaging' AND named.messaging_operation IS NULL
            THEN 'messaging.operation.name' END,
        CASE WHEN named.protocol = 'genai' AND named.genai_model IS NULL THEN 'gen_ai.request.model' END,
        CASE WHEN named.protocol = 'other' THEN 'http.request.method, db.operation.name or rpc.method' END
    ), ''), chr(31)), []) AS request_parts,
    coalesce(
        named.http_status,
        named.rpc_status,
        named.db_status,
        nullif(named.error_type, ''),
        CASE WHEN named.status IN ('OK', 'ERROR') THEN named.status END
    ) AS response,
    inner_call.span_no IS NULL AS is_innermost,
    concat_ws(' ', coalesce(named.peer, '?'), CASE named.protocol
        WHEN 'http' THEN concat_ws(' ', named.http_method, regexp_replace(
            coalesce(named.path, ''),
            -- What differs from call to call: numbers, hex and UUIDs, long names with digits.
            '/[^/]*[0-9][^/]*', '/{id}', 'g'
        ))
        ELSE nullif(named.operation, '')
    END) AS route
FROM named
LEFT JOIN inner_call USING (span_no)
