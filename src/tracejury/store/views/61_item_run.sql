-- table: item_run
-- One row a time that an item of a job was worked on: the outermost span that names the item. Of
-- several steps below one loop that name items, that is the one that most items have.
--   span_no      BIGINT   row number of that span; of several left of a lost one, the first
--   instance_no  BIGINT   row number of the workflow instance
--   item         VARCHAR  the item
--   number       BIGINT   1 for the first time that this instance worked on it
--   loop_no      BIGINT   span that worked on this and other items; NULL: none is named or stored
--   place        BIGINT   how many-th item its loop began, 1 for the first; NULL without a loop
--   service      VARCHAR  who worked on it
--   name         VARCHAR  span name
--   start_ns     BIGINT   nanoseconds since 1970
--   end_ns       BIGINT   NULL where unusable
--   failed       BOOLEAN  the span failed, or the last state said of the item in it is a failure
--   completed    BOOLEAN  the whole of it is stored and ended without failure, and no record says otherwise
--   error_type   VARCHAR  of the failure; '' where none
--   message      VARCHAR  of the failure; '' where none
--   is_fragment  BOOLEAN  its parent is not stored, so a span of the item around it may be missing
--   went_on      BOOLEAN  it is a call that failed, and another step of the item went well afterwards
--   is_unclear   BOOLEAN  it is a call that failed, and what went well afterwards may only have noted that
WITH named AS (
    SELECT node.*, record_item.item, instance.instance_no
    FROM record_item
    JOIN node USING (span_no)
    JOIN trace_instance AS instance USING (trace_no)
    JOIN workflow_instance USING (instance_no)
    WHERE NOT workflow_instance.background AND node.start_ns IS NOT NULL
),
outermost AS (
    SELECT named.*
    FROM named
    SEMI JOIN (
        SELECT node.span_no
        FROM record_item
        JOIN node USING (span_no)
        LEFT JOIN record_item AS above ON above.span_no = node.parent_no
        WHERE above.item IS DISTINCT FROM record_item.item
    ) AS top USING (span_no)
),
-- A loop may have a step beside its items, like noting that one failed.
loop_step AS (
    SELECT parent_no, service, name
    FROM outermost
    WHERE parent_no IS NOT NULL
    GROUP BY parent_no, service, name
    QUALIFY row_number() OVER (
        PARTITION BY parent_no
        ORDER BY count(DISTINCT item) DESC, sum(duration_ns) DESC, name
    ) = 1
),
run AS (
    SELECT outermost.*
    FROM outermost
    JOIN loop_step USING (parent_no, service, name)
    UNION ALL
    SELECT *
    FROM outermost
    WHERE parent_no IS NULL
),
-- What is left of one lost span of an item are several fragments, one after the other.
islands AS (
    SELECT
        *,
        sum(CASE WHEN missing_parent IS NOT NULL AND lag_is_fragment THEN 0 ELSE 1 END) OVER (
            PARTITION BY instance_no, item
            ORDER BY start_ns, span_id
        ) AS island
    FROM (
        SELECT
            *,
            coalesce(
                lag(missing_parent IS NOT NULL) OVER (
                    PARTITION BY instance_no, item
                    ORDER BY start_ns, span_id
                ),
                false
            ) AS lag_is_fragment
        FROM run
    )
),
whole AS (
    SELECT
        arg_min(span_no, (start_ns, span_id)) AS span_no,
        arg_min(span_id, (start_ns, span_id)) AS span_id,
        instance_no,
        item,
        arg_min(parent_no, (start_ns, span_id)) AS loop_no,
        arg_min(service, (start_ns, span_id)) AS service,
        arg_min(name, (start_ns, span_id)) AS name,
        min(start_ns) AS start_ns,
        max(end_ns) AS end_ns,
        list(span_no) AS span_nos,
        bool_or(missing_parent IS NOT NULL) AS is_fragment
    FROM islands
    GROUP BY instance_no, item, island
),
-- A fragment that is the item's own step lost only the loop around it.
known_step AS (
    SELECT DISTINCT service, name
    FROM loop_step
),
failure AS (
    SELECT
        whole.span_no,
        min(error.error_type) AS error_type,
        min(error.message) AS message
    FROM (SELECT span_no, unnest(span_nos) AS part_no FROM whole) AS whole
    JOIN span_error AS error ON error.span_no = whole.part_no
    GROUP BY whole.span_no
),
stated AS (
    SELECT whole.span_no, arg_max(state.state, (state.time_ns, state.state)) AS state
    FROM whole
    JOIN state_record AS state
        ON state.instance_no = whole.instance_no
        AND state.unit = whole.item
        AND state.level = 'item'
        -- What is said right after the span's end still speaks of it.
        AND state.time_ns BETWEEN whole.start_ns AND coalesce(whole.end_ns, whole.start_ns) + 50000000
    GROUP BY whole.span_no
),
went_well AS (
    SELECT
        named.instance_no, named.item, named.service, named.name,
        max(named.start_ns) AS last_ns,
        max(named.end_ns) AS until_ns,
        -- A row that was written, or a step that tells of it, may say that the item failed.
        bool_or(
            coalesce(call.protocol NOT IN ('db', 'messaging'), true)
            AND NOT regexp_matches(
                concat_ws(' ', named.name, call.route),
                '(^|[^a-z])(note|mark|flag|fail|error|dead|dlq|reject|skip|abort|cancel|notif|alert|report)',
                'i'
            )
        ) AS is_work
    FROM named
    ANTI JOIN span_error ON span_error.span_no = named.span_no
    LEFT JOIN call ON call.span_no = named.span_no
    WHERE named.end_ns IS NOT NULL
    GROUP BY named.instance_no, named.item, named.service, named.name
),
-- Where the span of the item itself does not name it, its calls stand for it, each attempt of them.
attempt AS (
    SELECT whole.span_no, bool_or(later.is_work) AS is_work, max(later.until_ns) AS until_ns
    FROM whole
    JOIN node USING (span_no)
    JOIN went_well AS later
        ON later.instance_no = whole.instance_no
        AND later.item = whole.item
        AND later.last_ns >= whole.end_ns
        AND (later.service, later.name) IS DISTINCT FROM (whole.service, whole.name)
    WHERE node.kind IN ('CLIENT', 'PRODUCER')
    GROUP BY whole.span_no
),
-- How it came out: the last that is said of the item, and an error that is told after all of that.
came_out AS (
    SELECT
        attempt.span_no,
        arg_max(state.state, (state.time_ns, state.state)) AS state
    FROM attempt
    JOIN whole USING (span_no)
    JOIN state_record AS state
        ON state.instance_no = whole.instance_no
        AND state.unit = whole.item
        AND state.level = 'item'
        AND state.time_ns >= whole.end_ns
    GROUP BY attempt.span_no
),
told_after AS (
    SELECT DISTINCT attempt.span_no
    FROM attempt
    JOIN whole USING (span_no)
    JOIN record_item AS named ON named.item = whole.item
    JOIN log_instance AS instance
        ON instance.log_no = named.log_no AND instance.instance_no = whole.instance_no
    JOIN stored.log_record AS log ON log.log_no = named.log_no
    WHERE log.severity_number >= 17
        AND greatest(log.time_ns, CASE WHEN log.time_ns = 0 THEN log.observed_ns END) >= attempt.until_ns
),
followed AS (
    SELECT
        attempt.span_no,
        came_out.state IS NOT DISTINCT FROM 'completed'
            OR (attempt.is_work AND told_after.span_no IS NULL
                AND coalesce(came_out.state NOT IN ('failed', 'timeout'), true)) AS is_good,
        came_out.state IS NULL AND told_after.span_no IS NULL AND NOT attempt.is_work AS is_unclear
    FROM attempt
    LEFT JOIN came_out USING (span_no)
    LEFT JOIN told_after USING (span_no)
)
SELECT
    whole.span_no,
    whole.instance_no,
    whole.item,
    row_number() OVER (
        PARTITION BY whole.instance_no, whole.item
        ORDER BY whole.start_ns, whole.span_id
    ) AS number,
    whole.loop_no,
    CASE WHEN whole.loop_no IS NOT NULL THEN
        row_number() OVER (PARTITION BY whole.loop_no ORDER BY whole.start_ns, whole.span_id)
    END AS place,
    whole.service,
    whole.name,
    whole.start_ns,
    whole.end_ns,
    failure.span_no IS NOT NULL OR coalesce(stated.state IN ('failed', 'timeout'), false) AS failed,
    failure.span_no IS NULL
        AND whole.end_ns IS NOT NULL
        AND (NOT whole.is_fragment OR known_step.name IS NOT NULL)
        AND coalesce(stated.state NOT IN ('failed', 'timeout', 'cancelled', 'skipped'), true)
        AS completed,
    coalesce(failure.error_type, '') AS error_type,
    coalesce(failure.message, '') AS message,
    whole.is_fragment,
    failure.span_no IS NOT NULL
        AND coalesce(followed.is_good, false)
        AND coalesce(stated.state NOT IN ('failed', 'timeout'), true) AS went_on,
    failure.span_no IS NOT NULL
        AND coalesce(followed.is_unclear, false)
        AND coalesce(stated.state NOT IN ('failed', 'timeout'), true) AS is_unclear
FROM whole
LEFT JOIN known_step ON known_step.service = whole.service AND known_step.name = whole.name
LEFT JOIN failure USING (span_no)
LEFT JOIN stated USING (span_no)
LEFT JOIN followed USING (span_no)
