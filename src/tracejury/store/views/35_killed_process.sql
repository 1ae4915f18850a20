-- table: killed_process
-- One row a log record that tells of a killed process.
--   service    VARCHAR  whose record it is
--   time_ns    BIGINT   when it says so
--   body       VARCHAR  what it says
--   is_own     BOOLEAN  the process was one of the service, and not a program that one of them had begun, or may have
WITH told AS (
    SELECT
        log.*,
        resource.service,
        greatest(log.time_ns, log.observed_ns)::BIGINT AS said_ns,
        -- What stands in front of the word that it ended.
        regexp_extract(
            log.body,
            '([\w./-]+)[)''"`]?( process)?( [(\[]?(pid[ :=]*)?\d+[)\]]?)?,? ((has|had|was) )?(been )?(exit|killed|terminated|died)',
            1,
            'i'
        ) AS subject
    FROM stored.log_record AS log
    JOIN resource USING (resource_id)
    WHERE log.severity_number >= 13
        AND regexp_matches(
            log.body,
            'WorkerLost|SIGKILL|signal 9\b|exit(ed)? (with )?(code |status )?137|OOMKilled|out of memory: kill|heap out of memory',
            'i'
        )
        AND greatest(log.time_ns, log.observed_ns) <= 9223372036854775807
)
SELECT
    told.service,
    told.said_ns AS time_ns,
    told.body,
    -- Who runs a pool of workers, or containers, speaks of them.
    regexp_matches(told.body, 'worker|container|\bpod\b|OOMKilled|heap out of memory', 'i')
    OR (
        -- Where a step went on after the line in it, its own process was not the one that died.
        around.span_no IS NULL
        AND NOT regexp_matches(told.body, 'child|sub-?process|command\b|non-zero exit', 'i')
        AND (
            told.subject = ''
            OR regexp_matches(told.subject, '^(the|this|a|main|process|server|service|task|job|replica|instance|it)$', 'i')
            OR EXISTS (
                SELECT 1
                FROM (SELECT DISTINCT service FROM resource) AS known
                WHERE known.service <> '' AND starts_with(lower(told.subject), lower(known.service))
            )
        )
    ) AS is_own
FROM told
LEFT JOIN log_instance AS instance USING (log_no)
LEFT JOIN node AS around
    ON around.span_no = instance.span_no
    AND around.service = told.service
    AND around.end_ns > told.said_ns
