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
JOIN external_call AS call ON true
JOIN node USING (span_no)
LEFT JOIN call AS named USING (span_no)
LEFT JOIN span_field AS field USING (span_no)
WHERE fault.target <> ''
    AND node.start_ns < fault.end_ns
    AND coalesce(node.end_ns, node.start_ns) > fault.start_ns
    -- A target goes by the name of its service, its address, its system or its destination.
    AND list_contains(
        [
            lower(call.target),
            lower(named.peer),
            lower(field.db_system),
            replace(lower(field.db_system), 'postgresql', 'postgres'),
            lower(field.messaging_system),
            lower(field.destination),
            lower(field.genai_provider),
            lower(field.object_bucket)
        ],
        lower(fault.target)
    )
