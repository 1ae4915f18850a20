-- From format 4 to 5: until when was pruned, points and alerts too, and which traces. No version
-- before pruned anything.
DROP TABLE stored.pruning;

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
