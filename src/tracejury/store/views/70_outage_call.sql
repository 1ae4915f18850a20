-- table: outage_call
-- One row a CLIENT call of a process to a target that failed it at least three times in such a way
-- that it may be down: without an answer in time, without a connection, or with an error of its own.
--   span_no      BIGINT   row number of the span
--   instance_no  BIGINT   row number of the workflow instance
--   service      VARCHAR  who called
--   process      VARCHAR  the process that called; '' where nothing tells
--   target       VARCHAR  who was called
--   start_ns     BIGINT   nanoseconds since 1970
--   end_ns       BIGINT   its end, or its start where that is unusable
--   run_no       BIGINT   item run that it is part of; NULL outside of items
--   step         VARCHAR  name of the span of that run, else of the span above; NULL without one
--   thing        BIGINT   what it was made for: the same for all attempts at one thing, and for one item
--   failed       BOOLEAN  it failed in such a way
--   streak       BIGINT   the same for all calls that failed one after the other, with no other in between
WITH failure AS (
    SELECT
        class.span_no,
        coalesce(
            (class.is_timeout AND NOT class.is_lock_timeout AND NOT class.is_pool_timeout)
            OR class.is_connection
            OR regexp_matches(class.short_type, 'Reset|Aborted|Disconnected|RemoteProtocol', 'i')
            OR regexp_full_match(coalesce(field.http_status, class.short_type), '5\d\d')
            OR upper(field.rpc_status) IN ('4', '13', '14', 'DEADLINE_EXCEEDED', 'INTERNAL', 'UNAVAILABLE'),
            false
        ) AS is_outage,
        -- What nobody sent, or what was called off, says nothing of the target.
        class.is_breaker OR class.is_cancellation OR class.is_job_limit AS is_void
    FROM error_class AS class
    LEFT JOIN span_field AS field USING (span_no)
),
troubled AS (
    SELECT call.service, coalesce(node.instance_id, '') AS process, call.target
    FROM failure
    JOIN outgoing_call AS call USING (span_no)
    JOIN node USING (span_no)
    WHERE failure.is_outage AND NOT failure.is_void AND call.kind = 'CLIENT'
    GROUP BY ALL
    HAVING count(*) >= 3
),
called AS (
    SELECT
        call.span_no,
        call.instance_no,
        call.service,
        troubled.process,
        call.target,
        node.trace_no,
        node.span_id,
        node.start_ns,
        coalesce(node.end_ns, node.start_ns) AS end_ns,
        node.parent_no,
        coalesce(failure.is_outage, false) AS failed
    FROM outgoing_call AS call
    JOIN node USING (span_no)
    JOIN troubled
        ON troubled.service = call.service
        AND troubled.process = coalesce(node.instance_id, '')
        AND troubled.target = call.target
    JOIN workflow_instance AS instance ON instance.instance_no = call.instance_no
    LEFT JOIN failure ON failure.span_no = call.span_no
    WHERE call.kind = 'CLIENT'
        AND NOT instance.background
        AND node.start_ns IS NOT NULL
        AND NOT coalesce(failure.is_void, false)
)
SELECT
    called.span_no,
    called.instance_no,
    called.service,
    called.process,
    called.target,
    called.start_ns,
    called.end_ns,
    part.run_no,
    coalesce(run.name, parent.name) AS step,
    coalesce(part.run_no, attempt.group_no, called.span_no) AS thing,
    called.failed,
    (sum(CASE WHEN called.failed THEN 0 ELSE 1 END) OVER (
        PARTITION BY called.service, called.process, called.target
        ORDER BY called.end_ns, called.start_ns, called.trace_no, called.span_id
    ))::BIGINT AS streak
FROM called
LEFT JOIN item_part AS part ON part.span_no = called.span_no
LEFT JOIN item_run AS run ON run.span_no = part.run_no
LEFT JOIN attempt_of AS attempt ON attempt.span_no = called.span_no AND attempt.how = 'siblings'
LEFT JOIN node AS parent ON parent.span_no = called.parent_no
