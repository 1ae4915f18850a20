-- view: step_of
-- One row a span: its place in the workflow, which is the step.
--   span_no      BIGINT   row number of the span
--   instance_no  BIGINT   row number of the workflow instance
--   workflow     VARCHAR  name of the workflow
--   place        UBIGINT  hash of the steps from the top of the trace down to it
--   parent_place UBIGINT  place of its parent; NULL at the top
--   depth        BIGINT   0 at the top of a trace
SELECT
    forest.span_no,
    instance.instance_no,
    instance.workflow,
    forest.place,
    forest.parent_place,
    forest.depth
FROM forest
JOIN trace_instance USING (trace_no)
JOIN workflow_instance AS instance ON instance.instance_no = trace_instance.instance_no
WHERE NOT instance.background
