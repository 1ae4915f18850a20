-- view: batch_size
-- One row a span that says how many items it works on.
--   span_no  BIGINT  row number of the span
--   items    BIGINT  the largest number that it says; NULL where none is a number
SELECT attribute.span_no, max(try_cast(attribute.value AS BIGINT)) AS items
FROM stored.span_attribute AS attribute
WHERE attribute.key IN ('messaging.batch.message_count', 'db.operation.batch.size',
    'batch.size', 'items.count', 'items.total', 'job.items')
GROUP BY attribute.span_no
