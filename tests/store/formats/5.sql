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
    signal VARCHAR NOT NULL,        -- 'traces', 'logs', 'metrics' or 'alerts'
    requests BIGINT NOT NULL,
    received BIGINT NOT NULL,       -- spans, log records, data points or alerts
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
    until_ns UBIGINT NOT NULL,      -- nothing of what was removed had come later
    instances BIGINT NOT NULL,      -- 0: the rest of instances that were removed before
    traces BIGINT NOT NULL,
    spans BIGINT NOT NULL,
    logs BIGINT NOT NULL,
    points BIGINT NOT NULL,
    alerts BIGINT NOT NULL
);

-- One row a trace that was removed of late: what else comes of it is removed too.
CREATE TABLE stored.pruned_trace (
    trace_id BLOB NOT NULL,
    pruned_ns UBIGINT NOT NULL
);

-- One row a time that records which had been acknowledged were missing when the file was opened.
CREATE TABLE stored.loss (
    found_ns UBIGINT NOT NULL,
    records BIGINT NOT NULL
);

-- One row a distinct metric: what its points have in common, wherever they came from.
CREATE TABLE stored.metric (
    metric_id UBIGINT NOT NULL,
    name VARCHAR NOT NULL,
    description VARCHAR NOT NULL,
    unit VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,          -- gauge, sum, histogram, exponential_histogram or summary
    temporality INTEGER,            -- as sent; NULL where the kind has none
    is_monotonic BOOLEAN            -- of sums alone
);

CREATE TABLE stored.metric_attribute (
    metric_id UBIGINT NOT NULL,
    key VARCHAR NOT NULL,
    type VARCHAR NOT NULL,
    value VARCHAR
);

-- One row a data point; NULL is what points of its kind do not have, or what may lack and did.
CREATE TABLE stored.metric_point (
    point_no BIGINT NOT NULL,
    request_no BIGINT NOT NULL,
    received_ns UBIGINT NOT NULL,
    resource_id UBIGINT NOT NULL,
    scope_id UBIGINT NOT NULL,
    metric_id UBIGINT NOT NULL,
    start_ns UBIGINT NOT NULL,
    time_ns UBIGINT NOT NULL,
    flags UINTEGER NOT NULL,
    int_value BIGINT,
    double_value DOUBLE,
    count UBIGINT,
    sum DOUBLE,
    min DOUBLE,
    max DOUBLE,
    bucket_counts UBIGINT[],
    bounds DOUBLE[],
    scale INTEGER,
    zero_count UBIGINT,
    zero_threshold DOUBLE,
    positive_offset INTEGER,
    positive_counts UBIGINT[],
    negative_offset INTEGER,
    negative_counts UBIGINT[],
    quantiles DOUBLE[],
    quantile_values DOUBLE[],
    identity UBIGINT NOT NULL
);

CREATE TABLE stored.point_value (
    point_no BIGINT NOT NULL,
    key_no UINTEGER NOT NULL,
    value VARCHAR
);

CREATE VIEW stored.point_attribute AS
SELECT attribute.point_no, name.key, name.type, attribute.value
FROM stored.point_value AS attribute
JOIN stored.attribute_key AS name USING (key_no);

CREATE TABLE stored.exemplar (
    exemplar_no BIGINT NOT NULL,
    point_no BIGINT NOT NULL,
    time_ns UBIGINT NOT NULL,
    int_value BIGINT,
    double_value DOUBLE,
    trace_id BLOB NOT NULL,         -- as sent, also what is no id
    span_id BLOB NOT NULL
);

CREATE TABLE stored.exemplar_value (
    exemplar_no BIGINT NOT NULL,
    key_no UINTEGER NOT NULL,
    value VARCHAR
);

CREATE VIEW stored.exemplar_attribute AS
SELECT attribute.exemplar_no, name.key, name.type, attribute.value
FROM stored.exemplar_value AS attribute
JOIN stored.attribute_key AS name USING (key_no);

-- One row a distinct alert that Alertmanager told of: what fired and what was resolved are two.
CREATE TABLE stored.alert (
    alert_no BIGINT NOT NULL,
    notification_no BIGINT NOT NULL,    -- the alerts of one webhook share it
    received_ns UBIGINT NOT NULL,
    status VARCHAR NOT NULL,            -- firing or resolved
    starts_ns UBIGINT,                  -- NULL: none was sent
    ends_ns UBIGINT,                    -- NULL: not known yet
    fingerprint VARCHAR NOT NULL,
    generator_url VARCHAR NOT NULL,
    labels VARCHAR NOT NULL,            -- JSON object of texts, as annotations
    annotations VARCHAR NOT NULL,
    receiver VARCHAR NOT NULL,
    group_key VARCHAR NOT NULL,
    notification VARCHAR NOT NULL,      -- JSON object: the rest of the webhook's body
    identity UBIGINT NOT NULL
);
