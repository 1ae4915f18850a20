-- table: half_named
-- One row a workflow instance in which spans of one step name the item that they work on, and others
-- of it name none: which of its items were worked on again nobody can say.
--   instance_no  BIGINT  row number of the workflow instance
SELECT DISTINCT instance.instance_no
FROM node
JOIN trace_instance AS instance USING (trace_no)
SEMI JOIN item_run AS run
    ON run.instance_no = instance.instance_no
    AND run.service = node.service
    AND run.name = node.name
ANTI JOIN record_item AS own ON own.span_no = node.span_no
ANTI JOIN record_item AS above ON above.span_no = node.parent_no
-- Calls are named by what they do, and many a thing is done for no item.
WHERE node.kind IN ('INTERNAL', 'CONSUMER')
