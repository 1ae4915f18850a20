-- table: parent_step
-- One row a step that was seen below another: its usual parent, here or in the baseline.
--   service         VARCHAR  of the child
--   name            VARCHAR  of the child
--   kind            VARCHAR  of the child
--   parent_service  VARCHAR  of the parent most often seen
--   parent_name     VARCHAR  of the parent most often seen
--   parent_kind     VARCHAR  of the parent most often seen
--   times           BIGINT   how often
SELECT
    service, name, kind,
    arg_max(parent_service, (times, parent_service, parent_name, parent_kind)) AS parent_service,
    arg_max(parent_name, (times, parent_service, parent_name, parent_kind)) AS parent_name,
    arg_max(parent_kind, (times, parent_service, parent_name, parent_kind)) AS parent_kind,
    max(times) AS times
FROM likely_parent
GROUP BY service, name, kind
