-- table: job
-- One row a workflow instance that is a job: work that a queue handed on, or that says its state.
--   instance_no  BIGINT   row number of the workflow instance
--   workflow     VARCHAR  name of the workflow
--   job          VARCHAR  its correlation ID
--   state        VARCHAR  the last state that records say of it; NULL where none does
--   is_ended     BOOLEAN  that state is a final one; where none is said, the span that processed it ended
--   is_lost      BOOLEAN  it has no known end, and spans of who processes it are lost: so may its end be
--   hit_by       VARCHAR  what it had to survive: crash, limit or a hang that it gave up; '' where nothing did
--   open_ns      BIGINT   how long the run went on after its latest record, or the database after its row
--   is_overdue   BOOLEAN  that is longer than any job of its workflow may stay without a word
--   short_ns     BIGINT   how much longer it would have had to be for that; 0 where it is overdue
WITH said AS (
    SELECT
        instance_no,
        arg_max(state, (time_ns, is_final, state)) AS state,
        arg_max(is_final, (time_ns, is_final)) AS is_final
    FROM (
        SELECT instance_no, state, is_final, time_ns
        FROM state_record
        WHERE level = 'job'
        UNION ALL
        -- What the database said last was still so when it was asked.
        SELECT instance_no, state, is_final, read_ns
        FROM state_row
        WHERE is_last AND instance_no IS NOT NULL
    )
    GROUP BY instance_no
),
waits AS (
    SELECT instance_no, max(read_ns - updated_ns) AS waited_ns
    FROM state_row
    WHERE is_last AND NOT is_final AND instance_no IS NOT NULL
    GROUP BY instance_no
),
processed AS (
    SELECT
        delivery.instance_no,
        bool_or(delivery.end_ns IS NOT NULL AND coalesce(field.celery_state <> 'RETRY', true))
            AS is_ended
    FROM delivery
    LEFT JOIN span_field AS field USING (span_no)
    GROUP BY delivery.instance_no
),
-- Sent to where somebody is known to process it.
sent AS (
    SELECT instance.instance_no, consumer.service, max(node.start_ns) AS sent_ns
    FROM node
    JOIN trace_instance AS instance USING (trace_no)
    JOIN span_field AS field USING (span_no)
    JOIN (
        SELECT DISTINCT destination, message_type, service
        FROM delivery
        WHERE destination <> ''
    ) AS consumer
        ON consumer.destination = field.destination
        AND consumer.message_type = coalesce(field.message_type, '')
    WHERE node.kind = 'PRODUCER'
    GROUP BY instance.instance_no, consumer.service
),
lost AS (
    -- A call that was answered had ended, and so had its span.
    SELECT instance_no
    FROM ghost
    WHERE cause = 'not-exported'
        AND kind IN ('CLIENT', 'PRODUCER')
        AND service IN (SELECT delivery.service FROM delivery)
    UNION
    -- Who died soon after a message was sent may have done all of it, and told of nothing any more.
    SELECT sent.instance_no
    FROM sent
    JOIN settling USING (instance_no)
    JOIN crash
        ON crash.service = sent.service
        AND crash.time_ns BETWEEN sent.sent_ns AND sent.sent_ns + settling.bound_ns
    WHERE sent.instance_no NOT IN (SELECT processed.instance_no FROM processed)
        AND sent.instance_no NOT IN (SELECT crash_hit.instance_no FROM crash_hit)
),
policy AS (
    SELECT 1e9 * value AS stuck_ns
    FROM bound
    WHERE name = 'stuck_seconds'
),
limited AS (
    SELECT ended_by_limit.instance_no
    FROM ended_by_limit
    CROSS JOIN policy
    WHERE ended_by_limit.limit_ns <= policy.stuck_ns
),
-- A hang that was over by itself put nothing to the test: some call of the job was given up in it.
hung AS (
    SELECT DISTINCT fault_call.instance_no
    FROM fault_call
    JOIN cut_off USING (span_no)
    WHERE fault_call.fault_kind IN ('hang', 'partition') AND cut_off.waited_for = 'answer'
)
SELECT
    instance.instance_no,
    instance.workflow,
    instance.correlation_id AS job,
    said.state,
    coalesce(said.is_final, processed.is_ended, false) AS is_ended,
    -- What the database says was not lost.
    NOT coalesce(said.is_final, processed.is_ended, false)
        AND lost.instance_no IS NOT NULL
        AND waits.instance_no IS NULL AS is_lost,
    CASE
        WHEN crashed.instance_no IS NOT NULL THEN 'crash'
        WHEN limited.instance_no IS NOT NULL THEN 'limit'
        WHEN hung.instance_no IS NOT NULL THEN 'hang'
        ELSE ''
    END AS hit_by,
    greatest(settling.run_end_ns - settling.last_ns, waits.waited_ns) AS open_ns,
    open_ns > greatest(settling.bound_ns, policy.stuck_ns) AS is_overdue,
    least(greatest(settling.bound_ns - open_ns, policy.stuck_ns - open_ns, 0), 9e18)::BIGINT AS short_ns
FROM workflow_instance AS instance
JOIN settling USING (instance_no)
CROSS JOIN policy
LEFT JOIN said USING (instance_no)
LEFT JOIN waits USING (instance_no)
LEFT JOIN processed USING (instance_no)
LEFT JOIN (SELECT DISTINCT instance_no FROM sent) AS sent USING (instance_no)
LEFT JOIN crash_hit AS crashed USING (instance_no)
LEFT JOIN limited USING (instance_no)
LEFT JOIN hung USING (instance_no)
LEFT JOIN lost USING (instance_no)
WHERE said.instance_no IS NOT NULL OR processed.instance_no IS NOT NULL OR sent.instance_no IS NOT NULL
