-- view: metric_point
-- One row a stored data point.
--   metric           VARCHAR    name of the metric
--   kind             VARCHAR    gauge, sum, histogram, exponential_histogram or summary
--   time_ns          UBIGINT    nanoseconds since 1970; 0: none was sent
--   start_ns         UBIGINT    since when a sum or a distribution counts; 0: none was sent
--   value            DOUBLE     of a gauge or sum; NULL where none was recorded
--   int_value        BIGINT     the same, exactly, where it was sent as an integer
--   attributes       VARCHAR    JSON object of its attributes, every value as text
--   unit             VARCHAR    as sent
--   description      VARCHAR    as sent
--   temporality      VARCHAR    UNSPECIFIED, DELTA, CUMULATIVE, or the number sent; NULL for gauges and summaries
--   is_monotonic     BOOLEAN    of sums; NULL for other kinds
--   service          VARCHAR    service.name of its resource; '' where none was sent
--   instance_id      VARCHAR    the process that sent it; NULL where nothing tells
--   scope_name       VARCHAR    instrumentation scope
--   flags            UINTEGER   as sent: bit 1 tells that no value was recorded
--   count            UBIGINT    how many values a distribution holds; NULL for gauges and sums
--   sum              DOUBLE     of a distribution; NULL where none was sent
--   min              DOUBLE     of a histogram; NULL where none was sent
--   max              DOUBLE     of a histogram; NULL where none was sent
--   bounds           DOUBLE[]   of a histogram: the upper bounds of all buckets but the last
--   bucket_counts    UBIGINT[]  of a histogram: as many as bounds, and one
--   scale            INTEGER    of an exponential histogram: its buckets' base is 2^(2^-scale)
--   zero_count       UBIGINT    of an exponential histogram: values within zero_threshold of zero
--   zero_threshold   DOUBLE     of an exponential histogram
--   positive_offset  INTEGER    of an exponential histogram: index of the first positive bucket
--   positive_counts  UBIGINT[]  of an exponential histogram
--   negative_offset  INTEGER    of an exponential histogram: index of the first negative bucket
--   negative_counts  UBIGINT[]  of an exponential histogram
--   quantiles        DOUBLE[]   of a summary: 0 to 1
--   quantile_values  DOUBLE[]   of a summary: the value at each quantile
--   received_ns      UBIGINT    when the receiver stored it, by its own clock
--   point_no         BIGINT     row number in this store, in the order of arrival
SELECT
    metric.name AS metric,
    metric.kind,
    point.time_ns,
    point.start_ns,
    coalesce(point.double_value, point.int_value) AS value,
    point.int_value,
    coalesce(attributes.object, '{}') AS attributes,
    metric.unit,
    metric.description,
    CASE metric.temporality
        WHEN 0 THEN 'UNSPECIFIED' WHEN 1 THEN 'DELTA' WHEN 2 THEN 'CUMULATIVE'
        ELSE metric.temporality::VARCHAR
    END AS temporality,
    metric.is_monotonic,
    resource.service,
    resource.instance_id,
    scope.name AS scope_name,
    point.flags,
    point.count,
    point.sum,
    point.min,
    point.max,
    point.bounds,
    point.bucket_counts,
    point.scale,
    point.zero_count,
    point.zero_threshold,
    point.positive_offset,
    point.positive_counts,
    point.negative_offset,
    point.negative_counts,
    point.quantiles,
    point.quantile_values,
    point.received_ns,
    point.point_no
FROM stored.metric_point AS point
JOIN stored.metric AS metric USING (metric_id)
LEFT JOIN resource USING (resource_id)
LEFT JOIN stored.scope AS scope USING (scope_id)
LEFT JOIN (
    SELECT point_no, json_group_object(key, value)::VARCHAR AS object
    FROM stored.point_attribute
    GROUP BY point_no
) AS attributes USING (point_no)
