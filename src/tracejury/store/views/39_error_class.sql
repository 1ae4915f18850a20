-- table: error_class
-- One row a failed span: what its error type and message say that it was, by the words of
-- telemetry/lexicon.py.
--   span_no             BIGINT   row number of the span
--   short_type          VARCHAR  the error type without module, package or pointer
--   is_timeout          BOOLEAN  someone waited no longer
--   is_connect_timeout  BOOLEAN  of these, one that waited for a connection alone
--   is_job_limit        BOOLEAN  of these, the limit of a whole job
--   is_cancellation     BOOLEAN  the work was called off, and nothing says that it timed out
--   is_connection       BOOLEAN  nobody was there to answer
--   is_breaker          BOOLEAN  a circuit breaker refused the call
--   is_exhausted        BOOLEAN  every attempt was used up
WITH distinct_error AS (
    SELECT DISTINCT
        error_type,
        message,
        regexp_extract(rtrim(error_type, '.'), '[^.:/*$]*$') AS short_type
    FROM span_error
),
worded AS (
    SELECT
        *,
        short_type IN (SELECT word FROM error_word WHERE class = 'not_timeout') AS is_no_timeout,
        short_type IN (SELECT word FROM error_word WHERE class = 'timeout') AS is_timeout_type,
        short_type IN (SELECT word FROM error_word WHERE class = 'job_limit') AS is_job_limit,
        regexp_matches(message, (SELECT pattern FROM error_pattern WHERE class = 'timeout'))
            AS is_timeout_message,
        short_type IN (SELECT word FROM error_word WHERE class = 'cancellation') AS is_cancelled,
        short_type IN (SELECT word FROM error_word WHERE class = 'connection') AS is_connection,
        short_type IN (SELECT word FROM error_word WHERE class = 'breaker')
            OR regexp_matches(message, (SELECT pattern FROM error_pattern WHERE class = 'breaker'))
            AS is_breaker,
        short_type IN (SELECT word FROM error_word WHERE class = 'exhaustion') AS is_exhausted
    FROM distinct_error
)
SELECT
    error.span_no,
    worded.short_type,
    NOT worded.is_no_timeout AND (worded.is_timeout_type OR worded.is_timeout_message) AS is_timeout,
    NOT worded.is_no_timeout
        AND (worded.is_timeout_type OR worded.is_timeout_message)
        AND regexp_matches(worded.short_type, 'connect', 'i') AS is_connect_timeout,
    worded.is_job_limit,
    worded.is_cancelled AND NOT worded.is_timeout_message AS is_cancellation,
    worded.is_connection,
    worded.is_breaker,
    worded.is_exhausted
FROM span_error AS error
JOIN worded USING (error_type, message)
