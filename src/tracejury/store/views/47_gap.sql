-- table: gap
-- One row a stretch of a span that nothing accounts for: no child, no log record.
--   span_no      BIGINT   row number of the span
--   instance_no  BIGINT   row number of the workflow instance
--   service      VARCHAR  its service
--   name         VARCHAR  its name
--   start_ns     UBIGINT  when the stretch began
--   gap_ns       BIGINT   how long it was
--   share        DOUBLE   of the span's duration
SELECT
    node.span_no,
    instance.instance_no,
    node.service,
    node.name,
    self_time.gap_start_ns::UBIGINT AS start_ns,
    self_time.largest_gap_ns AS gap_ns,
    self_time.largest_gap_ns / node.duration_ns AS share
FROM self_time
JOIN node USING (span_no)
JOIN trace_instance AS instance USING (trace_no)
WHERE self_time.children > 0
    AND node.kind IN ('INTERNAL', 'SERVER', 'CONSUMER')
    AND self_time.largest_gap_ns >= greatest(
        (SELECT bound.value FROM bound WHERE bound.name = 'gap_seconds') * 1000000000,
        (SELECT bound.value FROM bound WHERE bound.name = 'gap_share') * node.duration_ns
    )
    AND NOT EXISTS (
        SELECT 1
        FROM log_instance
        JOIN stored.log_record AS log USING (log_no)
        WHERE log_instance.span_no = node.span_no
            AND log.time_ns > self_time.gap_start_ns
            AND log.time_ns < self_time.gap_start_ns + self_time.largest_gap_ns
    )
    -- The wait between two attempts is explained.
    AND NOT EXISTS (
        SELECT 1
        FROM attempt_of AS attempt
        JOIN node AS tried ON tried.span_no = attempt.span_no
        WHERE tried.parent_no = node.span_no
            AND attempt.number < attempt.attempts
            AND tried.end_ns = self_time.gap_start_ns
    )
