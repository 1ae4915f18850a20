-- table: sdk_gap
-- One row a process whose counts tell, and a cause for which spans that it started are not stored.
--   service      VARCHAR  service.name of the process
--   instance_id  VARCHAR  the process; NULL where nothing tells
--   cause        VARCHAR  dropped: its queue was full; not-exported: it had ended and never came; never-ended,
--                         killed, still-arriving: it was open at the last count; sampled: it was not sampled
--   spans        BIGINT   how many, at least one
WITH told AS (
    SELECT sdk.*
    FROM sdk_instance AS sdk
    WHERE sdk.absent IS NOT NULL
),
-- A crash of a service that does not say whose it was is of a process that was not heard of after it.
killed AS (
    SELECT DISTINCT told.service, told.instance_id
    FROM told
    JOIN crash
        ON crash.service = told.service
        AND coalesce(
            crash.instance_id = told.instance_id,
            told.counted_ns BETWEEN crash.time_ns - 300000000000 AND crash.time_ns + 1000000000
        )
    LEFT JOIN instance_life AS life
        ON life.service = told.service
        AND life.instance_id = told.instance_id
    WHERE coalesce(life.last_ns <= crash.time_ns + 1000000000, true)
)
SELECT service, instance_id, cause, sum(spans)::BIGINT AS spans
FROM (
    SELECT service, instance_id, 'dropped' AS cause, overflowed AS spans
    FROM told
    UNION ALL
    SELECT service, instance_id, 'not-exported', absent - overflowed
    FROM told
    UNION ALL
    SELECT
        told.service,
        told.instance_id,
        CASE
            WHEN killed.service IS NOT NULL THEN 'killed'
            WHEN told.counted_ns > settled_before.time_ns THEN 'still-arriving'
            ELSE 'never-ended'
        END,
        told.unended
    FROM told
    LEFT JOIN killed
        ON killed.service = told.service
        AND killed.instance_id IS NOT DISTINCT FROM told.instance_id
    CROSS JOIN settled_before
    UNION ALL
    SELECT service, instance_id, 'sampled', coalesce(unsampled, 0)
    FROM told
)
WHERE spans > 0
GROUP BY service, instance_id, cause
