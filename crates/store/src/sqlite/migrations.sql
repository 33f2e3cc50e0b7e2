-- What leads from each schema to the next. Each step begins with a line that names the schema it leads to; the last is
-- the present one, which schema.sql shows whole.

-- To schema 2
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

-- To schema 3
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

-- To schema 4
-- Policies that move the weights, what they did, and who is told.
ALTER TABLE experiments ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE experiments ADD COLUMN progress TEXT;
ALTER TABLE experiments ADD COLUMN verdict TEXT;
ALTER TABLE experiments ADD COLUMN starts_at INTEGER;
ALTER TABLE experiments ADD COLUMN winner INTEGER;
ALTER TABLE experiment_epochs ADD COLUMN started_at INTEGER NOT NULL DEFAULT 0;
UPDATE experiment_epochs SET started_at = COALESCE(
    (SELECT started_at FROM experiments e WHERE e.experiment_key = experiment_epochs.experiment_key), 0);
ALTER TABLE audit ADD COLUMN experiment_key INTEGER;
DROP TRIGGER audit_is_never_updated;
UPDATE audit SET experiment_key = (SELECT experiment_key FROM experiments
    WHERE experiment_id = json_extract(audit.detail, '$.experiment'))
    WHERE action LIKE 'experiment.%';
CREATE TRIGGER audit_is_never_updated BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE INDEX audit_by_experiment ON audit (experiment_key, id) WHERE experiment_key IS NOT NULL;

CREATE TABLE webhooks (
    webhook_key INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_id TEXT NOT NULL UNIQUE,
    name TEXT,                      -- of the model; null for all
    url TEXT NOT NULL,
    secret TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    delivered INTEGER NOT NULL,     -- the last audit entry that was delivered or given up
    attempts INTEGER NOT NULL DEFAULT 0, -- of the next one
    next_attempt_at INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    given_up INTEGER NOT NULL DEFAULT 0
);

-- To schema 5
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

-- To schema 6
-- Commands are decided on the state of a model, by how many changes it has had. Each change has one event, which
-- says which change it was; entries of releases before have no number, and are not replayed.
ALTER TABLE models ADD COLUMN changes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit ADD COLUMN change INTEGER;

-- Sums of the hashes of the rows that a roll-up counts, and of how many of them they are: rows of releases before
-- have none. So a row that was changed or went missing is found.
ALTER TABLE rollups ADD COLUMN hashed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN kept_hash INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN content_hash INTEGER NOT NULL DEFAULT 0;
-- Of what else is told for ever, each row has its own.
ALTER TABLE feedback ADD COLUMN row_hash INTEGER;
ALTER TABLE audit ADD COLUMN row_hash INTEGER;
ALTER TABLE rollups ADD COLUMN row_hash INTEGER;
ALTER TABLE evidence ADD COLUMN row_hash INTEGER;

-- To schema 7
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
    lowest INTEGER NOT NULL,
    highest INTEGER NOT NULL,
    PRIMARY KEY (server_key, first)
) WITHOUT ROWID;

-- Webhooks are settings, which have events; their secrets are told by none.
CREATE TABLE secrets (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    row_hash INTEGER,
    PRIMARY KEY (id, kind)
) WITHOUT ROWID;
INSERT INTO secrets SELECT webhook_id, 'webhook.url', url, NULL FROM webhooks;
INSERT INTO secrets SELECT webhook_id, 'webhook.secret', secret, NULL FROM webhooks;
CREATE TABLE new_webhooks (
    webhook_key INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_id TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    definition TEXT NOT NULL,
    delivered INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    given_up INTEGER NOT NULL DEFAULT 0
);
INSERT INTO new_webhooks SELECT webhook_key, webhook_id, created_at,
    CASE WHEN name IS NULL THEN '{}' WHEN typeof(name) = 'text' THEN json_object('name', name) ELSE 'unreadable' END,
    delivered, attempts, next_attempt_at, last_error, given_up FROM webhooks;
DROP TABLE webhooks;
ALTER TABLE new_webhooks RENAME TO webhooks;
CREATE TABLE settings (
    changes INTEGER NOT NULL,
    default_model TEXT
);
INSERT INTO settings VALUES (0, NULL);

-- To schema 8
-- What units put into bets, by the scale of the epoch.
ALTER TABLE experiment_epochs ADD COLUMN scales TEXT NOT NULL DEFAULT '[]';
ALTER TABLE evidence ADD COLUMN bets BLOB NOT NULL DEFAULT x'';
ALTER TABLE evidence ADD COLUMN fresh_values INTEGER NOT NULL DEFAULT 0;
ALTER TABLE evidence ADD COLUMN early INTEGER NOT NULL DEFAULT 0;
ALTER TABLE evidence ADD COLUMN late INTEGER NOT NULL DEFAULT 0;
ALTER TABLE feedback ADD COLUMN in_time REAL;
CREATE TABLE experiment_minutes (
    experiment_key INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    version_key INTEGER NOT NULL,
    minute INTEGER NOT NULL,
    server_key INTEGER NOT NULL,
    sums BLOB NOT NULL,
    row_hash INTEGER NOT NULL,
    PRIMARY KEY (experiment_key, epoch, version_key, minute, server_key)
) WITHOUT ROWID;

-- To schema 9
ALTER TABLE predictions ADD COLUMN attributes TEXT;
ALTER TABLE predictions ADD COLUMN alias TEXT;
ALTER TABLE models ADD COLUMN rules TEXT NOT NULL DEFAULT '[]';
ALTER TABLE predictions ADD COLUMN request_id TEXT;
ALTER TABLE predictions ADD COLUMN request_number INTEGER;
ALTER TABLE predictions ADD COLUMN request_body INTEGER;
CREATE INDEX predictions_by_request ON predictions (request_number) WHERE request_number IS NOT NULL;

-- To schema 10
-- Feedback can wait for a request.
CREATE TABLE new_pending_feedback (
    number INTEGER NOT NULL,
    random INTEGER NOT NULL,
    name TEXT NOT NULL,
    request_id TEXT NOT NULL,
    metric TEXT NOT NULL,
    value REAL,
    label TEXT,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (number, random, name, request_id, metric)
) WITHOUT ROWID;
INSERT INTO new_pending_feedback SELECT prediction_order, random, '', '', metric, value, label, received_at
    FROM pending_feedback;
DROP TABLE pending_feedback;
ALTER TABLE new_pending_feedback RENAME TO pending_feedback;
ALTER TABLE predictions ADD COLUMN made_at INTEGER;
-- Outcomes of units.
CREATE TABLE unit_outcomes (
    outcome_number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    metric TEXT NOT NULL,
    unit INTEGER NOT NULL,
    unit_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    value REAL NOT NULL,
    outcome_id TEXT,
    received_at INTEGER NOT NULL,
    server_key INTEGER NOT NULL,
    position INTEGER NOT NULL,
    joined INTEGER NOT NULL,
    row_hash INTEGER NOT NULL
);
CREATE INDEX unit_outcomes_by_unit ON unit_outcomes (unit, at);
CREATE UNIQUE INDEX unit_outcomes_by_id ON unit_outcomes (outcome_id, name, metric) WHERE outcome_id IS NOT NULL;
CREATE INDEX unit_outcomes_waiting ON unit_outcomes (received_at) WHERE joined = 0;
-- Segments.
CREATE TABLE experiment_segments (
    experiment_key INTEGER NOT NULL,
    dimension INTEGER NOT NULL,
    place INTEGER NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (experiment_key, dimension, place)
) WITHOUT ROWID;
-- To schema 11
-- Requests are found by a table that is written in the order of its keys, many at a time.
CREATE TABLE request_ids (
    number INTEGER NOT NULL,
    prediction_order INTEGER NOT NULL,
    PRIMARY KEY (number, prediction_order)
) WITHOUT ROWID;
INSERT INTO request_ids SELECT request_number, prediction_order FROM predictions
    WHERE request_number IS NOT NULL ORDER BY 1, 2;
ALTER TABLE state ADD COLUMN request_ids_until INTEGER NOT NULL DEFAULT 0;
UPDATE state SET request_ids_until = (SELECT coalesce(max(prediction_order), 0) FROM predictions);
DROP INDEX predictions_by_request;
-- predictions.request_number stays, unused: taking it away would write the whole log anew.
-- Sums with covariates.
ALTER TABLE evidence ADD COLUMN covariate BLOB NOT NULL DEFAULT x'';
-- How versions failed.
ALTER TABLE predictions ADD COLUMN failure TEXT;

-- To schema 12
-- Versions have artifacts, and answers more than a prediction.
ALTER TABLE versions ADD COLUMN artifact TEXT;
ALTER TABLE predictions ADD COLUMN outputs TEXT;
ALTER TABLE versions ADD COLUMN shadow_percent REAL NOT NULL DEFAULT 0;
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
-- Calls whose answers come in parts have a beginning and an outcome.
CREATE TABLE begun_calls (
    prediction_order INTEGER PRIMARY KEY,
    entry BLOB NOT NULL
);

-- To schema 13
-- Who may call.
CREATE TABLE access_keys (
    access_key INTEGER PRIMARY KEY AUTOINCREMENT,
    key_id TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    definition TEXT NOT NULL,       -- JSON
    last_used_at INTEGER
);
-- Who has done what, and that nobody has changed what is told of it.
ALTER TABLE audit ADD COLUMN author TEXT;
ALTER TABLE audit ADD COLUMN chain BLOB;

-- To schema 14
-- What is kept of predictions, and for how long.
ALTER TABLE models ADD COLUMN privacy TEXT NOT NULL DEFAULT '{}';
ALTER TABLE models ADD COLUMN retention TEXT NOT NULL DEFAULT '{}';
ALTER TABLE predictions ADD COLUMN kept INTEGER;
ALTER TABLE rollups ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE experiments ADD COLUMN rows_removed INTEGER NOT NULL DEFAULT 0;
CREATE TABLE retained (
    name TEXT PRIMARY KEY REFERENCES models (name),
    rows_until INTEGER NOT NULL DEFAULT 0,
    content_until INTEGER NOT NULL DEFAULT 0,
    rows_removed INTEGER NOT NULL DEFAULT 0,
    content_removed INTEGER NOT NULL DEFAULT 0
);
-- Units of which all is to be erased.
CREATE TABLE erasures (
    erasure_key INTEGER PRIMARY KEY AUTOINCREMENT,
    erasure_id TEXT NOT NULL UNIQUE,
    pseudonym TEXT NOT NULL,
    unit_id TEXT,
    requested_at INTEGER NOT NULL,
    until_order INTEGER NOT NULL,
    position INTEGER NOT NULL,
    walked_order INTEGER NOT NULL DEFAULT -1,
    predictions INTEGER NOT NULL DEFAULT 0,
    others INTEGER NOT NULL DEFAULT 0,
    ended_at INTEGER
);
-- Labels that can never equal a prediction, because they are of another type.
CREATE TABLE label_mismatches (
    version_key INTEGER NOT NULL,
    prediction TEXT NOT NULL,
    label TEXT NOT NULL,
    count INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (version_key, prediction, label)
) WITHOUT ROWID;

-- To schema 15
-- Whether units are counted by the day on which they came, or under a bandit by parts of them, too: in epochs that open from
-- here on.
ALTER TABLE experiment_epochs ADD COLUMN keeps_parts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE evidence ADD COLUMN parts BLOB NOT NULL DEFAULT x'';

-- To schema 16
-- Outcomes of units are exported in the order of the journal.
CREATE INDEX unit_outcomes_by_position ON unit_outcomes (server_key, position);
-- What looks at running experiments showed, thinned out: for charts, decided by nobody.
CREATE TABLE experiment_looks (
    experiment_key INTEGER NOT NULL,
    at INTEGER NOT NULL,
    shown TEXT NOT NULL,
    PRIMARY KEY (experiment_key, at)
) WITHOUT ROWID;

-- To schema 17
-- Labels that can never equal what was answered are left out of evidence: those that come from here on.
ALTER TABLE feedback ADD COLUMN apart INTEGER NOT NULL DEFAULT 0;
-- Labels of an experiment that can never equal what was answered, because they are of another type. As long as they are many,
-- nothing is said of the metric `correct`.
CREATE TABLE unlike_labels (
    experiment_key INTEGER NOT NULL,
    version_key INTEGER NOT NULL,
    prediction TEXT NOT NULL,
    label TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (experiment_key, version_key, prediction, label)
) WITHOUT ROWID;
-- Values of an experiment that took the place of others.
CREATE TABLE corrections (
    experiment_key INTEGER NOT NULL,
    version_key INTEGER NOT NULL,
    metric TEXT NOT NULL,
    replaced INTEGER NOT NULL,
    late INTEGER NOT NULL,
    PRIMARY KEY (experiment_key, version_key, metric)
) WITHOUT ROWID;
