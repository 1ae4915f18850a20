-- table: sampled_trace
-- One row a trace that is known to have been sampled: spans of it may be missing on purpose.
--   trace_no  BIGINT   row number of the trace
--   evidence  VARCHAR  what says so
WITH said AS (
    SELECT
        span.trace_id,
        'tracestate says ot=th:'
        || regexp_extract(span.trace_state, '(?:^|,)\s*ot=(?:[^,]*;)?th:([0-9a-f]+)', 1) AS evidence
    FROM stored.span AS span
    -- A threshold of zero keeps everything.
    WHERE regexp_matches(span.trace_state, '(?:^|,)\s*ot=(?:[^,]*;)?th:0*[1-9a-f]')
    UNION ALL
    SELECT span.trace_id, 'span attribute ' || attribute.key || '=' || coalesce(attribute.value, '')
    FROM stored.span_attribute AS attribute
    JOIN stored.span AS span USING (span_no)
    WHERE attribute.key LIKE 'tailsampling.%'
        OR (
            attribute.key = 'sampler.param'
            AND (
                attribute.value NOT IN ('1', '1.0', 'true')
                -- Of these the parameter is a rate, not a share.
                OR EXISTS (
                    SELECT 1
                    FROM stored.span_attribute AS sampler
                    WHERE sampler.span_no = span.span_no
                        AND sampler.key = 'sampler.type'
                        AND sampler.value IN ('ratelimiting', 'lowerbound')
                )
            )
        )
    UNION ALL
    SELECT span.trace_id, 'scope attribute ' || attribute.key || '=' || coalesce(attribute.value, '')
    FROM stored.scope_attribute AS attribute
    JOIN stored.span AS span USING (scope_id)
    WHERE attribute.key LIKE 'tailsampling.%'
)
SELECT trace.trace_no, min(said.evidence) AS evidence
FROM said
JOIN trace USING (trace_id)
GROUP BY trace.trace_no
