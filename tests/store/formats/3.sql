-- The tables of a store. Telemetry is kept as it came; everything else is derived when it is read.
-- `identity` and the ids of resources and scopes are 64-bit hashes of the decoded content.

CREATE SCHEMA stored;

-- One row: which layout this file has, and which store it is.
CREATE TABLE stored.format (
    version INTEGER NOT NULL,
    created_by VARCHAR NOT NULL,
    store_id VARCHAR NOT NULL
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

-- One row a key and type that any attribute of a span, event, link or log record has.
CREATE TABLE stored.attribute_key (
    key_no UINTEGER NOT NULL,
    key VARCHAR NOT NULL,
    type VARCHAR NOT NULL
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

CREATE TABLE stored.span_value (
    span_no BIGINT NOT NULL,
    key_no UINTEGER NOT NULL,
    value VARCHAR
);

CREATE VIEW stored.span_attribute AS
SELECT attribute.span_no, name.key, name.type, attribute.value
FROM stored.span_value AS attribute
JOIN stored.attribute_key AS name USING (key_no);

CREATE TABLE stored.span_event (
    event_no BIGINT NOT NULL,
    span_no BIGINT NOT NULL,
    time_ns UBIGINT NOT NULL,
    name VARCHAR NOT NULL,
    dropped_attributes UINTEGER NOT NULL
);

CREATE TABLE stored.event_value (
    event_no BIGINT NOT NULL,
    key_no UINTEGER NOT NULL,
    value VARCHAR
);

CREATE VIEW stored.event_attribute AS
SELECT attribute.event_no, name.key, name.type, attribute.value
FROM stored.event_value AS attribute
JOIN stored.attribute_key AS name USING (key_no);

CREATE TABLE stored.span_link (
    link_no BIGINT NOT NULL,
    span_no BIGINT NOT NULL,
    trace_id BLOB NOT NULL,
    span_id BLOB NOT NULL,
    trace_state VARCHAR NOT NULL,
    flags UINTEGER NOT NULL,
    dropped_attributes UINTEGER NOT NULL
);

CREATE TABLE stored.link_value (
    link_no BIGINT NOT NULL,
    key_no UINTEGER NOT NULL,
    value VARCHAR
);

CREATE VIEW stored.link_attribute AS
SELECT attribute.link_no, name.key, name.type, attribute.value
FROM stored.link_value AS attribute
JOIN stored.attribute_key AS name USING (key_no);

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

CREATE TABLE stored.log_value (
    log_no BIGINT NOT NULL,
    key_no UINTEGER NOT NULL,
    value VARCHAR
);

CREATE VIEW stored.log_attribute AS
SELECT attribute.log_no, name.key, name.type, attribute.value
FROM stored.log_value AS attribute
JOIN stored.attribute_key AS name USING (key_no);

-- One row an identical span that arrived again, and was not stored again.
CREATE TABLE stored.duplicate_span (
    identity UBIGINT NOT NULL,
    received_ns UBIGINT NOT NULL
);

-- One row a commit from which secrets were taken out: how many values were changed.
CREATE TABLE stored.redaction (
    received_ns UBIGINT NOT NULL,
    redacted BIGINT NOT NULL
);

-- One row a time that the oldest workflow instances were removed to keep within bounds.
CREATE TABLE stored.pruning (
    pruned_ns UBIGINT NOT NULL,
    instances BIGINT NOT NULL,
    traces BIGINT NOT NULL,
    spans BIGINT NOT NULL,
    logs BIGINT NOT NULL
);

-- One row a time that records which had been acknowledged were missing when the file was opened.
CREATE TABLE stored.loss (
    found_ns UBIGINT NOT NULL,
    records BIGINT NOT NULL
);
