-- From format 2 to 3: which store it is, and what of it was redacted, pruned and lost.
ALTER TABLE stored.format RENAME TO format_2;

CREATE TABLE stored.format (
    version INTEGER NOT NULL,
    created_by VARCHAR NOT NULL,
    store_id VARCHAR NOT NULL
);

INSERT INTO stored.format
SELECT version, created_by, uuid()::VARCHAR
FROM stored.format_2;

DROP TABLE stored.format_2;

CREATE TABLE stored.redaction (
    received_ns UBIGINT NOT NULL,
    redacted BIGINT NOT NULL
);

CREATE TABLE stored.pruning (
    pruned_ns UBIGINT NOT NULL,
    instances BIGINT NOT NULL,
    traces BIGINT NOT NULL,
    spans BIGINT NOT NULL,
    logs BIGINT NOT NULL
);

CREATE TABLE stored.loss (
    found_ns UBIGINT NOT NULL,
    records BIGINT NOT NULL
);
