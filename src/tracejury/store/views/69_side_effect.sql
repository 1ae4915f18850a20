-- table: side_effect
-- One row a call that changes something at whom it calls, each time that it is made.
--   span_no      BIGINT   row number of the span
--   instance_no  BIGINT   row number of the workflow instance
--   item         VARCHAR  the item that it was made for; '' where none is named
--   service      VARCHAR  who called
--   target       VARCHAR  who was called
--   operation    VARCHAR  what was asked, with the ids in it
--   key          VARCHAR  idempotency key that was sent along; '' where none was recorded
--   start_ns     BIGINT   nanoseconds since 1970
--   is_answered  BOOLEAN  the caller got the answer that it was done
--   is_ambiguous BOOLEAN  the caller gave up or was cut off: it may have been done
--   is_confirmed BOOLEAN  the half that answered is stored, and says that it was done
--   has_half     BOOLEAN  the half that answered is stored
WITH answer AS (
    SELECT
        node.parent_no AS span_no,
        bool_or(error.span_no IS NULL AND coalesce(try_cast(field.http_status AS INTEGER) < 400, true)
            AND node.end_ns IS NOT NULL) AS is_done
    FROM node
    LEFT JOIN span_field AS field USING (span_no)
    LEFT JOIN span_error AS error USING (span_no)
    WHERE node.kind = 'SERVER' AND node.parent_no IS NOT NULL
    GROUP BY node.parent_no
),
keyed AS (
    SELECT span_no, any_value(value) AS key
    FROM stored.span_attribute
    WHERE regexp_matches(key, 'idempotency[-_.]?key$', 'i')
    GROUP BY span_no
),
-- PUT, DELETE and upserts may be repeated by their nature.
asking AS (
    SELECT
        span_no,
        coalesce(http_method IN ('POST', 'PATCH'), false) AS by_method,
        regexp_matches(coalesce(db_operation, db_query, ''), '^\s*INSERT', 'i')
            AND NOT coalesce(regexp_matches(db_query, 'ON CONFLICT|ON DUPLICATE KEY', 'i'), false)
            AS by_insert
    FROM span_field
    WHERE by_method OR by_insert
)
SELECT
    call.span_no,
    call.instance_no,
    coalesce(record_item.item, '') AS item,
    call.service,
    call.target,
    coalesce(call.operation, call.name) AS operation,
    coalesce(keyed.key, '') AS key,
    call.start_ns::BIGINT AS start_ns,
    error.span_no IS NULL AS is_answered,
    error.span_no IS NOT NULL
        AND (coalesce(class.is_timeout OR class.is_cancellation, false)
            -- Some clients say only in the message how a connection ended.
            OR coalesce(regexp_matches(
                concat_ws(' ', class.short_type, error.message),
                'Reset|Aborted|Disconnected|RemoteProtocol', 'i'
            ), false))
        AS is_ambiguous,
    coalesce(answer.is_done, false) AS is_confirmed,
    answer.span_no IS NOT NULL AS has_half
FROM outgoing_call AS call
JOIN workflow_instance AS instance USING (instance_no)
LEFT JOIN asking USING (span_no)
LEFT JOIN span_error AS error USING (span_no)
LEFT JOIN error_class AS class USING (span_no)
LEFT JOIN answer USING (span_no)
LEFT JOIN keyed USING (span_no)
LEFT JOIN record_item ON record_item.span_no = call.span_no
WHERE NOT instance.background
    AND (asking.by_method OR (call.protocol = 'db' AND asking.by_insert) OR call.protocol = 'genai')
