-- table: trace_key
-- One row a trace and correlation key that its spans, log records or resources carry.
--   trace_no    BIGINT   row number of the trace
--   key         VARCHAR  the key, without a baggage prefix
--   rank        INTEGER  configured keys first, then the well-known ones
--   configured  BOOLEAN  the key stands in [correlation] keys
--   value       VARCHAR  one of its values
--   variety     BIGINT   how many different values the trace carries
WITH carried AS (
    SELECT trace.trace_no, correlation_key.key, correlation_key.rank, correlation_key.configured,
        CASE
            WHEN attribute.type = 'array' THEN json_extract_string(attribute.value, '$[0]')
            ELSE attribute.value
        END AS value
    FROM stored.span_attribute AS attribute
    JOIN correlation_key ON correlation_key.sent_as = attribute.key
    JOIN stored.span AS span USING (span_no)
    JOIN trace USING (trace_id)
    LEFT JOIN span_field USING (span_no)
    -- Celery's conversation id is the id of one task: it names a message, not a workflow.
    WHERE NOT (
        attribute.key LIKE '%conversation_id'
        AND attribute.value IS NOT DISTINCT FROM span_field.message_id
    )
    UNION ALL
    SELECT trace.trace_no, correlation_key.key, correlation_key.rank, correlation_key.configured,
        attribute.value
    FROM stored.log_attribute AS attribute
    JOIN correlation_key ON correlation_key.sent_as = attribute.key
    JOIN stored.log_record AS log USING (log_no)
    JOIN trace USING (trace_id)
    UNION ALL
    SELECT trace.trace_no, correlation_key.key, correlation_key.rank, correlation_key.configured,
        attribute.value
    FROM stored.resource_attribute AS attribute
    JOIN correlation_key ON correlation_key.sent_as = attribute.key
    JOIN stored.span AS span USING (resource_id)
    JOIN trace USING (trace_id)
)
SELECT
    trace_no,
    key,
    min(rank)::INTEGER AS rank,
    bool_or(configured) AS configured,
    min(value) AS value,
    count(DISTINCT value) AS variety
FROM carried
WHERE value <> ''
GROUP BY trace_no, key
