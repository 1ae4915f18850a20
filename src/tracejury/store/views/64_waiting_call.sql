-- table: waiting_call
-- One row a CLIENT call that somebody waits for: no long poll, no stream, no blocking read.
--   span_no      BIGINT   row number of the span
--   instance_no  BIGINT   row number of the workflow instance
--   service      VARCHAR  who called
--   target       VARCHAR  who was called
--   component    VARCHAR  what kind of call, by the audit's timeout table: call, statement, storage; '' for none of it
--   bound_ns     BIGINT   how long it may take by the policy; NULL where the component is not known
-- What was asked, in as few columns as decide whether anybody waits for it.
WITH asked AS (
    SELECT
        span_no,
        coalesce(messaging_operation IN ('receive', 'poll'), false) AS is_poll,
        coalesce(db_operation, db_query) AS statement
    FROM span_field
    WHERE messaging_operation IN ('receive', 'poll')
        OR db_operation IS NOT NULL
        OR db_query IS NOT NULL
)
SELECT
    call.span_no,
    call.instance_no,
    call.service,
    call.target,
    CASE
        WHEN call.protocol IN ('http', 'rpc', 'genai', 'faas', 'messaging') THEN 'call'
        WHEN call.protocol = 'db' THEN 'statement'
        WHEN call.protocol = 'object' THEN 'storage'
        ELSE ''
    END AS component,
    (1e9 * CASE
        WHEN call.protocol IN ('http', 'rpc', 'genai', 'faas', 'messaging')
            THEN (SELECT value FROM bound WHERE name = 'call_seconds')
        WHEN call.protocol = 'db' THEN (SELECT value FROM bound WHERE name = 'statement_seconds')
        WHEN call.protocol = 'object' THEN (SELECT value FROM bound WHERE name = 'storage_seconds')
    END)::BIGINT AS bound_ns
FROM outgoing_call AS call
JOIN workflow_instance AS instance USING (instance_no)
LEFT JOIN asked USING (span_no)
WHERE NOT instance.background
    AND call.kind = 'CLIENT'
    AND NOT coalesce(asked.is_poll, false)
    -- Reads that wait for something to come.
    AND NOT coalesce(
        regexp_matches(
            coalesce(asked.statement, call.operation),
            '^(B[LRZ]\w*(POP|MOVE|MPOP)|XREAD\w*|SUBSCRIBE|PSUBSCRIBE|LISTEN|WAIT)\b', 'i'
        ),
        false
    )
    AND call.span_no NOT IN (
        SELECT attribute.span_no
        FROM stored.span_attribute AS attribute
        WHERE (attribute.key = 'gen_ai.request.stream' AND attribute.value = 'true')
            OR (attribute.key LIKE 'http.response.header.content%type'
                AND attribute.value LIKE '%text/event-stream%')
            OR (attribute.key LIKE 'http.request.header.upgrade' AND attribute.value ILIKE '%websocket%')
    )
