-- owner: db
-- The schema's own tables. Tokens: {blob} = BLOB | BYTEA; {wr} = WITHOUT ROWID | nothing. Times are BIGINT milliseconds.
-- schema_info (version, min_reader, migrated) is made by the runner before the first migration.

-- Processes of a store, and what at most one of them may do at a time.
CREATE TABLE node (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    addr TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    beat BIGINT NOT NULL,
    version TEXT NOT NULL,
    draining BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE lock (
    name TEXT PRIMARY KEY,
    node_id BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    expires BIGINT NOT NULL
);

-- A transaction that may have been committed when its connection was lost: the row is there, or it is not.
CREATE TABLE landed (
    tx BIGINT PRIMARY KEY,
    at BIGINT NOT NULL
);
