CREATE TABLE models (
    name TEXT PRIMARY KEY,
    salt TEXT NOT NULL,
    revision INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    fallback INTEGER NOT NULL,
    changes INTEGER NOT NULL DEFAULT 0, -- how many it has had: commands are decided by this number
    rules TEXT NOT NULL DEFAULT '[]', -- JSON: conditions on attributes, and the version of each
    privacy TEXT NOT NULL DEFAULT '{}', -- JSON: what is kept of its predictions
    retention TEXT NOT NULL DEFAULT '{}' -- JSON: how long they are kept
);

-- How far retention has come with a model.
CREATE TABLE retained (
    name TEXT PRIMARY KEY REFERENCES models (name),
    rows_until INTEGER NOT NULL DEFAULT 0, -- predictions before this prediction_order are removed
    content_until INTEGER NOT NULL DEFAULT 0, -- and of those before this what came in and was answered
    rows_removed INTEGER NOT NULL DEFAULT 0,
    content_removed INTEGER NOT NULL DEFAULT 0
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
    artifact TEXT,                  -- JSON: the hash and the size of what was uploaded
    status TEXT NOT NULL,
    traffic_percent REAL NOT NULL,
    shadow_percent REAL NOT NULL DEFAULT 0, -- the share of the requests of which it gets a copy
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
    detail TEXT NOT NULL,
    experiment_key INTEGER,
    change INTEGER,                 -- which change of the model it tells of; null for entries that are not replayed
    row_hash INTEGER,               -- of the columns before it
    author TEXT,                    -- JSON: key, user, address, reason; null where the server did it by itself
    chain BLOB                      -- SHA-256 of the chain of the entry before and of this one; null for those of releases before
);
CREATE INDEX audit_by_name ON audit (name, id);
CREATE INDEX audit_by_experiment ON audit (experiment_key, id) WHERE experiment_key IS NOT NULL;
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
    status INTEGER NOT NULL,        -- 0 ok, 1 fallback, 2 error, 3 rejected
    reason INTEGER NOT NULL,        -- 0 weights, 1 pinned, 2 experiment, 3 held, 4 rule, 5 retry,
                                    -- 6 observed
    epoch INTEGER NOT NULL,
    propensity REAL NOT NULL,
    unit_id TEXT,
    input_kind INTEGER NOT NULL,    -- 0 text, 1 JSON
    input TEXT NOT NULL,
    prediction TEXT,                -- JSON
    confidence REAL,
    latency_ns INTEGER NOT NULL,    -- -1 where it was made elsewhere and nobody says
    error TEXT,
    experiment_key INTEGER,         -- that it takes part in
    server_key INTEGER,             -- whose journal it comes from; null for rows of releases before schema 7
    position INTEGER,               -- its place in that journal
    attributes TEXT,                -- JSON; null for none
    alias TEXT,                     -- that the caller named
    request_id TEXT,                -- what the caller calls the request
    request_number INTEGER,         -- unused; releases of schema 10 found requests by it
    request_body INTEGER,           -- a keyed hash of what was asked
    made_at INTEGER,                -- when it was made, where that was elsewhere
    failure TEXT,                   -- how the chosen version failed, when it did
    outputs TEXT,                   -- what else was answered, by name: JSON
    kept INTEGER                    -- how much is there of input, prediction and attributes; null for all
);
-- There is no index on it: rows of a version or a status are found by the hours that hold some,
-- which the roll-ups know, and a second index would cost every prediction a quarter more.

-- What versions made of copies of requests that others have answered. They are no predictions: nobody was answered by them.
CREATE TABLE shadows (
    shadow_order INTEGER PRIMARY KEY,
    random INTEGER NOT NULL,
    version_key INTEGER NOT NULL,
    mirrors_order INTEGER NOT NULL, -- the prediction that it mirrors
    share REAL NOT NULL,
    prediction TEXT,                -- JSON
    confidence REAL,
    outputs TEXT,                   -- JSON
    latency_ns INTEGER NOT NULL,
    error TEXT,
    rejected INTEGER NOT NULL,
    server_key INTEGER NOT NULL,
    position INTEGER NOT NULL
);
CREATE INDEX shadows_by_version ON shadows (version_key, shadow_order);
CREATE INDEX shadows_by_mirrored ON shadows (mirrors_order);

-- Calls whose answers come in parts: entries of the journal that say that one has begun, until its outcome comes.
CREATE TABLE begun_calls (
    prediction_order INTEGER PRIMARY KEY,
    entry BLOB NOT NULL
);

-- By which ids requests are found: those up to state.request_ids_until; later ones wait in the memory of who writes.
CREATE TABLE request_ids (
    number INTEGER NOT NULL,        -- the first 64 bits of the SHA-256 of the id
    prediction_order INTEGER NOT NULL,
    PRIMARY KEY (number, prediction_order)
) WITHOUT ROWID;

-- An open roll-up is written again with every group, so it has a number of its own to be found by:
-- an update by number touches no index.
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
    labelled INTEGER NOT NULL DEFAULT 0,
    correct INTEGER NOT NULL DEFAULT 0,
    rejected INTEGER NOT NULL DEFAULT 0,
    hashed INTEGER NOT NULL DEFAULT 0, -- rows that the sums of hashes are of
    kept_hash INTEGER NOT NULL DEFAULT 0, -- over the columns that stay as long as the row
    row_hash INTEGER,               -- of the other columns, but for labelled and correct, which are counted again
    content_hash INTEGER NOT NULL DEFAULT 0, -- over those that may be erased: unit_id, input, prediction, error, attributes, outputs
    server_key INTEGER NOT NULL,    -- who counted: its rows are added up when they are read
    removed INTEGER NOT NULL DEFAULT 0, -- of count, rows that are there no more: they are not in hashed and the hashes
    UNIQUE (tier, start, version_key, epoch, server_key)
);
CREATE INDEX rollups_by_version ON rollups (version_key);

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
    decided TEXT,                   -- the results when it ended, JSON
    revision INTEGER NOT NULL DEFAULT 0,
    progress TEXT,                  -- how far its policy has come, JSON
    verdict TEXT,                   -- of the last look
    starts_at INTEGER,              -- of a scheduled one
    winner INTEGER,                 -- the place of the arm that was promoted
    rows_removed INTEGER NOT NULL DEFAULT 0 -- of its predictions: its evidence cannot be counted again then
);
CREATE UNIQUE INDEX one_experiment_runs ON experiments (name) WHERE status = 'running';

-- What looks at running experiments showed, thinned out: for charts, decided by nobody.
CREATE TABLE experiment_looks (
    experiment_key INTEGER NOT NULL,
    at INTEGER NOT NULL,
    shown TEXT NOT NULL,            -- JSON
    PRIMARY KEY (experiment_key, at)
) WITHOUT ROWID;

-- The published shares of the arms while an epoch of an experiment lasts.
CREATE TABLE experiment_epochs (
    experiment_key INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    shares TEXT NOT NULL,           -- JSON, the control first
    started_at INTEGER NOT NULL DEFAULT 0,
    scales TEXT NOT NULL DEFAULT '[]', -- JSON, by metric: how values become numbers from 0 to 1; [] before schema 8
    keeps_parts INTEGER NOT NULL DEFAULT 0, -- whether its units are counted by day, or under a bandit by parts, too: since schema 15
    PRIMARY KEY (experiment_key, epoch)
);

-- Who was exposed to what first, and what was counted for whom. Predictions without a unit_id are
-- units of their own and have no row.
CREATE TABLE experiment_units (
    experiment_key INTEGER NOT NULL,
    unit INTEGER NOT NULL,          -- the first 64 bits of the SHA-256 of unit_id
    epoch INTEGER NOT NULL,
    version_key INTEGER NOT NULL,   -- of the first exposure in the epoch
    state BLOB NOT NULL,            -- its coin, its beginning, and by metric stretches of exposure time and outcome
    format INTEGER NOT NULL DEFAULT 0, -- 0: stretches alone, their sums plain numbers; 1: exact ones; 2: all
                                    -- but segments; 3: all
    PRIMARY KEY (experiment_key, unit, epoch)
) WITHOUT ROWID;

-- The newest states of units that are not in experiment_units yet, one row per group: rewriting a page
-- per unit would cost a hundred times the bytes.
CREATE TABLE unit_journal (
    seq INTEGER PRIMARY KEY,
    units BLOB NOT NULL,
    format INTEGER NOT NULL DEFAULT 0 -- as in experiment_units
);

-- The values of the dimensions of an experiment that are told apart, in the order in which they came.
CREATE TABLE experiment_segments (
    experiment_key INTEGER NOT NULL,
    dimension INTEGER NOT NULL,     -- its place in the definition
    place INTEGER NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (experiment_key, dimension, place)
) WITHOUT ROWID;

-- Sums over units. Metric -1 counts exposures: units, predictions (count), fallbacks (events), units that were new to
-- the experiment (value_units) and units that are left out of bets (value_count).
CREATE TABLE evidence (
    evidence_id INTEGER PRIMARY KEY,
    experiment_key INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    version_key INTEGER NOT NULL,
    metric INTEGER NOT NULL,        -- its place in the definition; of a segment, and a thousand times its number
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
    row_hash INTEGER,               -- of the other columns
    exact BLOB NOT NULL DEFAULT x'', -- sum, sum_squares and sum_products, where plain numbers are not exact
    server_key INTEGER NOT NULL,    -- who counted: its rows are added up when they are read
    bets BLOB NOT NULL DEFAULT x'', -- what units put into bets
    fresh_values INTEGER NOT NULL DEFAULT 0, -- of value_units, those that came to the experiment in the epoch
    early INTEGER NOT NULL DEFAULT 0, -- of these, those whose first value came within a quarter of the window
    late INTEGER NOT NULL DEFAULT 0, -- values that came after the window of their prediction
    covariate BLOB NOT NULL DEFAULT x'', -- sums over units whose covariate is known
    parts BLOB NOT NULL DEFAULT x'', -- sums by parts of the units, under a bandit
    UNIQUE (experiment_key, epoch, version_key, metric, start, server_key)
);

-- What an arm met in each minute, of experiments with guardrails about what is known at once.
CREATE TABLE experiment_minutes (
    experiment_key INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    version_key INTEGER NOT NULL,
    minute INTEGER NOT NULL,        -- since 1970
    server_key INTEGER NOT NULL,    -- who counted: its rows are added up when they are read
    sums BLOB NOT NULL,             -- predictions, and by metric first events and predictions with one
    row_hash INTEGER NOT NULL,      -- of the other columns
    PRIMARY KEY (experiment_key, epoch, version_key, minute, server_key)
) WITHOUT ROWID;

CREATE TABLE feedback (
    prediction_order INTEGER NOT NULL,
    metric TEXT NOT NULL,
    value REAL NOT NULL,
    label TEXT,                     -- JSON, where the value came from one
    received_at INTEGER NOT NULL,
    event INTEGER NOT NULL,         -- sum: 1 each time it was counted as its unit's event, -1 each time it took that back
    row_hash INTEGER,               -- of the other columns
    server_key INTEGER,             -- as in predictions
    position INTEGER,
    in_time REAL,                   -- the value that had come within the window, for bets of an experiment
    apart INTEGER NOT NULL DEFAULT 0, -- 1 where evidence has nothing of it: a label that can never equal the answer
    PRIMARY KEY (prediction_order, metric)
) WITHOUT ROWID;
CREATE INDEX feedback_by_position ON feedback (server_key, position) WHERE position IS NOT NULL;

-- Outcomes of units, one row for each model that knows the metric. What was never joined to an exposure goes after a while.
CREATE TABLE unit_outcomes (
    outcome_number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    metric TEXT NOT NULL,
    unit INTEGER NOT NULL,          -- as in experiment_units
    unit_id TEXT NOT NULL,
    at INTEGER NOT NULL,            -- when it happened
    value REAL NOT NULL,
    outcome_id TEXT,                -- what its sender calls it
    received_at INTEGER NOT NULL,
    server_key INTEGER NOT NULL,
    position INTEGER NOT NULL,
    joined INTEGER NOT NULL,        -- 1 where its unit was exposed in an experiment
    row_hash INTEGER NOT NULL       -- of the columns that stay
);
CREATE INDEX unit_outcomes_by_unit ON unit_outcomes (unit, at);
CREATE UNIQUE INDEX unit_outcomes_by_id ON unit_outcomes (outcome_id, name, metric) WHERE outcome_id IS NOT NULL;
CREATE INDEX unit_outcomes_waiting ON unit_outcomes (received_at) WHERE joined = 0;
CREATE INDEX unit_outcomes_by_position ON unit_outcomes (server_key, position);

-- Feedback for predictions that have not been seen.
CREATE TABLE pending_feedback (
    number INTEGER NOT NULL,        -- prediction_order, or the request_number where it waits for a request
    random INTEGER NOT NULL,        -- 0 for a request
    name TEXT NOT NULL,             -- the model of a request; empty for a prediction, as is request_id
    request_id TEXT NOT NULL,
    metric TEXT NOT NULL,
    value REAL,                     -- null where a label waits for its prediction
    label TEXT,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (number, random, name, request_id, metric)
) WITHOUT ROWID;

-- Labels that can never equal a prediction, because they are of another type.
CREATE TABLE label_mismatches (
    version_key INTEGER NOT NULL,   -- that answered
    prediction TEXT NOT NULL,       -- the types: number, text, boolean, list, object, null
    label TEXT NOT NULL,
    count INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (version_key, prediction, label)
) WITHOUT ROWID;

-- Labels of an experiment that can never equal what was answered, because they are of another type. As long as they are many,
-- nothing is said of the metric `correct`.
CREATE TABLE unlike_labels (
    experiment_key INTEGER NOT NULL,
    version_key INTEGER NOT NULL,   -- of the arm
    prediction TEXT NOT NULL,       -- the types, as in label_mismatches
    label TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (experiment_key, version_key, prediction, label)
) WITHOUT ROWID;

-- Values of an experiment that took the place of others.
CREATE TABLE corrections (
    experiment_key INTEGER NOT NULL,
    version_key INTEGER NOT NULL,   -- of the arm
    metric TEXT NOT NULL,
    replaced INTEGER NOT NULL,       -- how many did
    late INTEGER NOT NULL,           -- predictions whose evidence keeps the value that was in time
    PRIMARY KEY (experiment_key, version_key, metric)
) WITHOUT ROWID;

-- Units of which all is to be erased: what a person sent and was answered until then.
CREATE TABLE erasures (
    erasure_key INTEGER PRIMARY KEY AUTOINCREMENT,
    erasure_id TEXT NOT NULL UNIQUE,
    pseudonym TEXT NOT NULL,        -- what takes the place of unit_id: a keyed hash
    unit_id TEXT,                   -- null when all of it is erased
    requested_at INTEGER NOT NULL,
    until_order INTEGER NOT NULL,   -- predictions up to this prediction_order
    position INTEGER NOT NULL,      -- where the journal was
    walked_order INTEGER NOT NULL DEFAULT -1, -- predictions up to this one have been looked at; -1 before it has begun
    predictions INTEGER NOT NULL DEFAULT 0, -- how many were the unit's
    others INTEGER NOT NULL DEFAULT 0, -- rows of other kinds that were
    ended_at INTEGER
);

-- Who is told of experiments: part of the settings, and beside that how far each has been told.
CREATE TABLE webhooks (
    webhook_key INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_id TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    definition TEXT NOT NULL,       -- JSON
    delivered INTEGER NOT NULL,     -- the last audit entry that was delivered or given up
    attempts INTEGER NOT NULL DEFAULT 0, -- of the next one
    next_attempt_at INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    given_up INTEGER NOT NULL DEFAULT 0
);

-- Who may call: part of the settings, and beside that when each was used last.
CREATE TABLE access_keys (
    access_key INTEGER PRIMARY KEY AUTOINCREMENT,
    key_id TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    definition TEXT NOT NULL,       -- JSON
    last_used_at INTEGER
);

-- What no event tells: it belongs to what id names.
CREATE TABLE secrets (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,             -- webhook.url, webhook.secret, key.hash
    value TEXT NOT NULL,
    row_hash INTEGER,               -- null where it was written before there were hashes
    PRIMARY KEY (id, kind)
) WITHOUT ROWID;

-- One row: the settings of the server. Their events stand in the audit, under no model.
CREATE TABLE settings (
    changes INTEGER NOT NULL,       -- how many they have had
    default_model TEXT
);
INSERT INTO settings VALUES (0, NULL);

-- Who has written here, and how far the journal of each has been read. The position is written with the rows that
-- it counts.
CREATE TABLE servers (
    server_key INTEGER PRIMARY KEY,
    server BLOB NOT NULL UNIQUE,
    position INTEGER NOT NULL
);

-- Where the predictions of a stretch of a journal are, so that reading on from a position needs no index: their ids
-- nearly have the order of the journal.
CREATE TABLE stretches (
    server_key INTEGER NOT NULL,
    first INTEGER NOT NULL,         -- position, a multiple of 4096
    lowest INTEGER NOT NULL,        -- prediction_order
    highest INTEGER NOT NULL,
    PRIMARY KEY (server_key, first)
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

-- One row: minutes before the horizon have been folded away; probes counts writes that only
-- asked whether writing works; feedback that never found its prediction is dropped and counted, and so
-- are entries of versions that were deleted before they were rows; server is who writes here.
CREATE TABLE state (
    minute_horizon INTEGER NOT NULL,
    probes INTEGER NOT NULL,
    feedback_dropped INTEGER NOT NULL DEFAULT 0,
    server BLOB NOT NULL DEFAULT x'',
    entries_dropped INTEGER NOT NULL DEFAULT 0,
    request_ids_until INTEGER NOT NULL DEFAULT 0
);
INSERT INTO state VALUES (0, 0, 0, randomblob(16), 0, 0);
INSERT INTO servers SELECT 1, server, 0 FROM state;
