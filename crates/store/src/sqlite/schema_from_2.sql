-- Feedback, metrics, experiments and their evidence.
ALTER TABLE predictions ADD COLUMN experiment_key INTEGER;
ALTER TABLE rollups ADD COLUMN labelled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN correct INTEGER NOT NULL DEFAULT 0;
ALTER TABLE state ADD COLUMN feedback_dropped INTEGER NOT NULL DEFAULT 0;

CREATE TABLE metrics (
    name TEXT NOT NULL,
    metric TEXT NOT NULL,
    definition TEXT NOT NULL,       -- JSON
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (name, metric)
);

CREATE TABLE experiments (
    experiment_key INTEGER PRIMARY KEY AUTOINCREMENT,
    experiment_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    definition TEXT NOT NULL,       -- JSON
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    end_reason TEXT,
    history TEXT,                   -- what earlier looks have shown, JSON
    decided TEXT                    -- the results when it ended, JSON
);
CREATE UNIQUE INDEX one_experiment_runs ON experiments (name) WHERE status = 'running';

-- The published shares of the arms while an epoch of an experiment lasts.
CREATE TABLE experiment_epochs (
    experiment_key INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    shares TEXT NOT NULL,           -- JSON, the control first
    PRIMARY KEY (experiment_key, epoch)
);

-- Who was exposed to what first, and what was counted for whom. Predictions without a unit_id are
-- units of their own and have no row.
CREATE TABLE experiment_units (
    experiment_key INTEGER NOT NULL,
    unit INTEGER NOT NULL,          -- the first 64 bits of the SHA-256 of unit_id
    epoch INTEGER NOT NULL,
    version_key INTEGER NOT NULL,   -- of the first exposure in the epoch
    state BLOB NOT NULL,            -- by metric: stretches of exposure time with counts and sums
    PRIMARY KEY (experiment_key, unit, epoch)
) WITHOUT ROWID;

-- The newest states of units that are not in experiment_units yet, one row per group: rewriting a page
-- per unit would cost a hundred times the bytes.
CREATE TABLE unit_journal (
    seq INTEGER PRIMARY KEY,
    units BLOB NOT NULL
);

-- Sums over units. Metric -1 counts exposures: units, predictions (count) and fallbacks (events).
CREATE TABLE evidence (
    evidence_id INTEGER PRIMARY KEY,
    experiment_key INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    version_key INTEGER NOT NULL,
    metric INTEGER NOT NULL,        -- its place in the definition
    start INTEGER NOT NULL,         -- of a stretch of exposure time, in seconds; -1 for all of it
    units INTEGER NOT NULL DEFAULT 0,
    count INTEGER NOT NULL DEFAULT 0,
    sum REAL NOT NULL DEFAULT 0,
    sum_squares REAL NOT NULL DEFAULT 0,
    sum_count_squares REAL NOT NULL DEFAULT 0,
    sum_products REAL NOT NULL DEFAULT 0,
    value_count INTEGER NOT NULL DEFAULT 0,
    value_units INTEGER NOT NULL DEFAULT 0,
    events INTEGER NOT NULL DEFAULT 0,
    UNIQUE (experiment_key, epoch, version_key, metric, start)
);

CREATE TABLE feedback (
    prediction_order INTEGER NOT NULL,
    metric TEXT NOT NULL,
    value REAL NOT NULL,
    label TEXT,                     -- JSON, where the value came from one
    received_at INTEGER NOT NULL,
    event INTEGER NOT NULL,         -- 1 where it was counted as the first event of its unit
    PRIMARY KEY (prediction_order, metric)
) WITHOUT ROWID;

-- Feedback for predictions that have not been seen.
CREATE TABLE pending_feedback (
    prediction_order INTEGER NOT NULL,
    random INTEGER NOT NULL,
    metric TEXT NOT NULL,
    value REAL,                     -- null where a label waits for its prediction
    label TEXT,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (prediction_order, random, metric)
) WITHOUT ROWID;
