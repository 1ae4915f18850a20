-- table: outage
-- One row a time in which a target failed one process at least three times in a row.
--   service   VARCHAR  who called
--   process   VARCHAR  the process that called; '' where nothing tells
--   target    VARCHAR  who was called
--   calls     BIGINT   calls that failed
--   start_ns  BIGINT   when the first of them began
--   last_ns   BIGINT   when the last of them ended
--   until_ns  BIGINT   when the first call began that did not fail; NULL: none came
SELECT * EXCLUDE (streak)
FROM (
    SELECT
        service,
        process,
        target,
        streak,
        count(*) FILTER (failed) AS calls,
        min(start_ns) FILTER (failed) AS start_ns,
        max(end_ns) FILTER (failed) AS last_ns,
        lead(min(start_ns)) OVER (PARTITION BY service, process, target ORDER BY streak) AS until_ns
    FROM outage_call
    GROUP BY service, process, target, streak
)
WHERE calls >= 3
