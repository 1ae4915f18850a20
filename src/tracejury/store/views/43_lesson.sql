-- table: lesson
-- One row a trace of the judged run that the baseline was learnt from, and that is as whole as it was there.
--   trace_no  BIGINT  row number of the trace
SELECT trace.trace_no
FROM node
JOIN trace USING (trace_no)
JOIN baseline_trace AS clean USING (trace_id)
GROUP BY trace.trace_no
HAVING count(*) >= max(clean.spans)
