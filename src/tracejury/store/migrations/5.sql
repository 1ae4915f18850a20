-- From format 5 to 6: what could not be read of a file is remembered.

CREATE TABLE stored.unread (
    received_ns UBIGINT NOT NULL,
    source VARCHAR NOT NULL,
    records BIGINT NOT NULL,
    position VARCHAR NOT NULL,      -- of the first of them
    reason VARCHAR NOT NULL
);
