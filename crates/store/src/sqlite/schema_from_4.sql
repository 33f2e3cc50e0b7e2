-- The journal stands before the database: how far it has been read, by the server that writes it. The
-- position is written with the rows that it counts.
CREATE TABLE ingested (
    server BLOB PRIMARY KEY,
    position INTEGER NOT NULL
) WITHOUT ROWID;

-- Positions of a journal that could not be read.
CREATE TABLE missing_positions (
    server BLOB NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    found_at INTEGER NOT NULL,
    PRIMARY KEY (server, first)
) WITHOUT ROWID;

-- Entries that the database can never take, as they stood in the journal.
CREATE TABLE set_aside (
    server BLOB NOT NULL,
    position INTEGER NOT NULL,
    reason TEXT NOT NULL,
    entry BLOB NOT NULL,
    set_aside_at INTEGER NOT NULL,
    PRIMARY KEY (server, position)
);

-- What became of requests with feedback whose callers did not wait, or were refused something.
CREATE TABLE receipts (
    receipt BLOB PRIMARY KEY,       -- a UUID version 7, so they sort by time
    outcome BLOB NOT NULL,
    awaited INTEGER NOT NULL        -- 1 where its caller was told all the same
) WITHOUT ROWID;

ALTER TABLE state ADD COLUMN server BLOB NOT NULL DEFAULT x'';
UPDATE state SET server = randomblob(16);
-- Entries of versions that were deleted before they were rows.
ALTER TABLE state ADD COLUMN entries_dropped INTEGER NOT NULL DEFAULT 0;

ALTER TABLE rollups ADD COLUMN rejected INTEGER NOT NULL DEFAULT 0;
-- What the plain sums leave out, where they are not exact.
ALTER TABLE evidence ADD COLUMN exact BLOB NOT NULL DEFAULT x'';
-- 0: sums of units are plain numbers; 1: exact ones.
ALTER TABLE experiment_units ADD COLUMN format INTEGER NOT NULL DEFAULT 0;
ALTER TABLE unit_journal ADD COLUMN format INTEGER NOT NULL DEFAULT 0;
