-- table: delivery
-- One row a time that a message was processed, and the span that sent it as far as that is known.
--   span_no        BIGINT   row number of the span that processed it
--   instance_no    BIGINT   row number of the workflow instance
--   creation_no    BIGINT   row number of the span that sent it; NULL: not stored, or nobody is named
--   has_context    BOOLEAN  the span names whom it came from, stored or not
--   destination    VARCHAR  where it lay; '' where nothing tells
--   message_type   VARCHAR  task or message type; '' where nothing tells
--   consumer_group VARCHAR  '' where none is named
--   service        VARCHAR  who processed it
--   instance_id    VARCHAR  the process; NULL where nothing tells
--   start_ns       BIGINT   nanoseconds since 1970
--   end_ns         BIGINT   NULL where unusable
--   failed         BOOLEAN  the processing failed
--   number         BIGINT   1 for the first delivery of what that span sent, within the consumer group
--   is_again       BOOLEAN  it was delivered before, by what is stored or by its own word
WITH linked AS (
    SELECT link.span_no, min(target.span_no) AS creation_no
    FROM linked_span AS link
    JOIN node AS target ON target.span_no = link.linked_no
    WHERE target.kind IN ('PRODUCER', 'CLIENT')
    GROUP BY link.span_no
),
-- A span around a consumer's main loop takes no message: those that it came from name their own.
main_loop AS (
    SELECT DISTINCT around.span_no
    FROM (SELECT DISTINCT link.span_no FROM stored.span_link AS link) AS link
    JOIN node AS inside ON inside.span_no = link.span_no AND inside.kind = 'CONSUMER'
    JOIN node AS around ON around.span_no = inside.parent_no AND around.kind = 'CONSUMER'
    WHERE around.parent_no IS NULL
        AND around.missing_parent IS NULL
        AND around.span_no NOT IN (SELECT own.span_no FROM stored.span_link AS own)
),
processed AS (
    SELECT
        node.span_no,
        node.span_id,
        instance.instance_no,
        coalesce(
            CASE WHEN parent.kind IN ('PRODUCER', 'CLIENT') THEN parent.span_no END,
            linked.creation_no
        ) AS creation_no,
        node.parent_no IS NOT NULL OR node.missing_parent IS NOT NULL
            OR node.span_no IN (SELECT link.span_no FROM stored.span_link AS link)
            AS has_context,
        coalesce(field.destination, '') AS destination,
        coalesce(field.message_type, '') AS message_type,
        coalesce(field.consumer_group, '') AS consumer_group,
        node.service,
        node.instance_id,
        node.start_ns,
        node.end_ns,
        error.span_no IS NOT NULL AS failed,
        coalesce(field.celery_delivery LIKE '%''redelivered'': True%', false) AS says_again
    FROM node
    JOIN trace_instance AS instance USING (trace_no)
    LEFT JOIN span_field AS field USING (span_no)
    LEFT JOIN span_error AS error USING (span_no)
    LEFT JOIN node AS parent ON parent.span_no = node.parent_no
    LEFT JOIN linked ON linked.span_no = node.span_no
    WHERE node.kind = 'CONSUMER'
        AND node.start_ns IS NOT NULL
        AND coalesce(field.messaging_operation NOT IN ('receive', 'poll'), true)
        -- A span of each record inside of the span of its batch tells of one delivery twice.
        AND (coalesce(parent.kind <> 'CONSUMER', true) OR parent.span_no IN (SELECT main_loop.span_no FROM main_loop))
        AND node.span_no NOT IN (SELECT main_loop.span_no FROM main_loop)
)
SELECT
    span_no, instance_no, creation_no, has_context, destination, message_type, consumer_group,
    service, instance_id, start_ns, end_ns, failed,
    CASE WHEN creation_no IS NULL THEN 1 ELSE row_number() OVER sent END AS number,
    says_again OR (creation_no IS NOT NULL AND row_number() OVER sent > 1) AS is_again
FROM processed
WINDOW sent AS (PARTITION BY creation_no, consumer_group, service ORDER BY start_ns, span_id)
