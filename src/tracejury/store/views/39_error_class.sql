-- table: error_class
-- One row a failed span: what its error type and message say that it was, by the words of
-- telemetry/lexicon.py.
--   span_no             BIGINT   row number of the span
--   short_type          VARCHAR  the error type without module, package or pointer
--   is_timeout          BOOLEAN  someone waited no longer
--   names_timeout       BOOLEAN  of these, the type says so, or the message of a type that leaves it open, or one that speaks of the call
--   is_connect_timeout  BOOLEAN  of these, one that waited for a connection alone
--   is_pool_timeout     BOOLEAN  of these, one that waited for a connection of its own pool
--   is_lock_timeout     BOOLEAN  of these, a database that waited for a lock, or was told to stop
--   is_own_deadline     BOOLEAN  of these, worded like a deadline that ran out at the caller
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
        short_type IN (SELECT word FROM error_word WHERE class = 'open')
            OR regexp_matches(short_type, 'time[d_]*out|deadline', 'i')
            OR regexp_matches(message, (SELECT pattern FROM error_pattern WHERE class = 'call'))
            AS is_of_call,
        short_type IN (SELECT word FROM error_word WHERE class = 'pool')
            OR regexp_matches(message, (SELECT pattern FROM error_pattern WHERE class = 'pool'))
            AS is_pool,
        short_type IN (SELECT word FROM error_word WHERE class = 'lock')
            OR regexp_matches(message, (SELECT pattern FROM error_pattern WHERE class = 'lock'))
            AS is_lock,
        regexp_matches(short_type, 'connect', 'i')
            OR (short_type = 'ETIMEDOUT' AND NOT regexp_matches(message, '\bread\b', 'i'))
            OR regexp_matches(message, (SELECT pattern FROM error_pattern WHERE class = 'connect'))
            AS is_connecting,
        regexp_matches(message, (SELECT pattern FROM error_pattern WHERE class = 'deadline'))
            AS is_own_deadline,
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
    worded.is_timeout,
    worded.is_timeout AND (worded.is_timeout_type OR worded.is_of_call) AS names_timeout,
    worded.is_timeout AND worded.is_connecting AND NOT worded.is_pool AS is_connect_timeout,
    worded.is_timeout AND worded.is_pool AS is_pool_timeout,
    worded.is_timeout AND worded.is_lock AS is_lock_timeout,
    worded.is_timeout AND worded.is_own_deadline AS is_own_deadline,
    worded.is_job_limit,
    worded.is_cancelled AND NOT worded.is_timeout_message AS is_cancellation,
    worded.is_connection,
    worded.is_breaker,
    worded.is_exhausted
FROM span_error AS error
JOIN (
    SELECT *, NOT is_no_timeout AND (is_timeout_type OR is_timeout_message) AS is_timeout
    FROM worded
) AS worded USING (error_type, message)
