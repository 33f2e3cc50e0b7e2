-- Roll-ups get a number; predictions lose their second indexes.
DROP INDEX predictions_by_version;
DROP INDEX predictions_failed;
DROP INDEX rollups_by_version;
ALTER TABLE rollups RENAME TO old_rollups;
CREATE TABLE rollups (
    rollup_id INTEGER PRIMARY KEY,
    tier INTEGER NOT NULL,          -- 0 total, 1 day, 2 hour, 3 minute
    start INTEGER NOT NULL,         -- seconds since 1970
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
    latency BLOB NOT NULL DEFAULT x'', -- distances between buckets and counts, as LEB128
    UNIQUE (tier, start, version_key, epoch)
);
CREATE INDEX rollups_by_version ON rollups (version_key);
INSERT INTO rollups (
    tier, start, version_key, epoch, count, errors, fallbacks, confidence_count, confidence_sum,
    confidence_sum_squares, latency_sum_ns, latency_sum_squares_ms, latency
)
SELECT
    tier, start, version_key, epoch, count, errors, fallbacks, confidence_count, confidence_sum,
    confidence_sum_squares, latency_sum_ns, latency_sum_squares_ms, latency
FROM old_rollups;
DROP TABLE old_rollups;
