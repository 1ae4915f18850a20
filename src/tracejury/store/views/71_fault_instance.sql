-- view: fault_instance
-- One row a fault and a workflow instance that ran while it lasted, or that began within
-- recovery_seconds after it and before the next fault.
--   fault_id     VARCHAR  id of the fault
--   instance_no  BIGINT   row number of the workflow instance
--   workflow     VARCHAR  name of the workflow
--   outcome      VARCHAR  ok, failed or unknown
--   start_ns     BIGINT   of the instance, nanoseconds since 1970
--   end_ns       BIGINT   of the instance
--   is_during    BOOLEAN  it began before the fault was over
WITH reach AS (
    SELECT
        fault.id AS fault_id,
        fault.start_ns,
        fault.end_ns,
        least(
            fault.end_ns + 1e9 * bound.value,
            (SELECT min(other.start_ns) FROM fault AS other WHERE other.start_ns > fault.end_ns)
        ) AS until_ns
    FROM fault
    JOIN bound ON bound.name = 'recovery_seconds'
)
SELECT
    reach.fault_id,
    instance.instance_no,
    instance.workflow,
    instance.outcome,
    instance.start_ns::BIGINT AS start_ns,
    instance.end_ns::BIGINT AS end_ns,
    instance.start_ns <= reach.end_ns AS is_during
FROM reach
JOIN workflow_instance AS instance
    ON instance.end_ns >= reach.start_ns
    AND instance.start_ns <= reach.until_ns
WHERE NOT instance.background
