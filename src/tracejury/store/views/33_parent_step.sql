-- table: parent_step
-- One row a step that was seen below another: its usual parent, here or in the baseline.
--   service         VARCHAR  of the child
--   name            VARCHAR  of the child
--   kind            VARCHAR  of the child
--   parent_service  VARCHAR  of the parent most often seen
--   parent_name     VARCHAR  of the parent most often seen
--   parent_kind     VARCHAR  of the parent most often seen
--   times           BIGINT   how often
WITH seen AS (
    SELECT
        child.service, child.name, child.kind,
        parent.service AS parent_service, parent.name AS parent_name, parent.kind AS parent_kind,
        count(*) AS times
    FROM node AS child
    JOIN node AS parent ON parent.span_no = child.parent_no
    GROUP BY ALL
    UNION ALL
    SELECT service, name, kind, parent_service, parent_name, parent_kind, times
    FROM baseline_parent_step
)
SELECT
    service, name, kind,
    arg_max(parent_service, times) AS parent_service,
    arg_max(parent_name, times) AS parent_name,
    arg_max(parent_kind, times) AS parent_kind,
    max(times) AS times
FROM seen
GROUP BY service, name, kind
