-- view: attempt
-- One row an attempt at something that was tried more than once.
--   trace_id   VARCHAR  32 lower-case hex digits
--   span_id    VARCHAR  16 lower-case hex digits
--   service    VARCHAR  who tried
--   name       VARCHAR  span name
--   number     BIGINT   1 for the first attempt
--   attempts   BIGINT   attempts at this thing
--   failed     BOOLEAN  this attempt failed
--   recovered  BOOLEAN  the last attempt did not fail
--   how        VARCHAR  siblings: one after the other below one parent; nested: published again from within
--   start_ns   UBIGINT  nanoseconds since 1970
--   group_no   BIGINT   the same for all attempts at one thing
SELECT
    lower(hex(trace.trace_id)) AS trace_id,
    format('{:016x}', node.span_id) AS span_id,
    node.service,
    node.name,
    attempt.number,
    attempt.attempts,
    attempt.failed,
    attempt.recovered,
    attempt.how,
    node.start_ns::UBIGINT AS start_ns,
    attempt.group_no
FROM attempt_of AS attempt
JOIN node USING (span_no)
JOIN trace USING (trace_no)
