-- table: sampled_trace
-- One row a trace that is known to have been sampled: spans of it may be missing on purpose.
--   trace_no  BIGINT   row number of the trace
--   evidence  VARCHAR  what says so
WITH mark AS (
    SELECT 'span' AS holder, span_no AS holder_no, NULL::UBIGINT AS holder_id, key, value
    FROM stored.span_attribute
    WHERE key LIKE 'tailsampling.%' OR key IN ('sampler.type', 'sampler.param', 'SampleRate')
    UNION ALL
    SELECT 'scope', NULL, scope_id, key, value
    FROM stored.scope_attribute
    WHERE key LIKE 'tailsampling.%' OR key IN ('sampler.type', 'sampler.param', 'SampleRate')
    UNION ALL
    SELECT 'resource', NULL, resource_id, key, value
    FROM stored.resource_attribute
    WHERE key LIKE 'tailsampling.%' OR key IN ('sampler.type', 'sampler.param', 'SampleRate')
),
sampler AS (
    SELECT
        holder,
        holder_no,
        holder_id,
        any_value(value) FILTER (key = 'sampler.type') AS type,
        any_value(value) FILTER (key = 'sampler.param') AS parameter
    FROM mark
    GROUP BY ALL
),
proof AS (
    SELECT mark.holder, mark.holder_no, mark.holder_id, mark.key, mark.value
    FROM mark
    JOIN sampler
        ON sampler.holder = mark.holder
        AND sampler.holder_no IS NOT DISTINCT FROM mark.holder_no
        AND sampler.holder_id IS NOT DISTINCT FROM mark.holder_id
    WHERE mark.key LIKE 'tailsampling.%'
        -- It stands for so many.
        OR (mark.key = 'SampleRate' AND try_cast(mark.value AS DOUBLE) > 1)
        OR (
            mark.key = 'sampler.param'
            AND (
                mark.value NOT IN ('1', '1.0', 'true')
                -- Of these the parameter is a rate, not a share.
                OR sampler.type IN ('ratelimiting', 'lowerbound')
            )
        )
        OR (
            mark.key = 'sampler.type'
            AND sampler.parameter IS NULL
            AND mark.value IN ('probabilistic', 'ratelimiting', 'lowerbound')
        )
),
said AS (
    SELECT
        span.trace_id,
        'tracestate says ot=th:'
        || lower(regexp_extract(span.trace_state, '(?:^|,)\s*ot=(?:[^,]*;)?th:([0-9a-fA-F]+)', 1))
            AS evidence
    FROM stored.span AS span
    -- A threshold of zero keeps everything.
    WHERE regexp_matches(span.trace_state, '(?:^|,)\s*ot=(?:[^,]*;)?th:0*[1-9a-fA-F]')
    UNION ALL
    -- Before the threshold there was its logarithm, and none of it for everything.
    SELECT
        span.trace_id,
        'tracestate says ot=p:'
        || regexp_extract(span.trace_state, '(?:^|,)\s*ot=(?:[^,]*;)?p:0*([1-9]\d*)', 1)
    FROM stored.span AS span
    WHERE regexp_matches(span.trace_state, '(?:^|,)\s*ot=(?:[^,]*;)?p:0*[1-9]')
    UNION ALL
    SELECT
        span.trace_id,
        proof.holder || ' attribute ' || proof.key || '=' || coalesce(proof.value, '')
    FROM proof
    JOIN stored.span AS span ON span.span_no = proof.holder_no
    UNION ALL
    SELECT
        span.trace_id,
        proof.holder || ' attribute ' || proof.key || '=' || coalesce(proof.value, '')
    FROM proof
    JOIN stored.span AS span ON proof.holder = 'scope' AND span.scope_id = proof.holder_id
    UNION ALL
    SELECT
        span.trace_id,
        proof.holder || ' attribute ' || proof.key || '=' || coalesce(proof.value, '')
    FROM proof
    JOIN stored.span AS span ON proof.holder = 'resource' AND span.resource_id = proof.holder_id
)
SELECT trace.trace_no, min(said.evidence) AS evidence
FROM said
JOIN trace USING (trace_id)
GROUP BY trace.trace_no
