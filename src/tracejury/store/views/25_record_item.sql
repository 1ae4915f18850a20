-- table: record_item
-- One row a span or log record that names an item of a job.
--   span_no  BIGINT   row number of the span; NULL for a log record
--   log_no   BIGINT   row number of the log record; NULL for a span
--   item     VARCHAR  value of the most telling item key that it carries; of a list what is in it, once
--   key      VARCHAR  that key, without a baggage prefix
-- A key that a workflow declares for its items names them there, and nowhere else.
WITH declared AS (
    SELECT entry.instance_no, item_key.sent_as, item_key.rank
    FROM item_key
    JOIN entry
        ON item_key.workflow IN
            (entry.entry_name, entry.entry_name || ' (' || entry.entry_service || ')')
    WHERE item_key.workflow <> ''
),
carried AS (
    SELECT attribute.span_no, NULL::BIGINT AS log_no, attribute.type, attribute.value, item_key.rank
    FROM stored.span_attribute AS attribute
    JOIN item_key ON item_key.sent_as = attribute.key
    WHERE item_key.workflow = ''
    UNION ALL
    SELECT NULL, attribute.log_no, attribute.type, attribute.value, item_key.rank
    FROM stored.log_attribute AS attribute
    JOIN item_key ON item_key.sent_as = attribute.key
    WHERE item_key.workflow = ''
    UNION ALL
    SELECT attribute.span_no, NULL, attribute.type, attribute.value, declared.rank
    FROM declared
    JOIN stored.span_attribute AS attribute ON attribute.key = declared.sent_as
    JOIN node USING (span_no)
    JOIN trace_instance AS instance
        ON instance.trace_no = node.trace_no AND instance.instance_no = declared.instance_no
    UNION ALL
    SELECT NULL, attribute.log_no, attribute.type, attribute.value, declared.rank
    FROM declared
    JOIN stored.log_attribute AS attribute ON attribute.key = declared.sent_as
    JOIN log_instance AS instance
        ON instance.log_no = attribute.log_no AND instance.instance_no = declared.instance_no
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
