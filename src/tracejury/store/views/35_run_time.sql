-- table: run_time
-- One row: from when to when the run is known, and what may still have been on its way then.
--   from_ns   DOUBLE  nanoseconds since 1970; NULL without telemetry
--   until_ns  DOUBLE  nanoseconds since 1970; NULL without telemetry
WITH heard AS (
    SELECT min(start_ns) AS first_ns, max(coalesce(end_ns, start_ns)) AS last_ns
    FROM node
    UNION ALL
    SELECT
        min(nullif(greatest(time_ns, observed_ns), 0)),
        max(nullif(greatest(time_ns, observed_ns), 0))
    FROM stored.log_record
    WHERE greatest(time_ns, observed_ns) <= 9223372036854775807
)
SELECT
    min(heard.first_ns) - 1e9 * any_value(bound.value) AS from_ns,
    max(heard.last_ns) + 1e9 * any_value(bound.value) AS until_ns
FROM heard
JOIN bound ON bound.name = 'settle_seconds'
