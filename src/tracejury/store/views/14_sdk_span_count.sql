-- view: sdk_span_count
-- One row what an SDK counted of its own spans: a self-metric, a process and an attribute's value.
--   service      VARCHAR  service.name of the process
--   instance_id  VARCHAR  the process that counted; NULL where nothing tells
--   metric       VARCHAR  otel.sdk.span.started, otel.sdk.span.live or otel.sdk.processor.span.processed
--   reason       VARCHAR  otel.span.sampling_result of started and live, error.type of processed; '' where none was sent
--   spans        BIGINT   the sum over all that it counted, of live the last count
--   earlier      BIGINT   of spans, those of the first report, where reports had gone elsewhere before it
--   first_ns     UBIGINT  when that report was made; NULL where there is none
--   counted_ns   UBIGINT  when it was counted last
--   series       BIGINT   how often the counting began; more than once: by several processes, or again
--   began_ns     UBIGINT  when the counting began; 0 where that was not sent
--   is_broken    BOOLEAN  of delta temporality, and between two reports of the process time is not accounted for
WITH point AS (
    SELECT
        sent.point_no,
        resource.service,
        resource.instance_id,
        sent.resource_id,
        metric.name AS metric,
        metric.temporality,
        sent.start_ns,
        sent.time_ns,
        CASE WHEN metric.temporality = 1 THEN 0 ELSE sent.start_ns END AS series,
        coalesce(sent.int_value, sent.double_value)::DOUBLE AS value
    FROM stored.metric_point AS sent
    JOIN stored.metric AS metric USING (metric_id)
    JOIN resource USING (resource_id)
    WHERE metric.kind = 'sum'
        AND metric.name IN (
            'otel.sdk.span.started', 'otel.sdk.span.live', 'otel.sdk.processor.span.processed'
        )
),
attribute AS (
    SELECT
        point_no,
        list_sort(list(key || '=' || coalesce(value, ''))) AS stream,
        any_value(value) FILTER (key IN ('otel.span.sampling_result', 'error.type')) AS reason
    FROM stored.point_attribute
    WHERE point_no IN (SELECT point_no FROM point)
    GROUP BY point_no
),
-- Since when anything here tells of the run.
heard AS (
    SELECT least((SELECT min(start_ns) FROM node), (SELECT min(time_ns) FROM point)) AS since_ns
),
-- Reports come at regular intervals, of 60 seconds where nobody says otherwise.
regular AS (
    SELECT service, instance_id, coalesce(median(since_last_ns), 60e9) AS interval_ns
    FROM (
        SELECT
            service,
            instance_id,
            time_ns - lag(time_ns) OVER (
                PARTITION BY service, instance_id ORDER BY time_ns
            ) AS since_last_ns
        FROM (
            SELECT DISTINCT service, instance_id, time_ns
            FROM point
            WHERE metric = 'otel.sdk.span.started'
        )
    )
    GROUP BY service, instance_id
),
-- A count goes on until its start changes, or until it falls: then it began again at zero.
step AS (
    SELECT
        point.*,
        coalesce(attribute.reason, '') AS reason,
        attribute.stream,
        point.temporality = 1 AS is_delta,
        lag(point.value) OVER stream AS before,
        -- Where the process had reported before anything came here, that was to somebody else.
        lag(point.value) OVER stream IS NULL
            AND point.temporality != 1
            AND point.start_ns > 0
            AND least(point.time_ns, heard.since_ns)
                > point.start_ns + 1.5 * regular.interval_ns AS is_late,
        row_number() OVER (stream ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
            = count(*) OVER (stream ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
            AS is_last
    FROM point
    CROSS JOIN heard
    LEFT JOIN attribute USING (point_no)
    LEFT JOIN regular
        ON regular.service IS NOT DISTINCT FROM point.service
        AND regular.instance_id IS NOT DISTINCT FROM point.instance_id
    WHERE isfinite(point.value) AND abs(point.value) < 9e15
    WINDOW stream AS (
        PARTITION BY
            point.resource_id, point.metric, point.temporality, attribute.stream, point.series
        ORDER BY point.time_ns, point.point_no
    )
),
-- A report that was lost takes its counts along: the next one begins where it ended.
lapse AS (
    SELECT service, instance_id, metric, bool_or(start_ns = 0 OR start_ns > until_ns) AS is_broken
    FROM (
        SELECT
            *,
            max(time_ns) OVER (
                PARTITION BY service, instance_id, metric
                ORDER BY start_ns, time_ns
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS until_ns
        FROM point
        WHERE temporality = 1
    )
    WHERE until_ns IS NOT NULL
    GROUP BY service, instance_id, metric
),
counted AS (
    SELECT
        service,
        instance_id,
        metric,
        reason,
        sum(
            CASE
                WHEN is_delta THEN value
                WHEN metric = 'otel.sdk.span.live' THEN CASE WHEN is_last THEN value ELSE 0 END
                WHEN before IS NULL OR value < before THEN value
                ELSE value - before
            END
        ) AS spans,
        coalesce(sum(value) FILTER (is_late), 0) AS earlier,
        min(time_ns) FILTER (is_late) AS first_ns,
        max(time_ns) AS counted_ns,
        min(start_ns) AS began_ns,
        count(DISTINCT (resource_id, series)) + count(*) FILTER (
            NOT is_delta AND value < before AND metric != 'otel.sdk.span.live'
        ) AS series
    FROM step
    GROUP BY service, instance_id, metric, reason, stream
)
SELECT
    counted.service,
    counted.instance_id,
    counted.metric,
    counted.reason,
    sum(counted.spans)::BIGINT AS spans,
    sum(counted.earlier)::BIGINT AS earlier,
    min(counted.first_ns) AS first_ns,
    max(counted.counted_ns) AS counted_ns,
    max(counted.series) AS series,
    min(counted.began_ns) AS began_ns,
    coalesce(any_value(lapse.is_broken), false) AS is_broken
FROM counted
LEFT JOIN lapse
    ON lapse.service IS NOT DISTINCT FROM counted.service
    AND lapse.instance_id IS NOT DISTINCT FROM counted.instance_id
    AND lapse.metric = counted.metric
GROUP BY counted.service, counted.instance_id, counted.metric, counted.reason
