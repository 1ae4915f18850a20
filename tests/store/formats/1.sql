-- The tables of a store. Telemetry is kept as it came; everything else is derived when it is read.
-- `identity` and the ids of resources and scopes are 64-bit hashes of the decoded content.

CREATE SCHEMA stored;

-- One row: which layout this file has.
CREATE TABLE stored.format (
    version INTEGER NOT NULL,
    created_by VARCHAR NOT NULL
);

-- One row a writer's life. `ended_ns` is NULL while it runs and for ever if it was killed.
CREATE TABLE stored.session (
    session_no BIGINT NOT NULL,
    kind VARCHAR NOT NULL,          -- 'serve' or 'import'
    started_ns UBIGINT NOT NULL,
    ended_ns UBIGINT
);

-- One row a commit and signal: what came, and what became of it.
CREATE TABLE stored.delivery (
    session_no BIGINT NOT NULL,
    received_ns UBIGINT NOT NULL,
    source VARCHAR NOT NULL,        -- 'serve', or the file that was imported
    signal VARCHAR NOT NULL,        -- 'traces', 'logs' or 'metrics'
    requests BIGINT NOT NULL,
    received BIGINT NOT NULL,       -- spans, log records or data points
    stored BIGINT NOT NULL,
    duplicates BIGINT NOT NULL,
    rejected BIGINT NOT NULL        -- refused by name: ids that are none
);

CREATE TABLE stored.resource (
    resource_id UBIGINT NOT NULL,
    schema_url VARCHAR NOT NULL,
    dropped_attributes UINTEGER NOT NULL
);

CREATE TABLE stored.resource_attribute (
    resource_id UBIGINT NOT NULL,
    key VARCHAR NOT NULL,
    type VARCHAR NOT NULL,
    value VARCHAR
);

CREATE TABLE stored.scope (
    scope_id UBIGINT NOT NULL,
    name VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    schema_url VARCHAR NOT NULL,
    dropped_attributes UINTEGER NOT NULL
);

CREATE TABLE stored.scope_attribute (
    scope_id UBIGINT NOT NULL,
    key VARCHAR NOT NULL,
    type VARCHAR NOT NULL,
    value VARCHAR
);

CREATE TABLE stored.span (
    span_no BIGINT NOT NULL,
    request_no BIGINT NOT NULL,
    received_ns UBIGINT NOT NULL,
    resource_id UBIGINT NOT NULL,
    scope_id UBIGINT NOT NULL,
    trace_id BLOB NOT NULL,
    span_id UBIGINT NOT NULL,
    parent_span_id UBIGINT,
    trace_state VARCHAR NOT NULL,
    flags UINTEGER NOT NULL,
    name VARCHAR NOT NULL,
    kind INTEGER NOT NULL,
    start_ns UBIGINT NOT NULL,
    end_ns UBIGINT NOT NULL,
    status_code INTEGER NOT NULL,
    status_message VARCHAR NOT NULL,
    dropped_attributes UINTEGER NOT NULL,
    dropped_events UINTEGER NOT NULL,
    dropped_links UINTEGER NOT NULL,
    identity UBIGINT NOT NULL
);

CREATE TABLE stored.span_attribute (
    span_no BIGINT NOT NULL,
    key VARCHAR NOT NULL,
    type VARCHAR NOT NULL,
    value VARCHAR
);

CREATE TABLE stored.span_event (
    event_no BIGINT NOT NULL,
    span_no BIGINT NOT NULL,
    time_ns UBIGINT NOT NULL,
    name VARCHAR NOT NULL,
    dropped_attributes UINTEGER NOT NULL
);

CREATE TABLE stored.event_attribute (
    event_no BIGINT NOT NULL,
    key VARCHAR NOT NULL,
    type VARCHAR NOT NULL,
    value VARCHAR
);

CREATE TABLE stored.span_link (
    link_no BIGINT NOT NULL,
    span_no BIGINT NOT NULL,
    trace_id BLOB NOT NULL,
    span_id BLOB NOT NULL,
    trace_state VARCHAR NOT NULL,
    flags UINTEGER NOT NULL,
    dropped_attributes UINTEGER NOT NULL
);

CREATE TABLE stored.link_attribute (
    link_no BIGINT NOT NULL,
    key VARCHAR NOT NULL,
    type VARCHAR NOT NULL,
    value VARCHAR
);

CREATE TABLE stored.log_record (
    log_no BIGINT NOT NULL,
    request_no BIGINT NOT NULL,
    received_ns UBIGINT NOT NULL,
    resource_id UBIGINT NOT NULL,
    scope_id UBIGINT NOT NULL,
    time_ns UBIGINT NOT NULL,
    observed_ns UBIGINT NOT NULL,
    severity_number INTEGER NOT NULL,
    severity_text VARCHAR NOT NULL,
    event_name VARCHAR NOT NULL,
    body_type VARCHAR NOT NULL,
    body VARCHAR,
    trace_id BLOB,
    span_id UBIGINT,
    flags UINTEGER NOT NULL,
    dropped_attributes UINTEGER NOT NULL,
    identity UBIGINT NOT NULL
);

CREATE TABLE stored.log_attribute (
    log_no BIGINT NOT NULL,
    key VARCHAR NOT NULL,
    type VARCHAR NOT NULL,
    value VARCHAR
);

-- One row an identical span that arrived again, and was not stored again.
CREATE TABLE stored.duplicate_span (
    identity UBIGINT NOT NULL,
    received_ns UBIGINT NOT NULL
);
