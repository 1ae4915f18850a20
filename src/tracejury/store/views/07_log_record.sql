-- view: log_record
-- One row a stored log record.
--   time_ns          UBIGINT   nanoseconds since 1970; 0: none was sent
--   observed_ns      UBIGINT   nanoseconds since 1970; 0: none was sent
--   severity_number  INTEGER   1 to 24; 0: none was sent
--   severity_text    VARCHAR   as sent
--   body             VARCHAR   as text: arrays and kvlists as JSON
--   body_type        VARCHAR   string, bool, int, double, bytes, array, kvlist or empty
--   event_name       VARCHAR   '' where none was sent
--   trace_id         VARCHAR   32 lower-case hex digits; NULL: none, or not an id
--   span_id          VARCHAR   16 lower-case hex digits; NULL: none, or not an id
--   service          VARCHAR   service.name of its resource; '' where none was sent
--   instance_id      VARCHAR   the process that sent it; NULL where nothing tells
--   scope_name       VARCHAR   instrumentation scope; for most log bridges the logger's name
--   flags            UINTEGER  as sent
--   received_ns      UBIGINT   when the receiver stored it, by its own clock
--   log_no           BIGINT    row number in this store: how findings name a record
SELECT
    log.time_ns,
    log.observed_ns,
    log.severity_number,
    log.severity_text,
    log.body,
    log.body_type,
    log.event_name,
    lower(hex(log.trace_id)) AS trace_id,
    format('{:016x}', log.span_id) AS span_id,
    resource.service,
    resource.instance_id,
    scope.name AS scope_name,
    log.flags,
    log.received_ns,
    log.log_no
FROM stored.log_record AS log
LEFT JOIN resource USING (resource_id)
LEFT JOIN stored.scope AS scope USING (scope_id)
