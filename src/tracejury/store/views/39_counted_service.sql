-- table: counted_service
-- One row a service of which a process counted its own spans.
--   service    VARCHAR  service.name
--   processes  BIGINT   processes that sent spans or counted some
--   counted    BIGINT   of these, those whose counts tell until the end of the run
--   stored     BIGINT   distinct spans stored of all of them
WITH sent AS (
    SELECT service, instance_id, count(DISTINCT (trace_no, span_id)) AS stored
    FROM node
    WHERE service IN (SELECT sdk.service FROM sdk_instance AS sdk)
    GROUP BY service, instance_id
),
process AS (
    SELECT
        coalesce(sent.service, sdk.service) AS service,
        coalesce(sent.stored, 0) AS stored,
        sdk.service IS NOT NULL AS has_counts,
        sdk.missing IS NOT NULL AS is_counted
    FROM sent
    FULL JOIN (
        SELECT service, instance_id, missing
        FROM sdk_instance
        WHERE started + coalesce(unsampled, 0) > 0
    ) AS sdk
        ON sdk.service = sent.service
        AND sdk.instance_id IS NOT DISTINCT FROM sent.instance_id
)
SELECT
    process.service,
    count(*) AS processes,
    count(*) FILTER (process.is_counted) AS counted,
    sum(process.stored)::BIGINT AS stored
FROM process
GROUP BY process.service
HAVING bool_or(process.has_counts)
