"""Attribute keys of each logical field, the current name first, then the older and the others.

Source: the OpenTelemetry semantic conventions (1.44.0) and their schema files for what was renamed;
framework keys as their instrumentations were seen to set them.
"""

from typing import Final

# The first key that a span carries gives the field its value.
FIELD_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "peer_name": ("service.peer.name", "peer.service"),
    "peer_address": (
        "server.address",
        "net.peer.name",
        "http.host",
        "network.peer.address",
        "net.sock.peer.addr",
        "net.peer.ip",
    ),
    "peer_port": ("server.port", "net.peer.port", "network.peer.port", "net.sock.peer.port"),
    "url_full": ("url.full", "http.url"),
    "url_path": ("url.path", "http.target"),
    "http_method": ("http.request.method", "http.method"),
    "http_status": ("http.response.status_code", "http.status_code"),
    "http_route": ("http.route", "url.template"),
    "db_system": ("db.system.name", "db.system"),
    "db_namespace": (
        "db.namespace",
        "db.name",
        "db.redis.database_index",
        "db.cassandra.keyspace",
    ),
    "db_operation": ("db.operation.name", "db.operation"),
    "db_query": ("db.query.summary", "db.query.text", "db.statement"),
    "db_collection": (
        "db.collection.name",
        "db.sql.table",
        "db.mongodb.collection",
        "db.cassandra.table",
    ),
    "db_status": ("db.response.status_code",),
    "rpc_system": ("rpc.system.name", "rpc.system"),
    "rpc_service": ("rpc.service",),
    "rpc_method": ("rpc.method",),
    "rpc_status": (
        "rpc.status_code",
        "rpc.response.status_code",
        "rpc.grpc.status_code",
        "rpc.connect_rpc.error_code",
    ),
    "messaging_system": ("messaging.system",),
    "messaging_operation": (
        "messaging.operation.type",
        "messaging.operation",
        "messaging.operation.name",
        "celery.action",
    ),
    "destination": ("messaging.destination.name", "messaging.destination"),
    "message_id": ("messaging.message.id", "messaging.message_id", "messaging.id"),
    "message_type": ("celery.task_name", "messaging.destination.template"),
    "message_count": ("messaging.batch.message_count",),
    "consumer_group": (
        "messaging.consumer.group.name",
        "messaging.kafka.consumer.group",
        "messaging.kafka.consumer_group",
        "messaging.eventhubs.consumer.group",
        "messaging.rocketmq.client_group",
        "messaging.destination.subscription.name",
    ),
    "genai_operation": ("gen_ai.operation.name",),
    "genai_provider": ("gen_ai.provider.name", "gen_ai.system"),
    "genai_model": ("gen_ai.request.model",),
    "object_bucket": ("aws.s3.bucket",),
    "object_key": ("aws.s3.key",),
    "function_name": ("faas.invoked_name",),
    "error_type": ("error.type",),
    "provider_request_id": (
        "aws.request_id",
        "aws.extended_request_id",
        "gen_ai.response.id",
        "http.response.header.x-request-id",
    ),
    "job_state": ("job.status", "job.state", "workflow.status"),
    "celery_state": ("celery.state",),
    "celery_delivery": ("celery.delivery_info",),
    "trigger": ("faas.trigger",),
    "schedule": ("faas.cron", "job.system", "scheduling.xxl-job.job.id"),
    "pending": ("logfire.span_type",),
}

# Keys that join traces and log records into one workflow instance, the most telling first.
CORRELATION_KEYS: Final[tuple[str, ...]] = (
    "job.id",
    "job_id",
    "workflow.id",
    "workflow_id",
    "batch.id",
    "batch_id",
    "temporalWorkflowID",
    "correlation_id",
    "correlation.id",
    "correlationId",
    "x-correlation-id",
    "x_correlation_id",
    "http.request.header.x-correlation-id",
    "http.request.header.x_correlation_id",
    "x_request_id",
    "x-request-id",
    "request_id",
    "request.id",
    "client.request.id",
    "http.request.header.x-request-id",
    "http.request.header.x_request_id",
    "http.request.header.x-amzn-trace-id",
    "messaging.message.conversation_id",
    "messaging.conversation_id",
    "gen_ai.conversation.id",
)

# Keys whose values name one unit of work on a record: what an error should say it happened to.
UNIT_KEYS: Final[tuple[str, ...]] = (
    "job.id",
    "job_id",
    "task.id",
    "workflow.id",
    "workflow_id",
    "batch.id",
    "batch_id",
    "order.id",
    "asset.id",
    "item.id",
    "item.index",
    "document.id",
    "faas.document.name",
    "aws.s3.key",
    "messaging.message.id",
    "messaging.message_id",
)

# Of those, the keys that name one item of a job, the most telling first.
ITEM_KEYS: Final[tuple[str, ...]] = (
    "item.id",
    "asset.id",
    "document.id",
    "order.id",
    "item.index",
    "faas.document.name",
)

# Keys that say what state a job or an item is in, and of which of the two they speak; '' speaks of
# the most specific unit that the record names. How a task or a call ended (`celery.state`, an HTTP
# status) is the state of an execution, and of no job.
STATE_KEYS: Final[dict[str, str]] = {
    "job.status": "job",
    "job.state": "job",
    "workflow.status": "job",
    "workflow.state": "job",
    "batch.status": "job",
    "item.status": "item",
    "item.state": "item",
    "status": "",
    "state": "",
}

# The closed list of states: what services say, and the state that is meant.
STATES: Final[dict[str, str]] = {
    word: state
    for state, words in {
        "queued": "queued pending created accepted scheduled waiting enqueued",
        "processing": "processing running in_progress started active working",
        "retrying": "retrying retry",
        "completed": "completed complete done succeeded success finished ready",
        "partial": "partial partially_completed partially_failed completed_with_errors"
        " partial_success",
        "failed": "failed failure error errored dead",
        "timeout": "timeout timed_out expired",
        "cancelled": "cancelled canceled aborted",
        "skipped": "skipped deferred",
    }.items()
    for word in words.split()
}

# States from which a job or an item goes nowhere by itself.
FINAL_STATES: Final[tuple[str, ...]] = ("completed", "partial", "failed", "timeout", "cancelled")

# Scopes of frameworks whose log records never carry a trace id; shown beside, not judged.
UNCORRELATED_SCOPES: Final[tuple[str, ...]] = (
    "celery.worker",
    "celery.app",
    "celery.beat",
    "celery.bootsteps",
    "celery.pool",
    "werkzeug",
    "uvicorn.access",
    "uvicorn.error",
    "gunicorn.access",
    "gunicorn.error",
    "kombu",
    # Exporters speak from threads of their own.
    "opentelemetry",
    "io.opentelemetry",
)

# Keys that the conventions gave up, and what took their place.
DEPRECATED_KEYS: Final[dict[str, str]] = {
    "code.filepath": "code.file.path",
    "code.function": "code.function.name",
    "code.lineno": "code.line.number",
    "db.cassandra.table": "db.collection.name",
    "db.mongodb.collection": "db.collection.name",
    "db.name": "db.namespace",
    "db.operation": "db.operation.name",
    "db.redis.database_index": "db.namespace",
    "db.sql.table": "db.collection.name",
    "db.statement": "db.query.text",
    "db.system": "db.system.name",
    "faas.execution": "faas.invocation_id",
    "gen_ai.system": "gen_ai.provider.name",
    "gen_ai.usage.completion_tokens": "gen_ai.usage.output_tokens",
    "gen_ai.usage.prompt_tokens": "gen_ai.usage.input_tokens",
    "http.client_ip": "client.address",
    "http.flavor": "network.protocol.version",
    "http.host": "server.address",
    "http.method": "http.request.method",
    "http.request_content_length": "http.request.body.size",
    "http.resend_count": "http.request.resend_count",
    "http.response_content_length": "http.response.body.size",
    "http.scheme": "url.scheme",
    "http.status_code": "http.response.status_code",
    "http.target": "url.path",
    "http.url": "url.full",
    "http.user_agent": "user_agent.original",
    "messaging.conversation_id": "messaging.message.conversation_id",
    "messaging.destination": "messaging.destination.name",
    "messaging.kafka.consumer.group": "messaging.consumer.group.name",
    "messaging.kafka.message.offset": "messaging.kafka.offset",
    "messaging.message_id": "messaging.message.id",
    "messaging.operation": "messaging.operation.type",
    "net.host.name": "server.address",
    "net.host.port": "server.port",
    "net.peer.ip": "network.peer.address",
    "net.peer.name": "server.address",
    "net.peer.port": "server.port",
    "net.protocol.name": "network.protocol.name",
    "net.protocol.version": "network.protocol.version",
    "net.sock.peer.addr": "network.peer.address",
    "net.sock.peer.port": "network.peer.port",
    "net.transport": "network.transport",
    "peer.service": "service.peer.name",
    "rpc.grpc.status_code": "rpc.response.status_code",
    "rpc.system": "rpc.system.name",
}

# Keys of which the conventions fix the type, and which SDKs were seen to send otherwise.
KEY_TYPES: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            "client.port",
            "db.operation.batch.size",
            "db.response.returned_rows",
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.output_tokens",
            "http.request.body.size",
            "http.request.resend_count",
            "http.response.body.size",
            "http.response.status_code",
            "messaging.batch.message_count",
            "network.peer.port",
            "server.port",
        ),
        "int",
    ),
    **dict.fromkeys(
        (
            "db.collection.name",
            "db.namespace",
            "db.operation.name",
            "db.query.text",
            "db.response.status_code",
            "db.system.name",
            "error.type",
            "http.request.method",
            "http.route",
            "messaging.destination.name",
            "messaging.message.id",
            "messaging.system",
            "server.address",
            "url.full",
            "url.path",
            "user_agent.original",
        ),
        "string",
    ),
}

# An attribute that a processor copied from baggage may keep this prefix.
BAGGAGE_PREFIX: Final = "baggage."
