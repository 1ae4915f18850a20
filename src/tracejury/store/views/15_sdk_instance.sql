-- view: sdk_instance
-- One row a process whose SDK counted its own spans, beside what was stored of it.
--   service      VARCHAR  service.name of the process
--   instance_id  VARCHAR  the process; NULL where nothing tells
--   started      BIGINT   spans that were started and sampled; NULL where that was not counted
--   unsampled    BIGINT   spans that were started and not sampled; NULL where none were counted
--   live         BIGINT   spans that had not ended by the last count; NULL where that was not counted
--   processed    BIGINT   spans that a processor passed on; NULL where that was not counted
--   dropped      BIGINT   spans that a processor dropped, by its own word; NULL where nothing was counted
--   stored       BIGINT   distinct spans of it that are stored
--   missing      BIGINT   spans that it started, ended and sampled, and that are not stored; NULL where the
--                         counts do not tell: the run went on after the last one, they began anew, or
--                         spans were pruned
WITH counted AS (
    SELECT
        service,
        instance_id,
        sum(spans) FILTER (
            metric = 'otel.sdk.span.started' AND reason IN ('RECORD_AND_SAMPLE', '')
        )::BIGINT AS started,
        sum(spans) FILTER (
            metric = 'otel.sdk.span.started' AND reason NOT IN ('RECORD_AND_SAMPLE', '')
        )::BIGINT AS unsampled,
        sum(spans) FILTER (metric = 'otel.sdk.span.live')::BIGINT AS live,
        sum(spans) FILTER (
            metric = 'otel.sdk.processor.span.processed' AND reason = ''
        )::BIGINT AS processed,
        sum(CASE WHEN reason != '' THEN spans ELSE 0 END) FILTER (
            metric = 'otel.sdk.processor.span.processed'
        )::BIGINT AS dropped,
        max(counted_ns) FILTER (metric = 'otel.sdk.span.started') AS counted_ns,
        max(series) AS series
    FROM sdk_span_count
    GROUP BY service, instance_id
),
stored_span AS (
    SELECT
        resource.service, resource.instance_id,
        -- A span that came in two versions makes up for none that did not come.
        count(DISTINCT (span.trace_id, span.span_id)) AS stored,
        max(greatest(span.start_ns, span.end_ns)) AS last_ns
    FROM stored.span AS span
    JOIN resource USING (resource_id)
    GROUP BY resource.service, resource.instance_id
)
SELECT
    counted.* EXCLUDE (counted_ns, series),
    coalesce(stored_span.stored, 0) AS stored,
    CASE
        WHEN counted.live IS NOT NULL
            AND counted.series = 1
            -- What a process that was killed did after its last count is in no count.
            AND coalesce(counted.counted_ns >= (SELECT max(last_ns) FROM stored_span), true)
            AND counted.started - counted.live >= coalesce(stored_span.stored, 0)
            -- Of which process what was pruned had been, nobody knows.
            AND NOT EXISTS (FROM stored.pruning WHERE pruning.spans > 0)
        THEN counted.started - counted.live - coalesce(stored_span.stored, 0)
    END AS missing
FROM counted
LEFT JOIN stored_span
    ON stored_span.service = counted.service
    AND stored_span.instance_id IS NOT DISTINCT FROM counted.instance_id
