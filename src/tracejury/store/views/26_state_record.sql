-- table: state_record
-- One row a record that says what state a job or an item is in, in a word of the closed list.
--   instance_no  BIGINT   row number of the workflow instance
--   level        VARCHAR  job or item
--   unit         VARCHAR  the item; for a job the correlation ID of its instance
--   state        VARCHAR  queued, processing, retrying, completed, partial, failed, timeout, cancelled or skipped
--   is_final     BOOLEAN  from this state a unit goes nowhere by itself
--   said         VARCHAR  the word as it was sent
--   key          VARCHAR  the attribute or the word of the body that said it
--   time_ns      BIGINT   when: of a log record its time, of a span its end
--   service      VARCHAR  who said it; '' for the database
--   span_no      BIGINT   the span that says it; NULL for a log record
--   log_no       BIGINT   the log record that says it; NULL for a span
--   row_no       BIGINT   the row of the system's own database that says it; NULL for telemetry
WITH by_span AS (
    SELECT
        instance.instance_no, instance.correlation_key, instance.correlation_id,
        attribute.level, attribute.key, attribute.said,
        coalesce(node.end_ns, node.start_ns) AS time_ns,
        node.service, node.span_no, NULL::BIGINT AS log_no
    FROM state_attribute AS attribute
    JOIN node USING (span_no)
    JOIN trace_instance AS instance USING (trace_no)
),
attributed_log AS (
    SELECT attribute.log_no, state_key.level, state_key.key, attribute.value AS said
    FROM stored.log_attribute AS attribute
    JOIN state_key ON state_key.key = attribute.key
),
-- A body says it where no attribute does, and only as key=value.
spoken_log AS (
    SELECT log.log_no, state_key.level, state_key.key, spoken.word AS said
    FROM (
        SELECT
            log_no,
            regexp_extract(body, '\b((?:(?:job|workflow|batch|item)\.)?(?:status|state))=([A-Za-z_-]+)', 1) AS key,
            regexp_extract(body, '\b((?:(?:job|workflow|batch|item)\.)?(?:status|state))=([A-Za-z_-]+)', 2) AS word
        FROM stored.log_record
        WHERE body LIKE '%stat%=%'
    ) AS spoken
    JOIN stored.log_record AS log USING (log_no)
    JOIN state_key ON state_key.key = spoken.key
    WHERE log.log_no NOT IN (SELECT attributed.log_no FROM attributed_log AS attributed)
),
instance AS (
    SELECT DISTINCT instance_no, correlation_key, correlation_id
    FROM trace_instance
),
by_log AS (
    SELECT
        instance.instance_no, instance.correlation_key, instance.correlation_id,
        said.level, said.key, said.said,
        greatest(log.time_ns, CASE WHEN log.time_ns = 0 THEN log.observed_ns END) AS time_ns,
        resource.service, NULL::BIGINT AS span_no, log.log_no
    FROM (FROM attributed_log UNION ALL FROM spoken_log) AS said
    JOIN stored.log_record AS log USING (log_no)
    JOIN log_instance USING (log_no)
    JOIN instance ON instance.instance_no = log_instance.instance_no
    JOIN resource ON resource.resource_id = log.resource_id
),
said AS (
    SELECT by_span.*, record_item.item
    FROM by_span
    LEFT JOIN record_item ON record_item.span_no = by_span.span_no
    UNION ALL
    SELECT by_log.*, record_item.item
    FROM by_log
    LEFT JOIN record_item ON record_item.log_no = by_log.log_no
),
levelled AS (
    SELECT
        *,
        CASE
            WHEN level <> '' THEN level
            WHEN item IS NOT NULL THEN 'item'
            -- Without a unit on the record, a `status` may be of anything.
            WHEN correlation_key NOT IN ('trace', 'links') THEN 'job'
        END AS spoken_of
    FROM said
)
SELECT
    levelled.instance_no,
    levelled.spoken_of AS level,
    CASE levelled.spoken_of WHEN 'item' THEN levelled.item ELSE levelled.correlation_id END AS unit,
    state_word.state,
    state_word.is_final,
    levelled.said,
    levelled.key,
    levelled.time_ns::BIGINT AS time_ns,
    levelled.service,
    levelled.span_no,
    levelled.log_no,
    NULL::BIGINT AS row_no
FROM levelled
JOIN state_word
    ON state_word.word = regexp_replace(
        lower(trim(
            -- A list of one word says that word.
            CASE WHEN levelled.said LIKE '["%"]' AND len(levelled.said) < 100
                THEN regexp_extract(levelled.said, '^\["([^",]*)"\]$', 1)
                ELSE levelled.said
            END
        )),
        '[- ]', '_', 'g'
    )
WHERE levelled.spoken_of IS NOT NULL
    AND (levelled.spoken_of = 'job' OR levelled.item IS NOT NULL)
    AND levelled.time_ns <= 9223372036854775807
UNION ALL
SELECT
    instance_no, 'job', unit, state, is_final, said, 'status', updated_ns, '', NULL, NULL, row_no
FROM state_row
WHERE instance_no IS NOT NULL
