-- table: span_error
-- One row a failed span: by its status, error type, response code, exception or ERROR log.
--   span_no     BIGINT   row number of the span
--   error_type  VARCHAR  error.type, else the exception's type, else the response code; '' where none
--   message     VARCHAR  exception message, else status message, else the ERROR log's text; '' where none
--   by_log      BOOLEAN  only a log record says that it failed
WITH exception_event AS (
    SELECT
        event.span_no,
        min(attribute.value) FILTER (attribute.key = 'exception.type') AS error_type,
        min(attribute.value) FILTER (attribute.key = 'exception.message') AS message
    FROM stored.span_event AS event
    JOIN stored.event_attribute AS attribute USING (event_no)
    WHERE event.name = 'exception'
    GROUP BY event.span_no
),
log_exception AS (
    SELECT
        log_instance.span_no,
        min(attribute.value) FILTER (attribute.key = 'exception.type') AS error_type,
        min(attribute.value) FILTER (attribute.key = 'exception.message') AS message,
        min(log.body) AS body
    FROM log_instance
    JOIN stored.log_record AS log USING (log_no)
    LEFT JOIN stored.log_attribute AS attribute
        ON attribute.log_no = log.log_no
        AND attribute.key IN ('exception.type', 'exception.message')
    WHERE log_instance.span_no IS NOT NULL
        AND (log.severity_number >= 17 OR attribute.key = 'exception.type')
    GROUP BY log_instance.span_no
),
judged AS (
    SELECT
        node.span_no,
        node.status,
        node.kind,
        node.status_message,
        field.error_type AS type_field,
        field.celery_state,
        try_cast(field.http_status AS INTEGER) AS http_status,
        field.rpc_status,
        field.db_status,
        event.error_type AS event_type,
        event.message AS event_message,
        log.error_type AS log_type,
        coalesce(log.message, log.body) AS log_message,
        node.status = 'ERROR'
            OR field.error_type IS NOT NULL
            OR try_cast(field.http_status AS INTEGER) >= 500
            OR (node.kind = 'CLIENT' AND try_cast(field.http_status AS INTEGER) >= 400)
            OR (node.kind = 'CLIENT' AND upper(field.rpc_status) NOT IN ('0', 'OK'))
            -- What a caller did wrong is no failure of the server.
            OR (node.kind = 'SERVER' AND upper(field.rpc_status) IN (
                '2', '4', '12', '13', '14', '15', 'UNKNOWN', 'DEADLINE_EXCEEDED', 'UNIMPLEMENTED',
                'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS'
            ))
            OR coalesce(field.celery_state IN ('RETRY', 'FAILURE'), false)
            AS by_span,
        event.span_no IS NOT NULL OR log.span_no IS NOT NULL AS by_record
    FROM node
    LEFT JOIN span_field AS field USING (span_no)
    LEFT JOIN exception_event AS event USING (span_no)
    LEFT JOIN log_exception AS log USING (span_no)
    -- A status that someone set to OK silences what the instrumentation thought.
    WHERE node.status <> 'OK'
)
SELECT
    span_no,
    coalesce(
        type_field,
        event_type,
        log_type,
        CASE WHEN http_status >= 400 THEN http_status::VARCHAR END,
        CASE WHEN rpc_status NOT IN ('0', 'OK', 'ok') THEN rpc_status END,
        CASE WHEN by_span THEN db_status END,
        CASE WHEN regexp_matches(status_message, '^[A-Za-z_.]+(Error|Exception|Timeout|Refused|Reset)[^:]*:')
            THEN split_part(status_message, ':', 1) END,
        ''
    ) AS error_type,
    coalesce(event_message, nullif(status_message, ''), log_message, '') AS message,
    NOT coalesce(by_span, false) AS by_log
FROM judged
WHERE coalesce(by_span, false) OR by_record
