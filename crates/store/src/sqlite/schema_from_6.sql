-- Sums belong to the server that wrote them. Those that are there are of the one that writes here now.
CREATE TABLE servers (
    server_key INTEGER PRIMARY KEY,
    server BLOB NOT NULL UNIQUE,
    position INTEGER NOT NULL
);
INSERT INTO servers SELECT 1, server, COALESCE((SELECT position FROM ingested i WHERE i.server = s.server), 0)
    FROM state s;
INSERT INTO servers SELECT NULL, server, position FROM ingested WHERE server NOT IN (SELECT server FROM servers);
DROP TABLE ingested;

CREATE TABLE new_rollups (
    rollup_id INTEGER PRIMARY KEY,
    tier INTEGER NOT NULL,
    start INTEGER NOT NULL,
    version_key INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    count INTEGER NOT NULL DEFAULT 0,
    errors INTEGER NOT NULL DEFAULT 0,
    fallbacks INTEGER NOT NULL DEFAULT 0,
    confidence_count INTEGER NOT NULL DEFAULT 0,
    confidence_sum REAL NOT NULL DEFAULT 0,
    confidence_sum_squares REAL NOT NULL DEFAULT 0,
    latency_sum_ns INTEGER NOT NULL DEFAULT 0,
    latency_sum_squares_ms REAL NOT NULL DEFAULT 0,
    latency BLOB NOT NULL DEFAULT x'',
    labelled INTEGER NOT NULL DEFAULT 0,
    correct INTEGER NOT NULL DEFAULT 0,
    rejected INTEGER NOT NULL DEFAULT 0,
    hashed INTEGER NOT NULL DEFAULT 0,
    kept_hash INTEGER NOT NULL DEFAULT 0,
    row_hash INTEGER,
    content_hash INTEGER NOT NULL DEFAULT 0,
    server_key INTEGER NOT NULL,
    UNIQUE (tier, start, version_key, epoch, server_key)
);
INSERT INTO new_rollups SELECT
    rollup_id, tier, start, version_key, epoch, count, errors, fallbacks, confidence_count,
    confidence_sum, confidence_sum_squares, latency_sum_ns, latency_sum_squares_ms, latency, labelled,
    correct, rejected, hashed, kept_hash, row_hash, content_hash, 1
    FROM rollups;
DROP TABLE rollups;
ALTER TABLE new_rollups RENAME TO rollups;
CREATE INDEX rollups_by_version ON rollups (version_key);

CREATE TABLE new_evidence (
    evidence_id INTEGER PRIMARY KEY,
    experiment_key INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    version_key INTEGER NOT NULL,
    metric INTEGER NOT NULL,
    start INTEGER NOT NULL,
    units INTEGER NOT NULL DEFAULT 0,
    count INTEGER NOT NULL DEFAULT 0,
    sum REAL NOT NULL DEFAULT 0,
    sum_squares REAL NOT NULL DEFAULT 0,
    sum_count_squares REAL NOT NULL DEFAULT 0,
    sum_products REAL NOT NULL DEFAULT 0,
    value_count INTEGER NOT NULL DEFAULT 0,
    value_units INTEGER NOT NULL DEFAULT 0,
    events INTEGER NOT NULL DEFAULT 0,
    row_hash INTEGER,
    exact BLOB NOT NULL DEFAULT x'',
    server_key INTEGER NOT NULL,
    UNIQUE (experiment_key, epoch, version_key, metric, start, server_key)
);
INSERT INTO new_evidence SELECT
    evidence_id, experiment_key, epoch, version_key, metric, start, units, count, sum, sum_squares,
    sum_count_squares, sum_products, value_count, value_units, events, row_hash, exact, 1
    FROM evidence;
DROP TABLE evidence;
ALTER TABLE new_evidence RENAME TO evidence;

-- Rows say from which place of which journal they come; those that are there do not know.
ALTER TABLE predictions ADD COLUMN server_key INTEGER;
ALTER TABLE predictions ADD COLUMN position INTEGER;
ALTER TABLE feedback ADD COLUMN server_key INTEGER;
ALTER TABLE feedback ADD COLUMN position INTEGER;
CREATE INDEX feedback_by_position ON feedback (server_key, position) WHERE position IS NOT NULL;
CREATE TABLE stretches (
    server_key INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    lowest INTEGER NOT NULL,
    highest INTEGER NOT NULL,
    PRIMARY KEY (server_key, first)
) WITHOUT ROWID;
