-- table: calm_instance
-- One row a workflow instance that ran while no fault lasted: what a baseline is learnt from.
--   instance_no  BIGINT  row number of the workflow instance
SELECT instance.instance_no
FROM workflow_instance AS instance
WHERE NOT EXISTS (
    SELECT 1
    FROM fault
    WHERE fault.start_ns <= instance.end_ns AND fault.end_ns >= instance.start_ns
)
