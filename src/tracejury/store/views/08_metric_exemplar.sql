-- view: metric_exemplar
-- One row an exemplar: a measurement that a data point holds, with the span it was made in.
--   metric       VARCHAR  name of the metric
--   time_ns      UBIGINT  nanoseconds since 1970
--   value        DOUBLE   what was measured
--   int_value    BIGINT   the same, exactly, where it was sent as an integer
--   trace_id     VARCHAR  hex digits of what was sent, 32 of an id; '' where none was
--   span_id      VARCHAR  hex digits of what was sent, 16 of an id; '' where none was
--   attributes   VARCHAR  JSON object of the attributes that the point itself lacks, every value as text
--   point_no     BIGINT   row number of the data point in this store
--   exemplar_no  BIGINT   row number in this store, in the order of arrival
SELECT
    metric.name AS metric,
    exemplar.time_ns,
    coalesce(exemplar.double_value, exemplar.int_value) AS value,
    exemplar.int_value,
    lower(hex(exemplar.trace_id)) AS trace_id,
    lower(hex(exemplar.span_id)) AS span_id,
    coalesce(attributes.object, '{}') AS attributes,
    exemplar.point_no,
    exemplar.exemplar_no
FROM stored.exemplar AS exemplar
JOIN stored.metric_point AS point USING (point_no)
JOIN stored.metric AS metric USING (metric_id)
LEFT JOIN (
    SELECT exemplar_no, json_group_object(key, value)::VARCHAR AS object
    FROM stored.exemplar_attribute
    GROUP BY exemplar_no
) AS attributes USING (exemplar_no)
