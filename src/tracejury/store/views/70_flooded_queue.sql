-- table: flooded_queue
-- One row a flood and a queue into which at least twice as much was sent then as usual.
--   fault_id     VARCHAR  id of the fault
--   destination  VARCHAR  the queue
--   start_ns     BIGINT   when the flood began
--   end_ns       BIGINT   when it ended
--   sent         BIGINT   messages that were sent meanwhile
--   refused      BIGINT   messages that could not be sent meanwhile
--   unprocessed  BIGINT   of those sent, messages that nobody is known to have processed
--   depth        BIGINT   the most messages that waited at one time
--   is_alone     BOOLEAN  no other fault lasted meanwhile
WITH message AS (
    SELECT sent_message.*
    FROM sent_message
    JOIN workflow_instance AS instance USING (instance_no)
    WHERE NOT instance.background
),
flood AS (
    SELECT
        fault.id AS fault_id,
        fault.start_ns,
        fault.end_ns,
        lower(fault.target) AS target,
        NOT EXISTS (
            SELECT 1
            FROM fault AS other
            WHERE other.id <> fault.id
                AND other.start_ns <= fault.end_ns
                AND other.end_ns >= fault.start_ns
        ) AS is_alone
    FROM fault
    WHERE fault.kind = 'flood' AND fault.end_ns > fault.start_ns
),
usual AS (
    SELECT
        message.destination,
        count(*) / nullif(max(message.sent_ns) - min(message.sent_ns), 0) AS rate
    FROM message
    WHERE NOT EXISTS (
        SELECT 1 FROM flood WHERE message.sent_ns BETWEEN flood.start_ns AND flood.end_ns
    )
    GROUP BY message.destination
),
flooded AS (
    SELECT
        flood.*,
        message.destination,
        count(*) FILTER (NOT message.failed) AS sent,
        count(*) FILTER (message.failed) AS refused,
        count(*) FILTER (
            NOT message.failed AND NOT message.may_vanish AND message.processed < message.messages
        ) AS unprocessed
    FROM flood
    JOIN message ON message.sent_ns BETWEEN flood.start_ns AND flood.end_ns
    GROUP BY ALL
),
-- A message waits from when it was sent until somebody takes it.
step AS (
    SELECT
        destination,
        at_ns,
        sum(change) OVER (
            PARTITION BY destination ORDER BY at_ns, change ROWS UNBOUNDED PRECEDING
        ) AS depth
    FROM (
        SELECT destination, sent_ns AS at_ns, 1 AS change FROM message WHERE NOT failed
        UNION ALL
        SELECT destination, greatest(started_ns, sent_ns), -1
        FROM message
        WHERE NOT failed AND started_ns IS NOT NULL
    )
)
SELECT
    flooded.fault_id,
    flooded.destination,
    flooded.start_ns,
    flooded.end_ns,
    flooded.sent,
    flooded.refused,
    flooded.unprocessed,
    coalesce((
        SELECT max(step.depth)
        FROM step
        WHERE step.destination = flooded.destination
            AND step.at_ns BETWEEN flooded.start_ns AND flooded.end_ns
    ), 0)::BIGINT AS depth,
    flooded.is_alone
FROM flooded
LEFT JOIN usual USING (destination)
WHERE flooded.sent + flooded.refused
        >= 2 * coalesce(usual.rate, 0) * (flooded.end_ns - flooded.start_ns)
    -- A flood may be named after what it fills; then no other queue is meant.
    AND (
        lower(flooded.destination) = flooded.target
        OR flooded.target NOT IN (SELECT lower(message.destination) FROM message)
    )
