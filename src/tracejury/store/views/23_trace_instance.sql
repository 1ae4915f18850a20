-- table: trace_instance
-- One row a trace: the workflow instance it belongs to.
--   trace_no         BIGINT   row number of the trace
--   instance_no      BIGINT   row number of the workflow instance
--   correlation_key  VARCHAR  the key that joined it, 'links' or 'trace'
--   correlation_id   VARCHAR  the value of that key, or the id of the first trace
--   ambiguous        BOOLEAN  the trace carries several values of its key
WITH linked_pair AS (
    SELECT trace_no, linked_no FROM trace_link
    UNION ALL
    SELECT linked_no, trace_no FROM trace_link
),
linked AS (
    -- A group of linked traces without a key of their own belongs to the one instance they link to.
    SELECT
        component.component,
        min(correlation.key) AS key,
        min(correlation.value) AS value,
        count(DISTINCT correlation.key || chr(31) || correlation.value) AS targets
    FROM trace_component AS component
    JOIN linked_pair AS link USING (trace_no)
    JOIN trace_correlation AS correlation ON correlation.trace_no = link.linked_no
    WHERE correlation.value IS NOT NULL
    GROUP BY component.component
),
labelled AS (
    SELECT
        trace.trace_no,
        coalesce(
            correlation.key,
            CASE WHEN linked.targets = 1 THEN linked.key END,
            CASE WHEN component.component IS NOT NULL THEN 'links' END,
            'trace'
        ) AS correlation_key,
        CASE
            WHEN correlation.ambiguous THEN lower(hex(trace.trace_id))
            WHEN correlation.value IS NOT NULL THEN correlation.value
            WHEN linked.targets = 1 THEN linked.value
            WHEN component.component IS NOT NULL THEN lower(hex(first_trace.trace_id))
            ELSE lower(hex(trace.trace_id))
        END AS correlation_id,
        coalesce(correlation.ambiguous, false) AS ambiguous
    FROM trace
    LEFT JOIN trace_correlation AS correlation USING (trace_no)
    LEFT JOIN trace_component AS component
        ON component.trace_no = trace.trace_no AND correlation.trace_no IS NULL
    LEFT JOIN trace AS first_trace ON first_trace.trace_no = component.component
    LEFT JOIN linked USING (component)
)
SELECT
    trace_no,
    dense_rank() OVER (ORDER BY first_no, correlation_key, correlation_id) - 1 AS instance_no,
    correlation_key,
    correlation_id,
    ambiguous
FROM (
    SELECT
        *,
        min(trace_no) OVER (PARTITION BY correlation_key, correlation_id) AS first_no
    FROM labelled
)
