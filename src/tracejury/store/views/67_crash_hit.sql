-- table: crash_hit
-- One row a workflow instance whose work a crash ended: spans of it were killed, or a message of it
-- came again of which no delivery had ended before.
--   instance_no  BIGINT   row number of the workflow instance
--   service      VARCHAR  whose process died
--   crashed_ns   BIGINT   when, as far as the instance shows
-- Who is called and takes no messages only answers, also where the call itself is not stored.
WITH answering AS (
    SELECT service
    FROM (
        SELECT call.target AS service
        FROM external_call AS call
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE call.service <> call.target
            AND call.protocol IN ('http', 'rpc')
            AND NOT instance.background
        UNION
        SELECT pair.callee
        FROM baseline_pair AS pair
        JOIN baseline_step AS step
            ON step.service = pair.callee AND step.name = pair.callee_name AND step.kind = 'SERVER'
        WHERE pair.caller <> pair.callee
    )
    WHERE service NOT IN (SELECT delivery.service FROM delivery)
        AND service NOT IN (SELECT step.service FROM baseline_step AS step WHERE step.kind = 'CONSUMER')
),
signed AS (
    SELECT ghost.instance_no, ghost.service, ghost.last_ns AS crashed_ns, true AS is_killed
    FROM ghost
    WHERE ghost.cause = 'killed'
        -- Who only answers calls of the work takes an answer along, and no work: its caller lives.
        AND ghost.service NOT IN (SELECT answering.service FROM answering)
        AND NOT EXISTS (
            SELECT 1
            FROM external_call AS call
            WHERE call.instance_no = ghost.instance_no
                AND call.target = ghost.service
                AND call.service <> ghost.service
                AND call.protocol IN ('http', 'rpc')
        )
    UNION ALL
    SELECT again.instance_no, again.service, crash.time_ns, false
    FROM delivery AS again
    JOIN workflow_instance AS instance USING (instance_no)
    JOIN crash
        ON crash.service = again.service
        -- What began after the crash was not in work when it came.
        AND crash.time_ns BETWEEN instance.start_ns AND again.start_ns
    WHERE again.is_again
        AND NOT EXISTS (
            SELECT 1
            FROM delivery AS earlier
            WHERE earlier.instance_no = again.instance_no
                AND earlier.creation_no IS NOT DISTINCT FROM again.creation_no
                AND (again.creation_no IS NOT NULL OR earlier.destination = again.destination)
                AND earlier.start_ns < again.start_ns
                AND (earlier.start_ns >= crash.time_ns OR earlier.end_ns < crash.time_ns)
        )
)
SELECT
    instance_no,
    min(service) AS service,
    max(crashed_ns)::BIGINT AS crashed_ns
FROM signed
-- Killed spans tell the time of it better than the fault file does.
WHERE is_killed OR instance_no NOT IN (SELECT killed.instance_no FROM signed AS killed WHERE killed.is_killed)
GROUP BY instance_no
