-- view: span_warning
-- One row a warning or an error that was told of a span: by a log record of it, or by its own error.
--   span_no  BIGINT   row number of the span
--   text     VARCHAR  what was said
SELECT log_instance.span_no, log.body AS text
FROM log_instance
JOIN stored.log_record AS log USING (log_no)
WHERE log.severity_number >= 13 AND log_instance.span_no IS NOT NULL
UNION ALL
SELECT error.span_no, error.message
FROM span_error AS error
