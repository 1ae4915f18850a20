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
    service,
    NULL,
    time_ns,
    'log record: ' || left(body, 120)
FROM killed_process
WHERE is_own
UNION ALL
SELECT
    life.service,
    life.instance_id,
    life.last_ns,
    'process ' || life.instance_id || ' fell silent with ' || life.local_orphans
    || CASE life.local_orphans WHEN 1 THEN ' span' ELSE ' spans' END || ' open, and another one of ' || life.service || ' started after it'
FROM instance_life AS life
WHERE life.local_orphans > 0
    AND EXISTS (
        SELECT 1
        FROM instance_life AS successor
        WHERE successor.service = life.service AND successor.first_ns >= life.last_ns
    )
