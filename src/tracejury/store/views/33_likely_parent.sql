-- table: likely_parent
-- One row a step and a step that was seen above it, here or in the baseline.
--   service         VARCHAR  of the child
--   name            VARCHAR  of the child
--   kind            VARCHAR  of the child
--   parent_service  VARCHAR  of the parent
--   parent_name     VARCHAR  of the parent
--   parent_kind     VARCHAR  of the parent
--   times           BIGINT   how often it was seen, in the run or the baseline that has it more often
--   share           DOUBLE   how likely a parent that is not stored is of this step; they sum to 1
WITH here AS (
    SELECT
        child.service, child.name, child.kind,
        parent.service AS parent_service, parent.name AS parent_name, parent.kind AS parent_kind,
        count(*) AS times
    FROM node AS child
    JOIN node AS parent ON parent.span_no = child.parent_no
    GROUP BY ALL
),
compared AS (
    SELECT
        service, name, kind, parent_service, parent_name, parent_kind,
        coalesce(here.times, 0) AS here,
        coalesce(usual.times, 0) AS usual
    FROM here
    FULL JOIN baseline_parent_step AS usual
        USING (service, name, kind, parent_service, parent_name, parent_kind)
),
absent AS (
    SELECT service, name, kind, count(*) AS orphans
    FROM node
    WHERE missing_parent IS NOT NULL
    GROUP BY ALL
),
-- How often each parent would stand above the step if the mix of them were the usual one.
weighed AS (
    SELECT
        compared.*,
        coalesce(absent.orphans, 0) AS orphans,
        (sum(here) OVER step + coalesce(absent.orphans, 0)) * usual / nullif(sum(usual) OVER step, 0)
            AS expected,
        (here + usual) / sum(here + usual) OVER step AS seen,
        min(parent_service || chr(31) || parent_kind) OVER step
            = max(parent_service || chr(31) || parent_kind) OVER step AS is_certain
    FROM compared
    LEFT JOIN absent USING (service, name, kind)
    WINDOW step AS (PARTITION BY service, name, kind)
),
-- What is known of the parents of a service and kind by the steps that have no others.
class AS (
    SELECT
        parent_service, parent_kind,
        sum(here) < 0.1 * sum(expected) AS is_silent,
        coalesce(sum(orphans) FILTER (is_certain), 0) AS absent,
        coalesce(sum(orphans + here) FILTER (is_certain), 0) AS told
    FROM weighed
    GROUP BY parent_service, parent_kind
),
overall AS (
    SELECT (1 + sum(absent)) / (2 + sum(told)) AS rate
    FROM class
    WHERE NOT coalesce(is_silent, false)
),
blended AS (
    SELECT
        weighed.*,
        (class.absent + 5 * coalesce(overall.rate, 0.5)) / (class.told + 5) AS rate,
        coalesce(class.is_silent, false) AS is_silent
    FROM weighed
    JOIN class USING (parent_service, parent_kind)
    CROSS JOIN overall
),
likelihood AS (
    SELECT
        *,
        here * least(rate, 0.9) / (1 - least(rate, 0.9)) AS by_rate,
        bool_or(is_silent) OVER (PARTITION BY service, name, kind) AS has_silent
    FROM blended
),
weight AS (
    SELECT
        *,
        0.001 * seen + CASE
            WHEN is_silent THEN expected
            -- Beside one that is silent, another explains no more than is short of it.
            WHEN has_silent THEN least(by_rate, greatest(coalesce(expected, 0) - here, 0))
            ELSE by_rate
        END AS weight
    FROM likelihood
)
SELECT
    service, name, kind, parent_service, parent_name, parent_kind,
    greatest(here, usual)::BIGINT AS times,
    (weight / sum(weight) OVER (PARTITION BY service, name, kind))::DOUBLE AS share
FROM weight
