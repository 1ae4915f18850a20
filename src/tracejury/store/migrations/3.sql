-- Metrics and alerts are stored.

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
