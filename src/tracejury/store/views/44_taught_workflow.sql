-- table: taught_workflow
-- One row a workflow of which the baseline shows what there is. Traces of the judged run itself, as
-- whole in it as in the baseline, show nothing that is not there.
--   entry_service  VARCHAR  service of its entry span
--   entry_name     VARCHAR  name of its entry span
WITH own AS (
    SELECT trace.trace_id, count(*) AS spans
    FROM node
    JOIN trace USING (trace_no)
    SEMI JOIN baseline_trace USING (trace_id)
    GROUP BY trace.trace_id
)
SELECT clean.entry_service, clean.entry_name
FROM baseline_trace AS clean
LEFT JOIN own USING (trace_id)
GROUP BY clean.entry_service, clean.entry_name
HAVING bool_or(coalesce(own.spans < clean.spans, true))
