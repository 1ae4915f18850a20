-- table: sent_message
-- One row a message, or a batch of them, that was sent to a queue or a topic: the innermost
-- PRODUCER span of it, and what became of it.
--   span_no      BIGINT   row number of the PRODUCER span
--   instance_no  BIGINT   row number of the workflow instance
--   service      VARCHAR  who sent it
--   destination  VARCHAR  where to
--   message_type VARCHAR  task or message type; '' where nothing tells
--   sent_ns      BIGINT   when it had been sent, nanoseconds since 1970
--   failed       BOOLEAN  it could not be sent
--   messages     BIGINT   how many messages the span sent
--   processed    BIGINT   how many of them are known to have been processed
--   groups       BIGINT   consumer groups that processed it
--   started_ns   BIGINT   when it was first processed; NULL: no such span is stored
--   may_vanish   BOOLEAN  nobody need process it: it is not due yet, may expire, or a later one with its key came
WITH sent AS (
    SELECT
        call.span_no,
        instance.instance_no,
        call.parent_no,
        call.service,
        field.destination,
        coalesce(field.message_type, '') AS message_type,
        field.message_id,
        call.end_ns AS sent_ns,
        call.failed,
        greatest(1, coalesce(try_cast(field.message_count AS BIGINT), 1)) AS messages
    FROM call
    JOIN trace_instance AS instance USING (trace_no)
    JOIN span_field AS field USING (span_no)
    WHERE call.kind = 'PRODUCER'
        AND call.is_innermost
        AND field.destination IS NOT NULL
        AND call.end_ns IS NOT NULL
        -- What was created is on its way only once it is sent.
        AND coalesce(field.messaging_operation <> 'create', true)
),
-- Of two spans of one send, the message may carry the outer one.
context AS (
    SELECT span_no, span_no AS creation_no
    FROM sent
    UNION ALL
    SELECT sent.span_no, around.span_no
    FROM sent
    JOIN node AS around ON around.span_no = sent.parent_no
    JOIN span_field AS field ON field.span_no = around.span_no
    WHERE around.kind = 'PRODUCER' AND field.message_id = sent.message_id
),
-- A message that names nobody is the only one that was sent with its id.
by_id AS (
    SELECT message_id, min(span_no) AS span_no
    FROM sent
    WHERE message_id <> ''
    GROUP BY message_id
    HAVING count(*) = 1
),
received AS (
    SELECT context.span_no, delivery.span_no AS delivery_no
    FROM delivery
    JOIN context USING (creation_no)
    UNION
    SELECT context.span_no, link.span_no
    FROM linked_span AS link
    JOIN context ON context.creation_no = link.linked_no
    WHERE link.span_no IN (SELECT delivery.span_no FROM delivery)
    UNION
    SELECT by_id.span_no, delivery.span_no
    FROM delivery
    JOIN span_field AS field USING (span_no)
    JOIN by_id USING (message_id)
    WHERE NOT delivery.has_context
),
outcome AS (
    SELECT
        received.span_no,
        greatest(count(*), max(coalesce(try_cast(field.message_count AS BIGINT), 1)))::BIGINT
            AS processed,
        count(DISTINCT delivery.consumer_group) AS groups,
        min(delivery.start_ns) AS started_ns
    FROM received
    JOIN delivery ON delivery.span_no = received.delivery_no
    LEFT JOIN span_field AS field ON field.span_no = received.delivery_no
    GROUP BY received.span_no
),
timed AS (
    SELECT DISTINCT span_no
    FROM stored.span_attribute
    WHERE key IN (
        'celery.eta',
        'celery.expires',
        'messaging.rocketmq.message.delivery_timestamp',
        'messaging.rocketmq.message.delay_time_level'
    )
        AND value NOT IN ('', 'None')
),
keyed AS (
    SELECT sent.span_no, sent.destination, sent.sent_ns, attribute.value AS key,
        outcome.started_ns IS NOT NULL AS is_processed
    FROM sent
    JOIN stored.span_attribute AS attribute USING (span_no)
    LEFT JOIN outcome USING (span_no)
    WHERE attribute.key = 'messaging.kafka.message.key'
),
-- A compacted topic keeps the last message of a key.
superseded AS (
    SELECT early.span_no
    FROM keyed AS early
    JOIN (
        SELECT destination, key, max(sent_ns) AS last_ns
        FROM keyed
        WHERE is_processed
        GROUP BY destination, key
    ) AS late ON late.destination = early.destination AND late.key = early.key
    WHERE late.last_ns > early.sent_ns
)
SELECT
    sent.span_no,
    sent.instance_no,
    sent.service,
    sent.destination,
    sent.message_type,
    sent.sent_ns,
    sent.failed,
    sent.messages,
    coalesce(outcome.processed, 0) AS processed,
    coalesce(outcome.groups, 0) AS groups,
    outcome.started_ns,
    timed.span_no IS NOT NULL OR sent.span_no IN (SELECT superseded.span_no FROM superseded)
        AS may_vanish
FROM sent
LEFT JOIN outcome USING (span_no)
LEFT JOIN timed USING (span_no)
