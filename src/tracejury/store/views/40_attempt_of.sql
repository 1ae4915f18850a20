-- table: attempt_of
-- One row a span that is one of several attempts at the same thing.
--   span_no     BIGINT   row number of the span
--   group_no    BIGINT   row number of the first attempt of the group
--   number      BIGINT   1 for the first attempt
--   attempts    BIGINT   attempts of the group
--   failed      BOOLEAN  this attempt failed
--   recovered   BOOLEAN  the last attempt of the group did not fail
--   how         VARCHAR  siblings: one after the other below one parent; nested: published again from within
--   unclear     BOOLEAN  more may belong to the group: others that failed tell less, or more, of what they were for
WITH troubled AS (
    -- Nothing is tried again but what failed.
    SELECT DISTINCT node.parent_no
    FROM span_error
    JOIN node USING (span_no)
    WHERE node.parent_no IS NOT NULL
),
named AS (
    SELECT
        *,
        -- Which attempt it is may stand in the name.
        regexp_replace(name, '[\s(#:-]*\b(attempt|try|retry)\b[\s#:]*\d*(/\d+)?\)?$', '', 'i') AS step
    FROM node
    SEMI JOIN troubled USING (parent_no)
    WHERE start_ns IS NOT NULL
),
repeated AS (
    -- Whatever was tried again has at least two spans that look alike below one parent.
    SELECT parent_no, service, kind, CASE WHEN kind = 'INTERNAL' THEN step END AS step
    FROM named
    GROUP BY ALL
    HAVING count(*) > 1
),
candidate AS (
    SELECT
        node.span_no,
        node.span_id,
        node.parent_no,
        node.trace_no,
        node.service,
        node.kind,
        -- A call is known by what it asks of whom; anything else by its name.
        CASE WHEN call.peer IS NULL OR call.operation IS NULL THEN node.step ELSE '' END AS step,
        node.start_ns,
        coalesce(node.end_ns, node.start_ns) AS end_ns,
        -- What the attempt was for: the same target and the same item.
        [
            call.peer, call.operation, field.object_key, field.message_id, field.db_query,
            split_part(coalesce(field.url_full, field.url_path), '?', 1), item.key, item.item
        ] AS parts,
        coalesce(array_to_string(parts, chr(31)), '') AS target,
        node.step AS name,
        error.span_no IS NOT NULL AS failed,
        -- An answer that says "no" is an answer: only what may pass by itself is tried again.
        error.span_no IS NOT NULL
        AND NOT coalesce(
            coalesce(field.http_status, error.error_type)
            IN ('404', '409', '410', '412', '422', '425', '400', '401', '403'),
            false
        )
        AND error.message NOT LIKE '%NoScript%' AS transient
    FROM named AS node
    SEMI JOIN repeated
        ON repeated.parent_no = node.parent_no
        AND repeated.service = node.service
        AND repeated.kind = node.kind
        AND coalesce(repeated.step = node.step, true)
    LEFT JOIN call USING (span_no)
    LEFT JOIN span_field AS field USING (span_no)
    LEFT JOIN span_error AS error USING (span_no)
    LEFT JOIN record_item AS item USING (span_no)
    WHERE node.kind IN ('CLIENT', 'PRODUCER', 'CONSUMER')
        -- Without an item, the next turn of a loop looks like another attempt.
        OR (node.kind = 'INTERNAL' AND item.item IS NOT NULL)
),
-- Of two that failed, the one that tells less of what it was for may have been for the same thing,
-- as far as neither tells otherwise: their groups may be one.
unclear AS (
    SELECT span_no
    FROM (
        SELECT *, bit_and(told) OVER (PARTITION BY parent_no, service, kind, name) AS all_tell
        FROM (
            SELECT
                *,
                list_sum(list_transform(
                    parts, lambda part, place: CASE WHEN part IS NULL THEN 0 ELSE 1 << (place - 1) END
                ))::BIGINT AS told
            FROM candidate
            WHERE transient
        )
    )
    WINDOW alike AS (
        PARTITION BY parent_no, service, kind, name, list_transform(
            parts, lambda part, place: CASE WHEN all_tell & (1 << (place - 1)) > 0 THEN part END
        )
    )
    QUALIFY min(told) OVER alike <> max(told) OVER alike
),
followed AS (
    SELECT
        *,
        coalesce(
            lag(transient) OVER same_thing
            AND start_ns >= lag(end_ns) OVER same_thing - 5000000,
            false
        ) AS follows
    FROM candidate
    WINDOW same_thing AS (
        PARTITION BY parent_no, service, kind, step, target
        ORDER BY start_ns, span_id
    )
),
sibling AS (
    SELECT
        span_no,
        span_id,
        failed,
        start_ns,
        sum(CASE WHEN follows THEN 0 ELSE 1 END) OVER (
            PARTITION BY parent_no, service, kind, step, target
            ORDER BY start_ns, span_id
        ) AS part,
        parent_no, service, kind, step, target
    FROM followed
),
-- Celery publishes the same message again from within the failed attempt.
nested AS (
    SELECT
        node.span_no,
        node.span_id,
        field.celery_state IN ('RETRY', 'FAILURE') OR error.span_no IS NOT NULL AS failed,
        node.start_ns,
        node.trace_no,
        field.message_id,
        node.name
    FROM node
    JOIN span_field AS field USING (span_no)
    LEFT JOIN span_error AS error USING (span_no)
    WHERE node.kind = 'CONSUMER' AND field.message_id IS NOT NULL AND node.start_ns IS NOT NULL
        AND (field.celery_state IS NOT NULL)
),
-- What comes again although it went well is another delivery, and no attempt.
parted AS (
    SELECT
        *,
        count(*) FILTER (NOT coalesce(failed_before, false)) OVER (
            PARTITION BY trace_no, message_id, name
            ORDER BY start_ns, span_id
        ) AS part
    FROM (
        SELECT
            *,
            lag(failed) OVER (
                PARTITION BY trace_no, message_id, name
                ORDER BY start_ns, span_id
            ) AS failed_before
        FROM nested
    )
),
grouped AS (
    SELECT
        span_no, span_id, failed, start_ns, 'siblings' AS how,
        min(span_no) OVER (PARTITION BY parent_no, service, kind, step, target, part) AS group_no
    FROM sibling
    UNION ALL
    SELECT
        span_no, span_id, failed, start_ns, 'nested',
        min(span_no) OVER (PARTITION BY trace_no, message_id, name, part)
    FROM parted
)
SELECT
    span_no,
    group_no,
    row_number() OVER attempts AS number,
    count(*) OVER whole AS attempts,
    failed,
    NOT last_value(failed) OVER whole AS recovered,
    how,
    bool_or(unclear.span_no IS NOT NULL) OVER whole AS unclear
FROM grouped
LEFT JOIN unclear USING (span_no)
WINDOW
    attempts AS (PARTITION BY how, group_no ORDER BY start_ns, span_id),
    whole AS (
        PARTITION BY how, group_no
        ORDER BY start_ns, span_id
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    )
QUALIFY count(*) OVER whole > 1
