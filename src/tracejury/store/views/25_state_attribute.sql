-- table: state_attribute
-- One row an attribute of a span that says what state something is in.
--   span_no  BIGINT   row number of the span
--   level    VARCHAR  job or item; '' for whatever the span speaks of
--   key      VARCHAR  the attribute
--   said     VARCHAR  its value
SELECT attribute.span_no, state_key.level, state_key.key, attribute.value AS said
FROM stored.span_value AS attribute
JOIN (
    SELECT name.key_no, state_key.level, state_key.key
    FROM stored.attribute_key AS name
    JOIN state_key USING (key)
) AS state_key USING (key_no)
