-- table: killed_process
-- One row a log record that tells of a killed process.
--   service    VARCHAR  whose process it was: of the service that the record names, else whose record it is
--   time_ns    BIGINT   when it says so
--   body       VARCHAR  what it says
--   is_own     BOOLEAN  the process was one of the service, and not a program, or a container of another name
WITH told AS (
    SELECT
        log.*,
        resource.service,
        greatest(log.time_ns, log.observed_ns)::BIGINT AS said_ns,
        -- What stands in front of the word that it ended.
        regexp_extract(
            log.body,
            '([\w./-]+)[)''"`]?( process)?( [(\[]?(pid[ :=]*)?\d+[)\]]?)?,? ((has|had|was) )?(been )?(exit|killed|terminated|died|OOM-?killed)',
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
),
known AS (
    SELECT DISTINCT service
    FROM resource
    WHERE service <> ''
),
-- Who watches others tells of them by name: `stock-2` is one of the service stock.
named AS (
    SELECT told.log_no, arg_max(known.service, (length(known.service), known.service)) AS service
    FROM told
    JOIN known
        ON regexp_matches(
            CASE WHEN told.subject = '' THEN told.body ELSE told.subject END,
            CASE WHEN told.subject = '' THEN '(^|[^A-Za-z0-9])' ELSE '^(.*/)?' END
                || regexp_escape(known.service) || '($|[^A-Za-z])',
            'i'
        )
    -- Pools of workers name their own so, whatever else is called a worker.
    WHERE NOT regexp_matches(told.body, 'WorkerLost|exited prematurely|sent SIGKILL', 'i')
    GROUP BY told.log_no
)
SELECT
    coalesce(named.service, told.service) AS service,
    told.said_ns AS time_ns,
    told.body,
    named.service IS NOT NULL
    -- Who runs a pool of workers, or containers, speaks of them, but not of those of another name.
    OR (
        regexp_matches(told.body, 'worker|container|\bpod\b|OOMKilled|heap out of memory', 'i')
        AND regexp_matches(
            told.subject, '^(|\w*workers?|\w*worker[-_.]?\w?\d[\w.-]*|(the|this|a|container|pod|process)|[0-9a-f]{6,})$', 'i'
        )
    )
    OR (
        -- Where a step went on after the line in it, its own process was not the one that died.
        around.span_no IS NULL
        AND NOT regexp_matches(told.body, 'child|sub-?process|command\b|non-zero exit', 'i')
        AND (
            told.subject = ''
            OR regexp_matches(told.subject, '^(the|this|a|main|process|server|service|task|job|replica|instance|it)$', 'i')
        )
    ) AS is_own
FROM told
LEFT JOIN named USING (log_no)
LEFT JOIN log_instance AS instance USING (log_no)
LEFT JOIN node AS around
    ON around.span_no = instance.span_no
    AND around.service = told.service
    AND around.end_ns > told.said_ns
