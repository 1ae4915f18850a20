-- view: unseen_span
-- One row a log record of a trace of which no span is stored, though it was sampled: its span is missing.
--   service   VARCHAR  service.name of who wrote it
--   trace_id  BLOB     16 bytes
--   span_id   UBIGINT  id of the span that it names
--   log_no    BIGINT   row number of the log record
SELECT resource.service, log.trace_id, log.span_id, log.log_no
FROM stored.log_record AS log
JOIN resource USING (resource_id)
-- Log records often come before their spans.
JOIN settled_before ON log.received_ns <= settled_before.time_ns
ANTI JOIN trace ON trace.trace_id = log.trace_id
WHERE log.trace_id IS NOT NULL AND log.span_id IS NOT NULL AND log.flags & 1 = 1
