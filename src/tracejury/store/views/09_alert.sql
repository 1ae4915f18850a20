-- view: alert
-- One row an alert that was received. This version receives none: always empty.
--   alert_no      BIGINT   row number in this store
--   name          VARCHAR  label alertname
--   status        VARCHAR  firing or resolved
--   starts_ns     UBIGINT  nanoseconds since 1970
--   labels        VARCHAR  JSON object
SELECT
    NULL::BIGINT AS alert_no,
    NULL::VARCHAR AS name,
    NULL::VARCHAR AS status,
    NULL::UBIGINT AS starts_ns,
    NULL::VARCHAR AS labels
WHERE false
