-- table: ghost
-- One row a span that is known to have existed and is not stored.
--   trace_no     BIGINT   row number of the trace
--   span_id      UBIGINT  its id
--   instance_no  BIGINT   row number of the workflow instance
--   service      VARCHAR  whose span it is, as far as evidence tells; '' where it does not
--   name         VARCHAR  its step, as far as evidence tells; '' where it does not
--   kind         VARCHAR  its kind, as far as evidence tells; '' where it does not
--   side         VARCHAR  local, remote, unknown: how its children came to it; log: a log record names it
--   children     BIGINT   stored spans that name it as parent
--   logs         BIGINT   stored log records that name it
--   first_ns     BIGINT   earliest sign of it
--   last_ns      BIGINT   latest sign of it
--   cause        VARCHAR  the likeliest: killed, sampled, still-arriving, never-ended, not-exported
--   evidence     VARCHAR  what the cause rests on
WITH by_child AS (
    SELECT
        orphan.trace_no,
        orphan.missing_parent AS span_id,
        mode(node.service ORDER BY node.service) FILTER (orphan.side = 'local') AS local_service,
        mode(node.instance_id ORDER BY node.instance_id) FILTER (orphan.side = 'local') AS instance_id,
        CASE
            WHEN bool_or(orphan.side = 'local') THEN 'local'
            WHEN bool_or(orphan.side = 'remote') THEN 'remote'
            ELSE 'unknown'
        END AS side,
        count(*) AS children,
        min(node.start_ns) AS first_ns,
        max(coalesce(node.end_ns, node.start_ns)) AS last_ns,
        max(node.received_ns) AS received_ns
    FROM orphan
    JOIN node USING (span_no)
    WHERE NOT orphan.external_entry
    GROUP BY orphan.trace_no, orphan.missing_parent
),
likeliest AS (
    SELECT
        trace_no, span_id,
        arg_max(service, (share, service, name, kind)) AS service,
        arg_max(name, (share, service, name, kind)) AS name,
        arg_max(kind, (share, service, name, kind)) AS kind
    FROM ghost_step
    GROUP BY trace_no, span_id
),
by_log AS (
    SELECT
        trace.trace_no,
        log.span_id,
        mode(resource.service ORDER BY resource.service) AS service,
        mode(resource.instance_id ORDER BY resource.instance_id) AS instance_id,
        count(*) AS logs,
        min(nullif(greatest(log.time_ns, log.observed_ns), 0))::BIGINT AS first_ns,
        max(nullif(greatest(log.time_ns, log.observed_ns), 0))::BIGINT AS last_ns,
        max(log.received_ns) AS received_ns
    FROM stored.log_record AS log
    JOIN trace USING (trace_id)
    LEFT JOIN resource USING (resource_id)
    WHERE log.span_id IS NOT NULL
        AND greatest(log.time_ns, log.observed_ns) <= 9223372036854775807
        AND NOT EXISTS (
            SELECT 1
            FROM node
            WHERE node.trace_no = trace.trace_no AND node.span_id = log.span_id
        )
    GROUP BY trace.trace_no, log.span_id
),
known AS (
    SELECT
        coalesce(by_child.trace_no, by_log.trace_no) AS trace_no,
        coalesce(by_child.span_id, by_log.span_id) AS span_id,
        coalesce(by_child.local_service, by_log.service, likeliest.service, '') AS service,
        coalesce(likeliest.name, '') AS name,
        coalesce(likeliest.kind, '') AS kind,
        coalesce(by_child.instance_id, by_log.instance_id) AS instance_id,
        coalesce(by_child.side, 'log') AS side,
        coalesce(by_child.children, 0) AS children,
        coalesce(by_log.logs, 0) AS logs,
        least(by_child.first_ns, by_log.first_ns) AS first_ns,
        greatest(by_child.last_ns, by_log.last_ns) AS last_ns,
        greatest(by_child.received_ns, by_log.received_ns) AS received_ns
    FROM by_child
    FULL JOIN by_log
        ON by_log.trace_no = by_child.trace_no
        AND by_log.span_id = by_child.span_id
    LEFT JOIN likeliest
        ON likeliest.trace_no = by_child.trace_no
        AND likeliest.span_id = by_child.span_id
),
-- Until when a process that may be the one that died is known to have sent what it ended.
sent AS (
    SELECT crash.service, crash.time_ns, crash.instance_id, min(own.last_ns) AS last_ns
    FROM (SELECT DISTINCT service, time_ns, instance_id FROM crash) AS crash
    JOIN (
        SELECT service, instance_id, max(end_ns) AS last_ns
        FROM node
        GROUP BY service, instance_id
    ) AS own
        ON own.service = crash.service
        AND (crash.instance_id IS NULL OR own.instance_id = crash.instance_id)
        AND own.last_ns BETWEEN crash.time_ns - 60000000000 AND crash.time_ns + 1000000000
    GROUP BY ALL
),
crashed AS (
    SELECT known.trace_no, known.span_id, min(crash.evidence) AS evidence
    FROM known
    JOIN crash
        ON crash.service = known.service
        AND (crash.instance_id IS NULL OR known.instance_id IS NULL
            OR crash.instance_id = known.instance_id)
        -- Signs of a killed span end with its process; a call it had made may end a little later.
        AND known.first_ns <= crash.time_ns + 1000000000
        AND known.last_ns BETWEEN crash.time_ns - 300000000000 AND crash.time_ns + 60000000000
        -- Work that its process brought to an end, before or after, lost its spans in another way.
        AND NOT EXISTS (
            SELECT 1
            FROM node AS entry
            WHERE entry.trace_no = known.trace_no
                AND entry.service = known.service
                AND (known.instance_id IS NULL
                    OR entry.instance_id IS NOT DISTINCT FROM known.instance_id)
                AND entry.kind IN ('SERVER', 'CONSUMER')
                AND entry.start_ns <= known.first_ns
                AND entry.end_ns >= known.last_ns
        )
    LEFT JOIN sent
        ON sent.service = crash.service
        AND sent.time_ns = crash.time_ns
        AND sent.instance_id IS NOT DISTINCT FROM crash.instance_id
    -- A call that had been answered, too, where what its process ended later came: spans leave in that order.
    WHERE NOT coalesce(
            known.side = 'remote'
            AND known.kind IN ('CLIENT', 'PRODUCER')
            AND sent.last_ns > known.last_ns + 1000000000,
            false
        )
    GROUP BY known.trace_no, known.span_id
)
SELECT
    known.trace_no,
    known.span_id,
    instance.instance_no,
    known.service,
    known.name,
    known.kind,
    known.side,
    known.children,
    known.logs,
    known.first_ns,
    known.last_ns,
    CASE
        WHEN crashed.evidence IS NOT NULL THEN 'killed'
        WHEN sampled_trace.trace_no IS NOT NULL THEN 'sampled'
        WHEN known.received_ns > settled_before.time_ns THEN 'still-arriving'
        WHEN known.side IN ('local', 'log') THEN 'never-ended'
        ELSE 'not-exported'
    END AS cause,
    CASE
        WHEN crashed.evidence IS NOT NULL THEN crashed.evidence
        WHEN sampled_trace.trace_no IS NOT NULL THEN sampled_trace.evidence
        WHEN known.received_ns > settled_before.time_ns THEN 'records of it arrived within the settling time'
        WHEN known.side = 'local' THEN 'its children came from the same process'
        WHEN known.side = 'log' THEN known.logs || CASE known.logs WHEN 1 THEN ' log record names it' ELSE ' log records name it' END
        WHEN known.side = 'remote' THEN 'its children say that it lies in another process'
        ELSE 'its children name it'
    END AS evidence
FROM known
JOIN trace_instance AS instance USING (trace_no)
LEFT JOIN crashed USING (trace_no, span_id)
LEFT JOIN sampled_trace USING (trace_no)
CROSS JOIN settled_before
