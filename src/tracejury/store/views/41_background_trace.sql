-- table: background_trace
-- One row a trace that is no workflow: nothing but calls to a database or a broker that no work
-- asked for, receives without a message, or a health check.
--   trace_no  BIGINT   row number of the trace
--   why       VARCHAR  'poll' or 'health check'
SELECT
    node.trace_no,
    CASE
        WHEN bool_and(
            node.missing_parent IS NULL
            AND (
                (
                    node.kind = 'CLIENT'
                    AND coalesce(
                        field.db_system, field.db_query, field.db_operation,
                        field.db_namespace, field.messaging_system
                    ) IS NOT NULL
                )
                OR (
                    node.kind IN ('CLIENT', 'CONSUMER')
                    AND field.messaging_operation IN ('receive', 'poll')
                    AND coalesce(try_cast(field.message_count AS BIGINT), 0) = 0
                )
            )
        )
            THEN 'poll'
        WHEN bool_or(
            CASE WHEN node.parent_no IS NULL AND node.kind = 'SERVER' THEN
                regexp_matches(
                    coalesce(field.http_route, split_part(field.url_path, '?', 1),
                        regexp_extract(node.name, '(/[^ ]*)$', 1)),
                    '^/(-/)?(health|healthz|ready|readyz|readiness|live|livez|liveness|ping|status|metrics)/?$'
                )
            END
        )
            THEN 'health check'
    END AS why
FROM node
LEFT JOIN span_field AS field USING (span_no)
WHERE node.trace_no NOT IN (SELECT trace_correlation.trace_no FROM trace_correlation)
GROUP BY node.trace_no
HAVING why IS NOT NULL
