-- table: workflow_instance
-- One row a correlation ID: all traces and log records that it joins.
--   instance_no      BIGINT   row number of the workflow instance
--   workflow         VARCHAR  name of its entry point, with the service where two share the name
--   correlation_key  VARCHAR  the key that joined it, 'links' or 'trace'
--   correlation_id   VARCHAR  the value of that key, or the id of the first trace
--   traces           BIGINT   traces in it
--   spans            BIGINT   spans stored
--   logs             BIGINT   log records that belong to it
--   start_ns         UBIGINT  earliest span, without those that a wrong clock misplaces
--   end_ns           UBIGINT  latest end, without the same
--   took_ns          BIGINT   from the one to the other
--   outcome          VARCHAR  ok, failed or unknown: its end or root is not stored, or work that it handed on is not known to be done
--   background       BOOLEAN  broker polls and health checks: kept out of every score
--   ambiguous        BOOLEAN  its trace carries several values of the correlation key
--   rootless         BOOLEAN  its root is not stored
--   entry_service    VARCHAR  service of the entry span
--   entry_name       VARCHAR  name of the entry span
--   entry_kind       VARCHAR  kind of the entry span
--   entry_span_no    BIGINT   row number of the entry span
WITH shared_name AS (
    SELECT entry_name
    FROM entry
    GROUP BY entry_name
    HAVING count(DISTINCT entry_service) > 1
),
-- A failure that nothing above it caught: it reached a root, or the span that processed a message.
uncaught AS (
    SELECT DISTINCT instance.instance_no
    FROM span_error AS error
    JOIN node USING (span_no)
    JOIN trace_instance AS instance USING (trace_no)
    LEFT JOIN attempt_of AS attempt USING (span_no)
    WHERE NOT error.by_log
        AND (node.parent_no IS NULL OR node.kind = 'CONSUMER')
        AND NOT coalesce(attempt.recovered, false)
        AND coalesce(attempt.number = attempt.attempts, true)
),
stated AS (
    SELECT instance_no, arg_max(state, time_ns) AS state
    FROM state_record
    WHERE level = 'job'
    GROUP BY instance_no
),
-- Messages of the kinds that are seen to be processed within the instance that sent them.
handed AS (
    SELECT DISTINCT sent.destination, sent.message_type
    FROM sent_message AS sent
    JOIN delivery
        ON delivery.instance_no = sent.instance_no AND delivery.start_ns = sent.started_ns
),
-- Who took the order has answered; what became of the work, nobody knows.
unprocessed AS (
    SELECT DISTINCT sent.instance_no
    FROM sent_message AS sent
    JOIN handed USING (destination, message_type)
    WHERE sent.processed = 0 AND NOT sent.failed AND NOT sent.may_vanish
),
spans AS (
    SELECT
        instance.instance_no,
        count(DISTINCT node.trace_no) AS traces,
        count(*) AS spans,
        -- Where all are misplaced there is nothing to tell by how much.
        coalesce(
            min(node.start_ns) FILTER (misplaced.span_no IS NULL), min(node.start_ns)
        ) AS start_ns,
        coalesce(
            max(coalesce(node.end_ns, node.start_ns)) FILTER (misplaced.span_no IS NULL),
            max(coalesce(node.end_ns, node.start_ns))
        ) AS end_ns
    FROM node
    JOIN trace_instance AS instance USING (trace_no)
    LEFT JOIN misplaced USING (span_no)
    GROUP BY instance.instance_no
),
named AS (
    SELECT
        instance_no,
        any_value(correlation_key) AS correlation_key,
        any_value(correlation_id) AS correlation_id,
        bool_or(ambiguous) AS ambiguous,
        bool_and(background_trace.trace_no IS NOT NULL) AS background
    FROM trace_instance
    LEFT JOIN background_trace USING (trace_no)
    GROUP BY instance_no
),
logs AS (
    SELECT instance_no, count(*) AS logs
    FROM log_instance
    GROUP BY instance_no
)
SELECT
    named.instance_no,
    CASE
        WHEN shared_name.entry_name IS NOT NULL
        THEN entry.entry_name || ' (' || entry.entry_service || ')'
        ELSE entry.entry_name
    END AS workflow,
    named.correlation_key,
    named.correlation_id,
    spans.traces,
    spans.spans,
    coalesce(logs.logs, 0) AS logs,
    spans.start_ns::UBIGINT AS start_ns,
    spans.end_ns::UBIGINT AS end_ns,
    (spans.end_ns - spans.start_ns)::BIGINT AS took_ns,
    CASE
        WHEN uncaught.instance_no IS NOT NULL THEN 'failed'
        WHEN stated.state IN ('failed', 'partial', 'timeout') THEN 'failed'
        WHEN entry.rootless THEN 'unknown'
        WHEN entry_node.end_ns IS NULL THEN 'unknown'
        WHEN stated.state IN ('queued', 'processing', 'retrying') THEN 'unknown'
        WHEN stated.state IS NULL AND unprocessed.instance_no IS NOT NULL THEN 'unknown'
        ELSE 'ok'
    END AS outcome,
    named.background,
    named.ambiguous,
    entry.rootless,
    entry.entry_service,
    entry.entry_name,
    entry.entry_kind,
    entry.span_no AS entry_span_no
FROM named
JOIN spans USING (instance_no)
JOIN entry USING (instance_no)
JOIN node AS entry_node ON entry_node.span_no = entry.span_no
LEFT JOIN shared_name ON shared_name.entry_name = entry.entry_name
LEFT JOIN logs ON logs.instance_no = named.instance_no
LEFT JOIN uncaught ON uncaught.instance_no = named.instance_no
LEFT JOIN stated ON stated.instance_no = named.instance_no
LEFT JOIN unprocessed ON unprocessed.instance_no = named.instance_no
