-- view: workflow
-- One row a workflow: the instances with the same entry point.
--   workflow   VARCHAR  name of its entry point, with the service where two share the name
--   trigger    VARCHAR  user, webhook, admin, queue, cron or unclassified
--   instances  BIGINT   how many ran
--   ok         BIGINT   how many of them went well
--   failed     BIGINT   how many failed
--   unknown    BIGINT   how many cannot be told
--   spans      BIGINT   spans stored
--   logs       BIGINT   log records that belong to it
--   p50_ms     DOUBLE   median time from first start to last end
--   p95_ms     DOUBLE   95th percentile of it
SELECT
    instance.workflow,
    CASE
        -- Spring Batch says how a job runs, not what started it.
        WHEN bool_or(field.trigger = 'timer' OR field.schedule <> 'spring_batch') THEN 'cron'
        WHEN arg_min(instance.entry_kind, instance.instance_no) = 'SERVER'
            AND bool_or(regexp_matches(
                coalesce(field.http_route, field.url_path, instance.entry_name),
                '/(web)?hooks?(/|$)|/callbacks?(/|$)'
            ))
            THEN 'webhook'
        WHEN arg_min(instance.entry_kind, instance.instance_no) = 'SERVER'
            AND bool_or(regexp_matches(
                coalesce(field.http_route, field.url_path, instance.entry_name), '/admin(/|$)'
            ))
            THEN 'admin'
        WHEN arg_min(instance.entry_kind, instance.instance_no) = 'SERVER' THEN 'user'
        WHEN arg_min(instance.entry_kind, instance.instance_no) = 'CONSUMER' THEN 'queue'
        WHEN arg_min(instance.entry_kind, instance.instance_no) = 'INTERNAL' THEN 'cron'
        ELSE 'unclassified'
    END AS trigger,
    count(*) AS instances,
    count(*) FILTER (instance.outcome = 'ok') AS ok,
    count(*) FILTER (instance.outcome = 'failed') AS failed,
    count(*) FILTER (instance.outcome = 'unknown') AS unknown,
    sum(instance.spans)::BIGINT AS spans,
    sum(instance.logs)::BIGINT AS logs,
    quantile_cont(instance.took_ns, 0.5) / 1e6 AS p50_ms,
    quantile_cont(instance.took_ns, 0.95) / 1e6 AS p95_ms
FROM workflow_instance AS instance
LEFT JOIN span_field AS field ON field.span_no = instance.entry_span_no
WHERE NOT instance.background
GROUP BY instance.workflow
