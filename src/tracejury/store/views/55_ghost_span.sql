-- view: ghost_span
-- One row a span that is known to have existed and is not stored.
--   trace_id        VARCHAR  32 lower-case hex digits
--   span_id         VARCHAR  16 lower-case hex digits
--   workflow        VARCHAR  name of the workflow
--   correlation_id  VARCHAR  of the workflow instance
--   service         VARCHAR  whose span it is, as far as evidence tells
--   name            VARCHAR  its step, as far as evidence tells
--   kind            VARCHAR  its kind, as far as evidence tells
--   side            VARCHAR  local, remote, unknown: how its children came to it; log: a log record names it
--   children        BIGINT   stored spans that name it as parent
--   logs            BIGINT   stored log records that name it
--   first_ns        UBIGINT  earliest sign of it
--   last_ns         UBIGINT  latest sign of it
--   cause           VARCHAR  the likeliest: killed, sampled, still-arriving, never-ended, not-exported
--   evidence        VARCHAR  what the cause rests on
SELECT
    lower(hex(trace.trace_id)) AS trace_id,
    format('{:016x}', ghost.span_id) AS span_id,
    instance.workflow,
    instance.correlation_id,
    ghost.service,
    ghost.name,
    ghost.kind,
    ghost.side,
    ghost.children,
    ghost.logs,
    ghost.first_ns::UBIGINT AS first_ns,
    ghost.last_ns::UBIGINT AS last_ns,
    ghost.cause,
    ghost.evidence
FROM ghost
JOIN trace USING (trace_no)
JOIN workflow_instance AS instance ON instance.instance_no = ghost.instance_no
