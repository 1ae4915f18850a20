-- table: span_field
-- One row a span: its logical fields, the stable attribute name first, then the older ones.
--   span_no             BIGINT   row number of the span
--   (fields)            VARCHAR  one column a logical field; NULL where no key of the field was sent
WITH chosen AS (
    SELECT
        attribute.span_no,
        field_key.field,
        arg_min(attribute.value, field_key.priority) AS value
    FROM stored.span_attribute AS attribute
    JOIN field_key ON field_key.key = attribute.key
    WHERE attribute.type <> 'empty'
    GROUP BY attribute.span_no, field_key.field
)
SELECT
    span_no,
    any_value(value) FILTER (field = 'peer_name') AS peer_name,
    any_value(value) FILTER (field = 'peer_address') AS peer_address,
    any_value(value) FILTER (field = 'peer_port') AS peer_port,
    any_value(value) FILTER (field = 'url_full') AS url_full,
    any_value(value) FILTER (field = 'url_path') AS url_path,
    any_value(value) FILTER (field = 'http_method') AS http_method,
    any_value(value) FILTER (field = 'http_status') AS http_status,
    any_value(value) FILTER (field = 'http_route') AS http_route,
    any_value(value) FILTER (field = 'db_system') AS db_system,
    any_value(value) FILTER (field = 'db_namespace') AS db_namespace,
    any_value(value) FILTER (field = 'db_operation') AS db_operation,
    any_value(value) FILTER (field = 'db_query') AS db_query,
    any_value(value) FILTER (field = 'db_collection') AS db_collection,
    any_value(value) FILTER (field = 'db_status') AS db_status,
    any_value(value) FILTER (field = 'rpc_system') AS rpc_system,
    any_value(value) FILTER (field = 'rpc_service') AS rpc_service,
    any_value(value) FILTER (field = 'rpc_method') AS rpc_method,
    any_value(value) FILTER (field = 'rpc_status') AS rpc_status,
    any_value(value) FILTER (field = 'messaging_system') AS messaging_system,
    any_value(value) FILTER (field = 'messaging_operation') AS messaging_operation,
    any_value(value) FILTER (field = 'destination') AS destination,
    any_value(value) FILTER (field = 'message_id') AS message_id,
    any_value(value) FILTER (field = 'message_type') AS message_type,
    any_value(value) FILTER (field = 'message_count') AS message_count,
    any_value(value) FILTER (field = 'consumer_group') AS consumer_group,
    any_value(value) FILTER (field = 'genai_operation') AS genai_operation,
    any_value(value) FILTER (field = 'genai_provider') AS genai_provider,
    any_value(value) FILTER (field = 'genai_model') AS genai_model,
    any_value(value) FILTER (field = 'object_bucket') AS object_bucket,
    any_value(value) FILTER (field = 'object_key') AS object_key,
    any_value(value) FILTER (field = 'function_name') AS function_name,
    any_value(value) FILTER (field = 'error_type') AS error_type,
    any_value(value) FILTER (field = 'provider_request_id') AS provider_request_id,
    any_value(value) FILTER (field = 'job_state') AS job_state,
    any_value(value) FILTER (field = 'celery_state') AS celery_state,
    any_value(value) FILTER (field = 'celery_delivery') AS celery_delivery,
    any_value(value) FILTER (field = 'trigger') AS trigger,
    any_value(value) FILTER (field = 'schedule') AS schedule,
    any_value(value) FILTER (field = 'pending') AS pending
FROM chosen
GROUP BY span_no
