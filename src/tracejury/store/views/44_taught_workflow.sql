-- table: taught_workflow
-- One row a workflow of which the baseline shows what there is. Traces of the judged run itself, as
-- whole in it as in the baseline, show nothing that is not there.
--   entry_service  VARCHAR  service of its entry span
--   entry_name     VARCHAR  name of its entry span
SELECT DISTINCT clean.entry_service, clean.entry_name
FROM baseline_trace AS clean
LEFT JOIN trace USING (trace_id)
LEFT JOIN lesson USING (trace_no)
WHERE lesson.trace_no IS NULL
