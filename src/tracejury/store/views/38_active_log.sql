-- table: active_log
-- One row a log record that was written while a span of its process was open, or that names one.
--   log_no           BIGINT   row number of the log record
--   service          VARCHAR  service.name; '' where none was sent
--   scope_name       VARCHAR  instrumentation scope; for most log bridges the logger's name
--   severity_number  INTEGER  1 to 24; 0: none was sent
--   instance_no      BIGINT   workflow instance that it belongs to; NULL where nothing tells
--   carries          VARCHAR  fields: ids in the record's own fields lead to a span; attributes: ids
--                             beside them do; '' none does
WITH span_time AS (
    SELECT
        service,
        coalesce(instance_id, '') AS process,
        start_ns,
        end_ns,
        max(end_ns) OVER (
            PARTITION BY service, instance_id
            ORDER BY start_ns
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS reached_ns
    FROM node
    SEMI JOIN (
        SELECT resource.service
        FROM stored.log_record
        JOIN resource USING (resource_id)
    ) AS logging USING (service)
    WHERE end_ns IS NOT NULL
),
numbered AS (
    SELECT
        *,
        sum(CASE WHEN start_ns <= reached_ns THEN 0 ELSE 1 END) OVER (
            PARTITION BY service, process
            ORDER BY start_ns
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS stretch
    FROM span_time
),
-- When a process had a span open: stretches without overlap.
busy AS (
    SELECT service, process, min(start_ns) AS start_ns, max(end_ns) AS end_ns
    FROM numbered
    GROUP BY service, process, stretch
),
written AS (
    SELECT
        log.log_no,
        resource.service,
        coalesce(resource.instance_id, '') AS process,
        scope.name AS scope_name,
        log.severity_number,
        coalesce(nullif(log.time_ns, 0), log.observed_ns)::BIGINT AS time_ns,
        trace.trace_no IS NOT NULL AND log.span_id IS NOT NULL AS leads_to_span,
        -- Its trace is unknown and its flags say why: it was sampled out.
        log.trace_id IS NOT NULL AND trace.trace_no IS NULL AND log.flags & 1 = 0 AS is_sampled_out
    FROM stored.log_record AS log
    JOIN resource USING (resource_id)
    LEFT JOIN stored.scope AS scope USING (scope_id)
    LEFT JOIN trace USING (trace_id)
    WHERE coalesce(nullif(log.time_ns, 0), log.observed_ns) <= 9223372036854775807
),
-- Formatters write the ids into attributes or a JSON body, some as a decimal number.
beside AS (
    SELECT log_no, min(trace_text) AS trace_text, min(span_text) AS span_text
    FROM (
        SELECT
            log_no,
            value AS trace_text,
            NULL AS span_text
        FROM stored.log_attribute
        WHERE key IN ('trace_id', 'traceId', 'otelTraceID', 'dd.trace_id')
        UNION ALL
        SELECT log_no, NULL, value
        FROM stored.log_attribute
        WHERE key IN ('span_id', 'spanId', 'otelSpanID', 'dd.span_id')
        UNION ALL
        SELECT
            log_no,
            coalesce(json_extract_string(body, '$.trace_id'), json_extract_string(body, '$.traceId')),
            coalesce(json_extract_string(body, '$.span_id'), json_extract_string(body, '$.spanId'))
        FROM stored.log_record
        WHERE trace_id IS NULL AND starts_with(ltrim(body), '{') AND json_valid(body)
    )
    GROUP BY log_no
),
-- The last 16 digits are what every spelling of a trace id shares.
led AS (
    SELECT DISTINCT beside.log_no
    FROM beside
    JOIN (SELECT DISTINCT right(lower(hex(trace_id)), 16) AS tail FROM trace) AS known
        ON known.tail = coalesce(
            CASE WHEN length(beside.trace_text) < 32
                THEN format('{:016x}', try_cast(beside.trace_text AS UBIGINT)) END,
            right(lower(beside.trace_text), 16)
        )
    WHERE nullif(beside.span_text, '0') IS NOT NULL
)
SELECT
    written.log_no,
    written.service,
    written.scope_name,
    written.severity_number,
    log_instance.instance_no,
    CASE
        WHEN written.leads_to_span THEN 'fields'
        WHEN led.log_no IS NOT NULL THEN 'attributes'
        ELSE ''
    END AS carries
FROM written
ASOF LEFT JOIN busy
    ON busy.service = written.service
    AND busy.process = written.process
    AND busy.start_ns <= written.time_ns
LEFT JOIN led ON led.log_no = written.log_no
LEFT JOIN log_instance ON log_instance.log_no = written.log_no
WHERE NOT written.is_sampled_out
    AND (written.leads_to_span OR coalesce(written.time_ns <= busy.end_ns, false))
