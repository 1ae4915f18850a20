-- Owned by the web service; created once when the stand starts.
CREATE TABLE projects (
    id text PRIMARY KEY,
    owner text NOT NULL
);

CREATE TABLE jobs (
    id text PRIMARY KEY,
    kind text NOT NULL,
    project_id text NOT NULL REFERENCES projects,
    items jsonb NOT NULL DEFAULT '[]',
    status text NOT NULL DEFAULT 'queued',
    reason text,
    worker text,
    result_url text,
    retries int NOT NULL DEFAULT 0,
    deliveries int NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE assets (
    job_id text NOT NULL REFERENCES jobs,
    item_index int NOT NULL,
    item_id text NOT NULL,
    status text NOT NULL,
    object_key text,
    error text,
    PRIMARY KEY (job_id, item_index)
);

INSERT INTO projects VALUES ('spring', 'ann'), ('summer', 'ann'), ('autumn', 'bob');
