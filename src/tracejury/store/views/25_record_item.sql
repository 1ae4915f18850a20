-- table: record_item
-- One row a span or log record that names an item of a job.
--   span_no  BIGINT   row number of the span; NULL for a log record
--   log_no   BIGINT   row number of the log record; NULL for a span
--   item     VARCHAR  value of the most telling item key that it carries; of a list what is in it, once
--   key      VARCHAR  that key, without a baggage prefix
WITH carried AS (
    SELECT attribute.span_no, NULL::BIGINT AS log_no, attribute.type, attribute.value, item_key.rank
    FROM stored.span_attribute AS attribute
    JOIN item_key ON item_key.sent_as = attribute.key
    UNION ALL
    SELECT NULL, attribute.log_no, attribute.type, attribute.value, item_key.rank
    FROM stored.log_attribute AS attribute
    JOIN item_key ON item_key.sent_as = attribute.key
),
told AS (
    SELECT
        span_no,
        log_no,
        -- The most telling key first, in front of its value; of two values of it, the smaller.
        min(chr(33 + rank::INTEGER) || CASE
            WHEN type = 'array'
            THEN array_to_string(list_sort(list_distinct(json_extract_string(value, '$[*]'))), ',')
            ELSE value
        END) AS ranked
    FROM carried
    WHERE value <> ''
    GROUP BY span_no, log_no
)
SELECT told.span_no, told.log_no, substr(told.ranked, 2) AS item, named.key
FROM told
JOIN (SELECT DISTINCT rank, key FROM item_key) AS named ON named.rank = ascii(told.ranked) - 33
