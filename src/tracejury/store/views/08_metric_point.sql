-- view: metric_point
-- One row a data point. This version counts metrics and does not store them: always empty.
--   metric      VARCHAR  name of the metric
--   kind        VARCHAR  gauge, sum, histogram, exponential_histogram or summary
--   time_ns     UBIGINT  nanoseconds since 1970
--   value       DOUBLE   of a gauge or sum
--   attributes  VARCHAR  JSON object
SELECT
    NULL::VARCHAR AS metric,
    NULL::VARCHAR AS kind,
    NULL::UBIGINT AS time_ns,
    NULL::DOUBLE AS value,
    NULL::VARCHAR AS attributes
WHERE false
