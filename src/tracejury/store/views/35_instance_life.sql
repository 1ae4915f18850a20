-- table: instance_life
-- One row a process that sent records: when it was first and last heard of, which is no later than
-- its records arrived. One that claims to be from more than an hour after that tells of no time.
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
        min(least(node.start_ns, node.received_ns::BIGINT)) FILTER (node.start_ns IS NOT NULL)
            AS first_ns,
        max(least(coalesce(node.end_ns, node.start_ns), node.received_ns::BIGINT))
            FILTER (node.start_ns IS NOT NULL) AS last_ns,
        count(*) AS spans,
        count(*) FILTER (node.missing_parent IS NOT NULL AND node.flags & 768 = 256) AS local_orphans
    FROM node
    WHERE node.instance_id IS NOT NULL
        AND coalesce(node.end_ns, node.start_ns, 0) <= node.received_ns + 3600000000000
    GROUP BY ALL
    UNION ALL
    SELECT
        resource.service,
        resource.instance_id,
        min(least(greatest(log.time_ns, log.observed_ns), log.received_ns))::BIGINT,
        max(least(greatest(log.time_ns, log.observed_ns), log.received_ns))::BIGINT,
        0,
        0
    FROM stored.log_record AS log
    JOIN resource USING (resource_id)
    WHERE resource.instance_id IS NOT NULL
        AND greatest(log.time_ns, log.observed_ns) BETWEEN 1 AND log.received_ns + 3600000000000
    GROUP BY ALL
)
GROUP BY service, instance_id
