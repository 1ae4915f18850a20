-- table: record_item
-- One row a span or log record that names an item of a job.
--   span_no  BIGINT   row number of the span; NULL for a log record
--   log_no   BIGINT   row number of the log record; NULL for a span
--   item     VARCHAR  value of the most telling item key that it carries
--   key      VARCHAR  that key, without a baggage prefix
SELECT
    attribute.span_no,
    NULL::BIGINT AS log_no,
    arg_min(attribute.value, item_key.rank) AS item,
    arg_min(item_key.key, item_key.rank) AS key
FROM stored.span_attribute AS attribute
JOIN item_key ON item_key.sent_as = attribute.key
WHERE attribute.value <> ''
GROUP BY attribute.span_no
UNION ALL
SELECT
    NULL,
    attribute.log_no,
    arg_min(attribute.value, item_key.rank),
    arg_min(item_key.key, item_key.rank)
FROM stored.log_attribute AS attribute
JOIN item_key ON item_key.sent_as = attribute.key
WHERE attribute.value <> ''
GROUP BY attribute.log_no
