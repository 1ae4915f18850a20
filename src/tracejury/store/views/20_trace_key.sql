-- table: trace_key
-- One row a trace and correlation key that its spans, log records or resources carry.
--   trace_no    BIGINT   row number of the trace
--   key         VARCHAR  the key, without a baggage prefix
--   rank        INTEGER  configured keys first, then the well-known ones
--   configured  BOOLEAN  the key stands in [correlation] keys
--   value       VARCHAR  one of its values
--   variety     BIGINT   how many different values the trace carries
WITH carried AS (
    SELECT node.trace_no, correlation_key.rank, attribute.type, attribute.value
    FROM stored.span_attribute AS attribute
    JOIN correlation_key ON correlation_key.sent_as = attribute.key
    JOIN node USING (span_no)
    -- Celery's conversation id is the id of one task: it names a message, not a workflow.
    WHERE attribute.key NOT LIKE '%conversation_id'
        OR (attribute.span_no, attribute.value) NOT IN (
            SELECT (span_field.span_no, span_field.message_id)
            FROM span_field
            WHERE span_field.message_id IS NOT NULL
        )
    UNION ALL
    SELECT trace.trace_no, correlation_key.rank, attribute.type, attribute.value
    FROM stored.log_attribute AS attribute
    JOIN correlation_key ON correlation_key.sent_as = attribute.key
    JOIN stored.log_record AS log USING (log_no)
    JOIN trace USING (trace_id)
    UNION ALL
    SELECT trace.trace_no, correlation_key.rank, attribute.type, attribute.value
    FROM stored.resource_attribute AS attribute
    JOIN correlation_key ON correlation_key.sent_as = attribute.key
    JOIN stored.span AS span USING (resource_id)
    JOIN trace USING (trace_id)
),
whole AS (
    SELECT DISTINCT trace_no, rank, type, value
    FROM carried
    WHERE value <> ''
),
-- A list names each of what is in it.
each_value AS (
    SELECT trace_no, rank, value
    FROM whole
    WHERE type <> 'array'
    UNION
    SELECT trace_no, rank, unnest(json_extract_string(value, '$[*]'))
    FROM whole
    WHERE type = 'array'
)
SELECT
    told.trace_no,
    named.key,
    told.rank::INTEGER AS rank,
    named.configured,
    told.value,
    told.variety
FROM (
    SELECT trace_no, rank, min(value) AS value, count(*) AS variety
    FROM each_value
    WHERE value <> ''
    GROUP BY trace_no, rank
) AS told
JOIN (SELECT DISTINCT rank, key, configured FROM correlation_key) AS named USING (rank)
