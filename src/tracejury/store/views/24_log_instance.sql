-- table: log_instance
-- One row a log record that belongs to a workflow instance.
--   log_no       BIGINT   row number of the log record
--   instance_no  BIGINT   row number of the workflow instance
--   trace_no     BIGINT   row number of its trace; NULL: joined by the correlation key alone
--   span_no      BIGINT   row number of its span; NULL: none is named, or it is not stored
WITH keyed AS (
    SELECT attribute.log_no, min(instance.instance_no) AS instance_no
    FROM stored.log_attribute AS attribute
    JOIN correlation_key ON correlation_key.sent_as = attribute.key
    JOIN (
        SELECT DISTINCT correlation_key, correlation_id, instance_no
        FROM trace_instance
        WHERE NOT ambiguous
    ) AS instance
        ON instance.correlation_key = correlation_key.key
        AND instance.correlation_id = attribute.value
    GROUP BY attribute.log_no
)
SELECT
    log.log_no,
    coalesce(instance.instance_no, keyed.instance_no) AS instance_no,
    trace.trace_no,
    span_of_id.span_no
FROM stored.log_record AS log
LEFT JOIN trace ON trace.trace_id = log.trace_id
LEFT JOIN trace_instance AS instance ON instance.trace_no = trace.trace_no
LEFT JOIN keyed ON keyed.log_no = log.log_no
LEFT JOIN span_of_id
    ON span_of_id.trace_no = trace.trace_no
    AND span_of_id.span_id = log.span_id
WHERE coalesce(instance.instance_no, keyed.instance_no) IS NOT NULL
