-- view: span_field
-- One row a span: its logical fields, the stable attribute name first, then the older ones.
--   span_no             BIGINT   row number of the span
--   (fields)            VARCHAR  one column a logical field; NULL where no key of the field was sent
FROM found_field
