-- table: fault_phase
-- One row a fault and a workflow instance that ran before, during or after it.
-- Before: what ended before the fault, and not while another lasted or a recovery from one may have.
-- After: what began after the fault and within the bound recovery_seconds, and ended before the next fault.
--   fault_id       VARCHAR  id of the fault
--   is_alone       BOOLEAN  no other fault lasted at the same time
--   until_ns       BIGINT   when the fault ended
--   bound_ns       BIGINT   until when an instance may begin and count as after
--   instance_no    BIGINT   row number of the workflow instance
--   workflow       VARCHAR  name of the workflow
--   phase          VARCHAR  before, during or after
--   entry_span_no  BIGINT   row number of its entry span
--   outcome        VARCHAR  ok, failed or unknown
--   whole_outcome  VARCHAR  the same, but unknown where it went well and spans are known to be missing
--   start_ns       BIGINT   when the instance began, nanoseconds since 1970
--   end_ns         BIGINT   when it ended
--   took_ns        DOUBLE   from the one to the other
WITH policy AS (
    SELECT (1e9 * value)::BIGINT AS bound_ns
    FROM bound
    WHERE name = 'recovery_seconds'
),
judged AS (
    SELECT
        fault.id AS fault_id,
        fault.start_ns AS from_ns,
        fault.end_ns AS until_ns,
        next_fault.start_ns AS next_ns,
        least(fault.end_ns + policy.bound_ns, next_fault.start_ns)::BIGINT AS bound_ns,
        -- What two faults did at once cannot be laid to one of them.
        NOT EXISTS (
            SELECT 1
            FROM fault AS other
            WHERE other.id <> fault.id
                AND other.start_ns <= fault.end_ns
                AND other.end_ns >= fault.start_ns
        ) AS is_alone
    FROM fault
    CROSS JOIN policy
    CROSS JOIN LATERAL (
        SELECT min(other.start_ns) AS start_ns
        FROM fault AS other
        WHERE other.start_ns > fault.end_ns
    ) AS next_fault
    JOIN run_time ON fault.start_ns <= run_time.until_ns AND fault.end_ns >= run_time.from_ns
),
ran AS (
    SELECT
        judged.fault_id,
        judged.is_alone,
        judged.until_ns,
        judged.bound_ns,
        instance.instance_no,
        instance.workflow,
        instance.entry_span_no,
        instance.outcome,
        -- What is known to be missing may have failed.
        CASE
            WHEN instance.outcome = 'ok' AND missing.instance_no IS NOT NULL THEN 'unknown'
            ELSE instance.outcome
        END AS whole_outcome,
        instance.start_ns::BIGINT AS start_ns,
        instance.end_ns::BIGINT AS end_ns,
        instance.took_ns::DOUBLE AS took_ns,
        CASE
            WHEN instance.end_ns < judged.from_ns THEN CASE WHEN NOT EXISTS (
                SELECT 1
                FROM fault AS earlier
                CROSS JOIN policy
                WHERE earlier.id <> judged.fault_id
                    AND earlier.start_ns <= instance.end_ns
                    AND earlier.end_ns + policy.bound_ns >= instance.start_ns
            ) THEN 'before' END
            WHEN instance.start_ns <= judged.until_ns THEN 'during'
            -- What lasts into the next fault is that one's.
            WHEN instance.start_ns <= judged.bound_ns
                AND coalesce(instance.end_ns < judged.next_ns, true)
                THEN 'after'
        END AS phase
    FROM judged
    CROSS JOIN workflow_instance AS instance
    LEFT JOIN (
        SELECT DISTINCT instance_no
        FROM missing_in_instance
    ) AS missing ON missing.instance_no = instance.instance_no
    WHERE NOT instance.background
)
SELECT
    fault_id,
    is_alone,
    until_ns,
    bound_ns,
    instance_no,
    workflow,
    phase,
    entry_span_no,
    outcome,
    whole_outcome,
    start_ns,
    end_ns,
    took_ns
FROM ran
WHERE phase IS NOT NULL
