-- table: crash
-- One row a crash that is proven: by the fault file, by a log record, or by a process that fell
-- silent with open spans while another took its place. A fault that lies outside of the time of
-- which there is telemetry (and what may still have been on its way then) hit nothing of the run.
--   service      VARCHAR  whose process died
--   instance_id  VARCHAR  the process; NULL where nothing tells which
--   time_ns      BIGINT   when, at the latest
--   evidence     VARCHAR  what proves it
SELECT
    service.service,
    NULL::VARCHAR AS instance_id,
    fault.start_ns AS time_ns,
    'fault ' || fault.id || ' (' || fault.kind || ')' AS evidence
FROM fault
JOIN (SELECT DISTINCT node.service FROM node) AS service
    ON lower(service.service) = lower(fault.target)
JOIN run_time ON fault.start_ns <= run_time.until_ns AND fault.end_ns >= run_time.from_ns
WHERE fault.kind IN ('kill', 'restart')
UNION ALL
SELECT
    resource.service,
    NULL,
    greatest(log.time_ns, log.observed_ns)::BIGINT,
    'log record: ' || left(log.body, 120)
FROM stored.log_record AS log
JOIN resource USING (resource_id)
WHERE log.severity_number >= 13
    AND regexp_matches(
        log.body,
        'WorkerLost|SIGKILL|signal 9\b|exit(ed)? (with )?(code |status )?137|OOMKilled|out of memory: kill|heap out of memory',
        'i'
    )
    AND greatest(log.time_ns, log.observed_ns) <= 9223372036854775807
UNION ALL
SELECT
    life.service,
    life.instance_id,
    life.last_ns,
    'process ' || life.instance_id || ' fell silent with ' || life.local_orphans
    || ' spans open, and another one of ' || life.service || ' started after it'
FROM instance_life AS life
WHERE life.local_orphans > 0
    AND EXISTS (
        SELECT 1
        FROM instance_life AS successor
        WHERE successor.service = life.service AND successor.first_ns >= life.last_ns
    )
