-- view: alert
-- One row a distinct alert that Alertmanager told of: that it fires and that it was resolved are two.
--   alert_no       BIGINT   row number in this store
--   name           VARCHAR  label alertname; NULL: it has none
--   status         VARCHAR  firing or resolved
--   starts_ns      UBIGINT  nanoseconds since 1970; NULL: none was sent
--   ends_ns        UBIGINT  nanoseconds since 1970; NULL: it was firing still
--   received_ns    UBIGINT  nanoseconds since 1970: when it first came
--   fingerprint    VARCHAR  Alertmanager's own name for the alert, whatever its status
--   labels         VARCHAR  JSON object
--   annotations    VARCHAR  JSON object
--   generator_url  VARCHAR  where the rule can be seen
--   receiver       VARCHAR  to whom Alertmanager sent it
--   group_key      VARCHAR  the group in which it came
SELECT
    alert_no,
    json_extract_string(labels, '$.alertname') AS name,
    status,
    starts_ns,
    ends_ns,
    received_ns,
    fingerprint,
    labels,
    annotations,
    generator_url,
    receiver,
    group_key
FROM stored.alert
