-- table: trace_correlation
-- One row a trace that carries a correlation key: the one that names its workflow instance.
--   trace_no   BIGINT   row number of the trace
--   key        VARCHAR  the key that was chosen
--   value      VARCHAR  its value; NULL where the trace carries several
--   ambiguous  BOOLEAN  several values: the trace is an instance of its own
SELECT
    trace_no,
    arg_min(key, choice) AS key,
    CASE WHEN arg_min(variety, choice) = 1 THEN arg_min(value, choice) END AS value,
    arg_min(variety, choice) > 1 AS ambiguous
FROM (
    SELECT
        *,
        -- The first configured key counts even if it is ambiguous; of the others, the first that
        -- is not.
        CASE WHEN configured OR variety = 1 THEN rank ELSE rank + 1000000 END AS choice
    FROM trace_key
)
GROUP BY trace_no
