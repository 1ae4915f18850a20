-- table: instance_life
-- One row a process that sent records: when it was first and last heard of.
--   service       VARCHAR   service.name
--   instance_id   VARCHAR   the process
--   first_ns      BIGINT    first time on one of its records
--   last_ns       BIGINT    last time on one of its records
--   spans         BIGINT    spans stored
--   local_orphans BIGINT    spans whose parent the same process never sent
SELECT
    service,
    instance_id,
    min(first_ns) AS first_ns,
    max(last_ns) AS last_ns,
    sum(spans)::BIGINT AS spans,
    sum(local_orphans)::BIGINT AS local_orphans
FROM (
    SELECT
        node.service,
        node.instance_id,
        min(node.start_ns) AS first_ns,
        max(coalesce(node.end_ns, node.start_ns)) AS last_ns,
        count(*) AS spans,
        count(*) FILTER (node.missing_parent IS NOT NULL AND node.flags & 768 = 256) AS local_orphans
    FROM node
    WHERE node.instance_id IS NOT NULL
    GROUP BY ALL
    UNION ALL
    SELECT
        resource.service,
        resource.instance_id,
        min(nullif(greatest(log.time_ns, log.observed_ns), 0))::BIGINT,
        max(nullif(greatest(log.time_ns, log.observed_ns), 0))::BIGINT,
        0,
        0
    FROM stored.log_record AS log
    JOIN resource USING (resource_id)
    WHERE resource.instance_id IS NOT NULL
        AND greatest(log.time_ns, log.observed_ns) BETWEEN 1 AND 9223372036854775807
    GROUP BY ALL
)
GROUP BY service, instance_id
