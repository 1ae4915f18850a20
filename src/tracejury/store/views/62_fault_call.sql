-- table: fault_call
-- One row a fault and a call that went to its target while it lasted.
--   fault_id     VARCHAR  id of the fault
--   fault_kind   VARCHAR  its kind
--   span_no      BIGINT   row number of the CLIENT or PRODUCER span
--   instance_no  BIGINT   row number of the workflow instance
--   inside_ns    BIGINT   how long call and fault lasted together
SELECT
    fault.id AS fault_id,
    fault.kind AS fault_kind,
    call.span_no,
    call.instance_no,
    least(coalesce(node.end_ns, fault.end_ns), fault.end_ns)
        - greatest(node.start_ns, fault.start_ns) AS inside_ns
FROM fault
JOIN called_name AS called ON called.name = lower(fault.target)
JOIN external_call AS call USING (span_no)
JOIN node USING (span_no)
WHERE node.start_ns < fault.end_ns
    AND coalesce(node.end_ns, node.start_ns) > fault.start_ns
