-- table: state_row
-- One row a row of the system's own database, as `audit --state` was given them.
--   row_no        BIGINT   line of the file
--   unit          VARCHAR  ID of the job
--   instance_no   BIGINT   row number of the workflow instance of that correlation ID; NULL without telemetry of it
--   state         VARCHAR  a word of the closed list, as in state_record
--   is_final      BOOLEAN  from this state a unit goes nowhere by itself
--   said          VARCHAR  the status as it stands there
--   updated_ns    BIGINT   when it was written
--   items_done    BIGINT   completed items; NULL where the row does not say
--   items_failed  BIGINT   failed items; NULL where the row does not say
--   worker        VARCHAR  who has it; '' where the row does not say
--   is_last       BOOLEAN  no later row speaks of the unit
--   read_ns       BIGINT   when the rows were read at the earliest: the latest time in any of them
SELECT
    sent.row_no,
    sent.unit,
    instance.instance_no,
    sent.state,
    sent.is_final,
    sent.said,
    sent.updated_ns,
    sent.items_done,
    sent.items_failed,
    sent.worker,
    row_number() OVER (
        PARTITION BY sent.unit
        ORDER BY sent.updated_ns DESC, sent.row_no DESC
    ) = 1 AS is_last,
    max(sent.updated_ns) OVER () AS read_ns
FROM sent_state_row AS sent
LEFT JOIN (
    SELECT correlation_id, min(instance_no) AS instance_no
    FROM trace_instance
    WHERE correlation_key NOT IN ('trace', 'links')
    GROUP BY correlation_id
) AS instance ON instance.correlation_id = sent.unit
