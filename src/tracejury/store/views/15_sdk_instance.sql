-- table: sdk_instance
-- One row a process whose SDK counted its own spans, beside what was stored of it.
--   service      VARCHAR  service.name of the process
--   instance_id  VARCHAR  the process; NULL where nothing tells
--   counted_ns   UBIGINT  when it counted last what it had started; NULL where that was not counted
--   earlier      BIGINT   spans that it had sent before anything came here; in none of the following
--   started      BIGINT   spans that were started and sampled; NULL where that was not counted
--   unsampled    BIGINT   spans that were started and not sampled; NULL where none were counted
--   live         BIGINT   sampled spans that had not ended by the last count; NULL where that was not counted
--   processed    BIGINT   spans that a processor passed on; NULL where that was not counted
--   dropped      BIGINT   spans that a processor dropped, by its own word; NULL where nothing was counted
--   stored       BIGINT   distinct spans of it that are stored
--   absent       BIGINT   sampled spans that had ended by the last count and are not stored, at least; NULL
--                         where the counts do not tell: they began anew, or in the process that it was
--                         forked from, or spans were pruned
--   overflowed   BIGINT   of the absent, those that a full queue dropped; NULL where absent is
--   unended      BIGINT   sampled spans that were open at the last count and are not stored; NULL where absent is
--   missing      BIGINT   the absent, exactly; NULL where the run went on after the last count, where it had
--                         begun before the first, or a report between may be lacking
WITH counted AS (
    SELECT
        service,
        instance_id,
        sum(CASE WHEN reason IN ('RECORD_AND_SAMPLE', '') THEN spans ELSE 0 END) FILTER (
            metric = 'otel.sdk.span.started'
        )::BIGINT AS started,
        sum(spans - earlier) FILTER (
            metric = 'otel.sdk.span.started' AND reason NOT IN ('RECORD_AND_SAMPLE', '')
        )::BIGINT AS unsampled,
        sum(CASE WHEN reason IN ('RECORD_AND_SAMPLE', '') THEN spans ELSE 0 END) FILTER (
            metric = 'otel.sdk.span.live'
        )::BIGINT AS live,
        sum(spans) FILTER (
            metric = 'otel.sdk.processor.span.processed' AND reason = ''
        )::BIGINT AS processed,
        sum(CASE WHEN reason != '' THEN spans - earlier ELSE 0 END) FILTER (
            metric = 'otel.sdk.processor.span.processed'
        )::BIGINT AS dropped,
        coalesce(sum(CASE metric WHEN 'otel.sdk.span.live' THEN -earlier ELSE earlier END) FILTER (
            metric IN ('otel.sdk.span.live', 'otel.sdk.span.started')
            AND reason IN ('RECORD_AND_SAMPLE', '')
        ), 0)::BIGINT AS ended_first,
        coalesce(sum(earlier) FILTER (
            metric = 'otel.sdk.processor.span.processed' AND reason = ''
        ), 0)::BIGINT AS processed_first,
        min(first_ns) FILTER (metric = 'otel.sdk.span.started') AS first_ns,
        max(counted_ns) FILTER (metric = 'otel.sdk.span.started') AS counted_ns,
        min(began_ns) FILTER (metric = 'otel.sdk.span.started' AND began_ns > 0) AS began_ns,
        max(series) AS series,
        bool_or(is_broken) FILTER (metric != 'otel.sdk.processor.span.processed') AS is_broken
    FROM sdk_span_count
    GROUP BY service, instance_id
),
-- A forked process goes on from what its parent had counted: both say when that began.
forked AS (
    SELECT service, began_ns
    FROM counted
    WHERE began_ns IS NOT NULL
    GROUP BY service, began_ns
    HAVING count(*) > 1
),
-- A span that came in two versions makes up for none that did not come.
sent AS (
    SELECT
        resource.service, resource.instance_id, span.trace_id, span.span_id,
        min(span.start_ns) AS start_ns,
        max(greatest(span.start_ns, span.end_ns)) AS end_ns
    FROM stored.span AS span
    JOIN resource USING (resource_id)
    WHERE EXISTS (
        FROM counted
        WHERE counted.service = resource.service
            AND counted.instance_id IS NOT DISTINCT FROM resource.instance_id
    )
    GROUP BY ALL
),
run AS (
    SELECT coalesce(max(greatest(span.start_ns, span.end_ns)), 0) AS end_ns
    FROM stored.span AS span
),
kept AS (
    SELECT
        counted.service,
        counted.instance_id,
        count(sent.span_id) AS stored,
        -- Counts are read a little later than they say: what ended meanwhile may be among them.
        count(sent.span_id) FILTER (sent.end_ns <= counted.counted_ns + 1000000000) AS stored_then,
        count(sent.span_id) FILTER (sent.end_ns <= counted.first_ns) AS stored_first,
        count(sent.span_id) FILTER (
            sent.start_ns <= counted.counted_ns AND sent.end_ns > counted.counted_ns
        ) AS open_then
    FROM counted
    LEFT JOIN sent
        ON sent.service = counted.service
        AND sent.instance_id IS NOT DISTINCT FROM counted.instance_id
    GROUP BY ALL
),
told AS (
    SELECT
        counted.* EXCLUDE (
            series, began_ns, live, is_broken, started, processed, ended_first, processed_first, first_ns
        ),
        -- What is not here of the first report may have gone to whom the process had reported before.
        greatest(counted.ended_first - kept.stored_first, 0) AS earlier,
        counted.started - earlier AS started,
        counted.processed - greatest(counted.processed_first - kept.stored_first, 0) AS processed,
        -- Where nothing was sampled, no SDK counts what is live.
        CASE WHEN counted.started = 0 THEN coalesce(counted.live, 0) ELSE counted.live END AS live,
        kept.stored,
        kept.stored_then,
        kept.open_then,
        -- What a process that was killed did after its last count is in no count, nor what it counted
        -- in a report that is lacking.
        counted.counted_ns >= run.end_ns AND earlier = 0 AND NOT coalesce(counted.is_broken, false)
            AS is_final,
        counted.series = 1
        AND forked.began_ns IS NULL
        AND (NOT is_final OR counted.started - live >= kept.stored)
        -- Of which process what was pruned had been, nobody knows.
        AND NOT EXISTS (FROM stored.pruning WHERE pruning.spans > 0) AS is_told
    FROM counted
    CROSS JOIN run
    JOIN kept
        ON kept.service = counted.service
        AND kept.instance_id IS NOT DISTINCT FROM counted.instance_id
    LEFT JOIN forked
        ON forked.service = counted.service
        AND forked.began_ns = counted.began_ns
),
reckoned AS (
    SELECT *, CASE WHEN is_told THEN greatest(started - live - stored_then, 0) END AS absent
    FROM told
)
SELECT
    service,
    instance_id,
    counted_ns,
    earlier,
    started,
    unsampled,
    live,
    processed,
    dropped,
    stored,
    absent,
    -- What was passed on was not dropped; SDKs count as dropped what then found room.
    CASE
        WHEN absent IS NOT NULL
        THEN least(
            coalesce(dropped, 0),
            absent - greatest(least(coalesce(processed, 0) - stored_then, absent), 0)
        )
    END AS overflowed,
    CASE WHEN absent IS NOT NULL THEN greatest(live - open_then, 0) END AS unended,
    CASE WHEN is_final THEN absent END AS missing
FROM reckoned
