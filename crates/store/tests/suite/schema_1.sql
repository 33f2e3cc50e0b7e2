CREATE TABLE models (
    name TEXT PRIMARY KEY,
    salt TEXT NOT NULL,
    revision INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    fallback INTEGER NOT NULL
);

-- A deleted version keeps its row, so that its key is never given again.
CREATE TABLE versions (
    version_key INTEGER PRIMARY KEY AUTOINCREMENT,
    model_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL REFERENCES models (name),
    version TEXT NOT NULL,
    description TEXT NOT NULL,
    accuracy REAL NOT NULL,
    tags TEXT NOT NULL,
    runtime TEXT NOT NULL,
    status TEXT NOT NULL,
    traffic_percent REAL NOT NULL,
    created_at INTEGER NOT NULL,
    activated_at INTEGER,
    deleted_at INTEGER,
    purged_at INTEGER
);
CREATE UNIQUE INDEX versions_by_name ON versions (name, version) WHERE deleted_at IS NULL;

CREATE TABLE aliases (
    name TEXT NOT NULL,
    alias TEXT NOT NULL,
    version_key INTEGER NOT NULL REFERENCES versions (version_key),
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (name, alias)
);

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    action TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT,
    revision INTEGER NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX audit_by_name ON audit (name, id);
CREATE TRIGGER audit_is_never_updated BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

-- prediction_order and random are the two parts of a prediction's id (a UUID version 7). The
-- first is unique and ascends with time, so it is the key: no index is kept for the id, and a
-- window of time is a range of keys.
CREATE TABLE predictions (
    prediction_order INTEGER PRIMARY KEY,
    random INTEGER NOT NULL,
    version_key INTEGER NOT NULL,
    served_key INTEGER,             -- who answered
    status INTEGER NOT NULL,        -- 0 ok, 1 fallback, 2 error
    reason INTEGER NOT NULL,        -- 0 weights, 1 pinned
    epoch INTEGER NOT NULL,
    propensity REAL NOT NULL,
    unit_id TEXT,
    input_kind INTEGER NOT NULL,    -- 0 text, 1 JSON
    input TEXT NOT NULL,
    prediction TEXT,                -- JSON
    confidence REAL,
    latency_ns INTEGER NOT NULL,
    error TEXT
);
CREATE INDEX predictions_by_version ON predictions (version_key);
CREATE INDEX predictions_failed ON predictions (status) WHERE status <> 0;

CREATE TABLE rollups (
    tier INTEGER NOT NULL,          -- 0 total, 1 day, 2 hour, 3 minute
    start INTEGER NOT NULL,         -- seconds since 1970
    version_key INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    count INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    fallbacks INTEGER NOT NULL,
    confidence_count INTEGER NOT NULL,
    confidence_sum REAL NOT NULL,
    confidence_sum_squares REAL NOT NULL,
    latency_sum_ns INTEGER NOT NULL,
    latency_sum_squares_ms REAL NOT NULL,
    latency BLOB NOT NULL,          -- distances between buckets and counts, as LEB128
    PRIMARY KEY (tier, start, version_key, epoch)
);
CREATE INDEX rollups_by_version ON rollups (version_key);

-- One row: minutes before the horizon have been folded away; probes counts writes that only
-- asked whether writing works.
CREATE TABLE state (
    minute_horizon INTEGER NOT NULL,
    probes INTEGER NOT NULL
);
INSERT INTO state VALUES (0, 0);
