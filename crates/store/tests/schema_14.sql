-- Made by the release of schema 14.
BEGIN TRANSACTION;
CREATE TABLE access_keys (
    access_key INTEGER PRIMARY KEY AUTOINCREMENT,
    key_id TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    definition TEXT NOT NULL,       -- JSON
    last_used_at INTEGER
);
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
INSERT INTO "audit" VALUES(1,1795760926492321,'version.registered','shop','1',1,'{"model_id":"model-005beb03d1f5","registered":{"accuracy":0.8,"activated_at":null,"created_at":1795760926492321,"description":"","key":1,"model_id":"model-005beb03d1f5","runtime":{"method":"vader","type":"sentiment"},"shadow_percent":0.0,"status":"inactive","tags":{},"traffic_percent":0.0,"unreadable":null,"version":"1"},"salt":"95add7ce99fab717d8b9be244dcfed87"}',NULL,1,-6389614072264195236,'{"address":"127.0.0.1"}',X'8EBAC5D99278012173704A364677612989FAC26A1C3C7997258D864265EAD21F');
INSERT INTO "audit" VALUES(2,1795760926498375,'version.activated','shop','1',2,'{"from":0.0,"to":50.0}',NULL,2,6799019134889647927,'{"address":"127.0.0.1"}',X'F117671EB3F3C78BFE17293F67AE752E88E6BB56FD908B18C9128EACB3C8A46F');
INSERT INTO "audit" VALUES(3,1795760926499014,'default_model.set','',NULL,1,'{"from":null,"to":"shop"}',NULL,1,8267899274843821657,NULL,X'8A7147CC6E5B252DFD111E660134FB5F19242CA999B1DC1CCEEB975BECA6CE8F');
INSERT INTO "audit" VALUES(4,1795760926500130,'version.registered','shop','2',3,'{"model_id":"model-37afca59afcb","registered":{"accuracy":0.8,"activated_at":null,"created_at":1795760926500130,"description":"","key":2,"model_id":"model-37afca59afcb","runtime":{"method":"vader","type":"sentiment"},"shadow_percent":0.0,"status":"inactive","tags":{},"traffic_percent":0.0,"unreadable":null,"version":"2"},"salt":"95add7ce99fab717d8b9be244dcfed87"}',NULL,3,-6868154337968571970,'{"address":"127.0.0.1"}',X'E6E9E818024B6103E74BE3EAF9C8E82B3175D13161A6584A88794B11E5B44B9B');
INSERT INTO "audit" VALUES(5,1795760926501091,'version.activated','shop','2',4,'{"from":0.0,"to":50.0}',NULL,4,-8535302958105765192,'{"address":"127.0.0.1"}',X'2F694B7A753BA301A8AA4A106975F562AE7C86D004B6BFDBF87A2A9B983F5C01');
INSERT INTO "audit" VALUES(6,1795760926501838,'metric.set','shop',NULL,4,'{"from":null,"to":{"direction":"up","kind":"binary","lower_bound":null,"missing":"excluded","name":"clicked","upper_bound":null,"window_seconds":0}}',NULL,5,908055903767492911,'{"address":"127.0.0.1"}',X'757448E4006145D73FA4E4D2BF51A1014528C7FD2650CBD3C08B2E42CF4625ED');
INSERT INTO "audit" VALUES(7,1795760926502796,'metric.set','shop',NULL,4,'{"from":null,"to":{"direction":"up","kind":"binary","lower_bound":null,"missing":"failure","name":"bought","upper_bound":null,"window_seconds":60}}',NULL,6,-5583099875428070363,'{"address":"127.0.0.1"}',X'19FCAA3CFF5F64C8F5708922C4E5A4F3AFC9D4B80B05712D32B18D18F6A40DBE');
INSERT INTO "audit" VALUES(8,1795760926503613,'experiment.created','shop',NULL,4,'{"by":"person","definition":{"alpha":0.05,"arms":[{"key":1,"model_id":"model-005beb03d1f5","version":"1","weight":50.0},{"key":2,"model_id":"model-37afca59afcb","version":"2","weight":50.0}],"burst_protection":true,"enrolment":1.0,"evidence_rules":1,"guardrails":["error","rejected"],"metrics":[{"direction":"up","kind":"binary","lower_bound":null,"missing":"excluded","name":"clicked","upper_bound":null,"window_seconds":0},{"direction":"up","kind":"binary","lower_bound":null,"missing":"failure","name":"bought","upper_bound":null,"window_seconds":60},{"direction":"down","kind":"binary","lower_bound":null,"missing":"excluded","name":"error","upper_bound":null,"window_seconds":0},{"direction":"down","kind":"binary","lower_bound":null,"missing":"excluded","name":"rejected","upper_bound":null,"window_seconds":0}],"minimum_detectable_effect":null,"name":"shop","planned_units":5000.0,"policy":"fixed","power":0.8,"primary_metric":"clicked","relative":false,"salt":"e44f71deb85e593f5c1eb278d60eaf8e","secondary_metrics":["bought"],"slo_ms":null,"title":""},"experiment":"exp-63a568e8fe02","key":1,"title":""}',1,7,5899684594442716589,'{"address":"127.0.0.1"}',X'091B77C4092CEF6D9AF0300926ECA18CD136026B3D9FAE6DDA582CBFDAF7AC21');
INSERT INTO "audit" VALUES(9,1795760926505075,'experiment.started','shop',NULL,5,'{"by":"person","experiment":"exp-63a568e8fe02","from":{"1":50.0,"2":50.0},"progress":null,"scales":[{"cap":1.0,"centre":-0.0,"floor":0.0},{"cap":1.0,"centre":-0.0,"floor":0.0},{"cap":1.0,"centre":-0.0,"floor":0.0},{"cap":1.0,"centre":-0.0,"floor":0.0}],"to":{"1":50.0,"2":50.0}}',1,8,2629687392042691105,'{"address":"127.0.0.1"}',X'E4A84ADAE6A10D8F7C133EDF9A654E110BD4E84B7ABC9211E77A8AB9B8985B4C');
CREATE TABLE begun_calls (
    prediction_order INTEGER PRIMARY KEY,
    entry BLOB NOT NULL
);
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
    UNIQUE (experiment_key, epoch, version_key, metric, start, server_key)
);
INSERT INTO "evidence" VALUES(1,1,3,1,1,1795760926,6,7,3.0,5.0,9.0,5.0,3,2,0,1433071454341987956,X'',1,X'0C0400',2,2,0,X'');
INSERT INTO "evidence" VALUES(2,1,3,1,1,-1,6,7,3.0,5.0,9.0,5.0,3,2,0,-2323164819986006579,X'',1,X'0C0400',2,2,0,X'');
INSERT INTO "evidence" VALUES(3,1,3,1,2,-1,6,7,0.0,0.0,9.0,0.0,7,6,0,6365399650869186300,X'',1,X'',6,0,0,X'');
INSERT INTO "evidence" VALUES(4,1,3,1,3,-1,6,7,0.0,0.0,9.0,0.0,7,6,0,-3051299051771394297,X'',1,X'',6,0,0,X'');
INSERT INTO "evidence" VALUES(5,1,3,1,-1,-1,6,7,0.0,0.0,0.0,0.0,0,6,0,-4216849170894322164,X'',1,X'',0,0,0,X'');
INSERT INTO "evidence" VALUES(6,1,3,1,0,-1,4,4,2.0,2.0,4.0,2.0,4,4,2,2866183355605910288,X'',1,X'',4,0,0,X'');
INSERT INTO "evidence" VALUES(7,1,3,2,1,1795760926,5,5,1.0,1.0,5.0,1.0,1,1,0,-853807780730468496,X'',1,X'0A0200',1,1,0,X'');
INSERT INTO "evidence" VALUES(8,1,3,2,1,-1,5,5,1.0,1.0,5.0,1.0,1,1,0,8380941011843514687,X'',1,X'0A0200',1,1,0,X'');
INSERT INTO "evidence" VALUES(9,1,3,2,2,-1,5,5,0.0,0.0,5.0,0.0,5,5,0,8948720206182929435,X'',1,X'',5,0,0,X'');
INSERT INTO "evidence" VALUES(10,1,3,2,3,-1,5,5,0.0,0.0,5.0,0.0,5,5,0,-6523890997127484593,X'',1,X'',5,0,0,X'');
INSERT INTO "evidence" VALUES(11,1,3,2,-1,-1,5,5,0.0,0.0,0.0,0.0,0,5,0,-3794353120924536517,X'',1,X'',0,0,0,X'');
INSERT INTO "evidence" VALUES(12,1,3,2,0,-1,2,2,1.0,1.0,2.0,1.0,2,2,1,-5858398233078803455,X'',1,X'',2,0,0,X'');
CREATE TABLE experiment_epochs (
    experiment_key INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    shares TEXT NOT NULL,           -- JSON, the control first
    started_at INTEGER NOT NULL DEFAULT 0,
    scales TEXT NOT NULL DEFAULT '[]', -- JSON, by metric: how values become numbers from 0 to 1; [] before schema 8
    PRIMARY KEY (experiment_key, epoch)
);
INSERT INTO "experiment_epochs" VALUES(1,3,'[0.5,0.5]',1795760926505075,'[{"floor":0.0,"cap":1.0,"centre":-0.0},{"floor":0.0,"cap":1.0,"centre":-0.0},{"floor":0.0,"cap":1.0,"centre":-0.0},{"floor":0.0,"cap":1.0,"centre":-0.0}]');
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
INSERT INTO "experiment_minutes" VALUES(1,3,1,29929348,1,X'000000000000000007000000',335363762880983657);
INSERT INTO "experiment_minutes" VALUES(1,3,2,29929348,1,X'000000000000000005000000',6882955187689796361);
CREATE TABLE experiment_segments (
    experiment_key INTEGER NOT NULL,
    dimension INTEGER NOT NULL,     -- its place in the definition
    place INTEGER NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (experiment_key, dimension, place)
) WITHOUT ROWID;
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
INSERT INTO "experiments" VALUES(1,'exp-63a568e8fe02','shop','running','{"name":"shop","title":"","policy":"fixed","arms":[{"key":1,"model_id":"model-005beb03d1f5","version":"1","weight":50.0},{"key":2,"model_id":"model-37afca59afcb","version":"2","weight":50.0}],"primary_metric":"clicked","secondary_metrics":["bought"],"guardrails":["error","rejected"],"metrics":[{"name":"clicked","kind":"binary","direction":"up","window_seconds":0,"lower_bound":null,"upper_bound":null,"missing":"excluded"},{"name":"bought","kind":"binary","direction":"up","window_seconds":60,"lower_bound":null,"upper_bound":null,"missing":"failure"},{"name":"error","kind":"binary","direction":"down","window_seconds":0,"lower_bound":null,"upper_bound":null,"missing":"excluded"},{"name":"rejected","kind":"binary","direction":"down","window_seconds":0,"lower_bound":null,"upper_bound":null,"missing":"excluded"}],"alpha":0.05,"power":0.8,"minimum_detectable_effect":null,"relative":false,"planned_units":5000.0,"enrolment":1.0,"salt":"e44f71deb85e593f5c1eb278d60eaf8e","slo_ms":null,"burst_protection":true,"evidence_rules":1}',1795760926503613,1795760926505075,NULL,NULL,NULL,NULL,1,NULL,NULL,NULL,NULL,0);
CREATE TABLE feedback (
    prediction_order INTEGER NOT NULL,
    metric TEXT NOT NULL,
    value REAL NOT NULL,
    label TEXT,                     -- JSON, where the value came from one
    received_at INTEGER NOT NULL,
    event INTEGER NOT NULL,         -- 1 where it was counted as the first event of its unit
    row_hash INTEGER,               -- of the other columns
    server_key INTEGER,             -- as in predictions
    position INTEGER,
    in_time REAL,                   -- the value that had come within the window, for bets of an experiment
    PRIMARY KEY (prediction_order, metric)
) WITHOUT ROWID;
INSERT INTO "feedback" VALUES(7355436754968757,'bought',1.0,NULL,1795760926527963,0,-5984471580847199029,1,3,1.0);
INSERT INTO "feedback" VALUES(7355436754968757,'clicked',0.0,NULL,1795760926521343,1,-7537086665196166159,1,2,NULL);
INSERT INTO "feedback" VALUES(7355436755062297,'clicked',1.0,NULL,1795760926529205,0,-4537405242216296072,1,6,NULL);
INSERT INTO "feedback" VALUES(7355436755066033,'bought',1.0,NULL,1795760926530130,0,6582341157833521748,1,8,1.0);
INSERT INTO "feedback" VALUES(7355436755069498,'clicked',0.0,NULL,1795760926530959,1,3238610780697141747,1,10,NULL);
INSERT INTO "feedback" VALUES(7355436755074278,'bought',1.0,NULL,1795760926532551,0,624611525222453556,1,14,1.0);
INSERT INTO "feedback" VALUES(7355436755074278,'clicked',1.0,NULL,1795760926532141,0,6506197144670103938,1,13,NULL);
INSERT INTO "feedback" VALUES(7355436755080803,'clicked',0.0,NULL,1795760926533770,1,-139124866585323541,1,17,NULL);
INSERT INTO "feedback" VALUES(7355436755084133,'bought',1.0,NULL,1795760926534588,0,3125638374546576923,1,19,1.0);
INSERT INTO "feedback" VALUES(7355436755087918,'clicked',1.0,NULL,1795760926535591,0,5668238680424101282,1,21,NULL);
CREATE TABLE label_mismatches (
    version_key INTEGER NOT NULL,   -- that answered
    prediction TEXT NOT NULL,       -- the types: number, text, boolean, list, object, null
    label TEXT NOT NULL,
    count INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (version_key, prediction, label)
) WITHOUT ROWID;
CREATE TABLE metrics (
    name TEXT NOT NULL,
    metric TEXT NOT NULL,
    definition TEXT NOT NULL,       -- JSON
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (name, metric)
);
INSERT INTO "metrics" VALUES('shop','clicked','{"name":"clicked","kind":"binary","direction":"up","window_seconds":0,"lower_bound":null,"upper_bound":null,"missing":"excluded"}',1795760926501838);
INSERT INTO "metrics" VALUES('shop','bought','{"name":"bought","kind":"binary","direction":"up","window_seconds":60,"lower_bound":null,"upper_bound":null,"missing":"failure"}',1795760926502796);
CREATE TABLE missing_positions (
    server BLOB NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    found_at INTEGER NOT NULL,
    PRIMARY KEY (server, first)
) WITHOUT ROWID;
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
INSERT INTO "models" VALUES('shop','95add7ce99fab717d8b9be244dcfed87',5,3,1,8,'[]','{"inputs":{"keep":"full","sample_percent":100.0,"redact_pointers":[],"redact_patterns":[]},"outputs":{"keep":"full","sample_percent":100.0,"redact_pointers":[],"redact_patterns":[]},"attributes":{"keep":"full","sample_percent":100.0,"redact_pointers":[],"redact_patterns":[]}}','{"max_age_seconds":null,"max_rows":null,"content_max_age_seconds":null}');
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
INSERT INTO "predictions" VALUES(7355436754968757,1852949975104969695,1,1,0,2,3,0.5,'user-0',0,'good 0','"positive"',7.05473684210526363891e-01,14290236,NULL,1,1,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355436755060790,2781178714092389746,1,1,0,2,3,0.5,'user-1',0,'good 1','"positive"',7.05473684210526363891e-01,14512,NULL,1,1,4,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355436755062297,1326994386674483175,1,1,0,2,3,0.5,'user-2',0,'good 2','"positive"',7.05473684210526363891e-01,2544,NULL,1,1,5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355436755066033,4210554642690344147,2,2,0,2,3,0.5,'user-3',0,'good 3','"positive"',7.05473684210526363891e-01,8683,NULL,1,1,7,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355436755069498,1752744738165133498,1,1,0,2,3,0.5,'user-4',0,'good 4','"positive"',7.05473684210526363891e-01,3495,NULL,1,1,9,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355436755072984,4200246402459519299,1,1,0,2,3,0.5,'user-5',0,'good 5','"positive"',7.05473684210526363891e-01,3064,NULL,1,1,11,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355436755074278,2486587508521712906,1,1,0,2,3,0.5,'user-6',0,'good 6','"positive"',7.05473684210526363891e-01,2544,NULL,1,1,12,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355436755079189,3165207522511807765,2,2,0,2,3,0.5,'user-7',0,'good 7','"positive"',7.05473684210526363891e-01,4006,NULL,1,1,15,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355436755080803,1926191557245291438,2,2,0,2,3,0.5,'user-8',0,'good 8','"positive"',7.05473684210526363891e-01,1362,NULL,1,1,16,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355436755084133,3376575403548306261,1,1,0,2,3,0.5,'user-0',0,'good 9','"positive"',7.05473684210526363891e-01,3606,NULL,1,1,18,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355436755087918,4601098838320842999,2,2,0,2,3,0.5,NULL,0,'of nobody','"neutral"',1.0,4026,NULL,1,1,20,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355436755094856,2013404933210695870,2,2,0,2,3,0.5,NULL,0,'of nobody','"neutral"',1.0,3806,NULL,1,1,22,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE receipts (
    receipt BLOB PRIMARY KEY,       -- a UUID version 7, so they sort by time
    outcome BLOB NOT NULL,
    awaited INTEGER NOT NULL        -- 1 where its caller was told all the same
) WITHOUT ROWID;
CREATE TABLE request_ids (
    number INTEGER NOT NULL,        -- the first 64 bits of the SHA-256 of the id
    prediction_order INTEGER NOT NULL,
    PRIMARY KEY (number, prediction_order)
) WITHOUT ROWID;
CREATE TABLE retained (
    name TEXT PRIMARY KEY REFERENCES models (name),
    rows_until INTEGER NOT NULL DEFAULT 0, -- predictions before this prediction_order are removed
    content_until INTEGER NOT NULL DEFAULT 0, -- and of those before this what came in and was answered
    rows_removed INTEGER NOT NULL DEFAULT 0,
    content_removed INTEGER NOT NULL DEFAULT 0
);
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
INSERT INTO "rollups" VALUES(1,0,0,1,3,7,0,0,7,4.93831578947368399212e+00,3.48385183379501484068e+00,14320001,204.211103084069,X'8C03020A01070101014601DC0201',0,0,0,7,-2305347845628109753,5790387798622295097,3411160043455369018,1,0);
INSERT INTO "rollups" VALUES(2,1,1795737600,1,3,7,0,0,7,4.93831578947368399212e+00,3.48385183379501484068e+00,14320001,204.211103084069,X'8C03020A01070101014601DC0201',0,0,0,7,-2305347845628109753,1903742641861139153,3411160043455369018,1,0);
INSERT INTO "rollups" VALUES(3,2,1795759200,1,3,7,0,0,7,4.93831578947368399212e+00,3.48385183379501484068e+00,14320001,204.211103084069,X'8C03020A01070101014601DC0201',0,0,0,7,-2305347845628109753,8383354245718337365,3411160043455369018,1,0);
INSERT INTO "rollups" VALUES(4,3,1795760880,1,3,7,0,0,7,4.93831578947368399212e+00,3.48385183379501484068e+00,14320001,204.211103084069,X'8C03020A01070101014601DC0201',0,0,0,7,-2305347845628109753,6350228303492363536,3411160043455369018,1,0);
INSERT INTO "rollups" VALUES(5,0,0,2,3,5,0,0,5,4.11642105263157898065e+00,3.49307935734072039224e+00,21883,0.000123991881,X'ED02013401020101012601',0,0,0,5,-1210886347930612945,8133026292302196643,-2613211322168916559,1,0);
INSERT INTO "rollups" VALUES(6,1,1795737600,2,3,5,0,0,5,4.11642105263157898065e+00,3.49307935734072039224e+00,21883,0.000123991881,X'ED02013401020101012601',0,0,0,5,-1210886347930612945,498040027158059186,-2613211322168916559,1,0);
INSERT INTO "rollups" VALUES(7,2,1795759200,2,3,5,0,0,5,4.11642105263157898065e+00,3.49307935734072039224e+00,21883,0.000123991881,X'ED02013401020101012601',0,0,0,5,-1210886347930612945,4357925051505608957,-2613211322168916559,1,0);
INSERT INTO "rollups" VALUES(8,3,1795760880,2,3,5,0,0,5,4.11642105263157898065e+00,3.49307935734072039224e+00,21883,0.000123991881,X'ED02013401020101012601',0,0,0,5,-1210886347930612945,8295845671019354420,-2613211322168916559,1,0);
CREATE TABLE secrets (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,             -- webhook.url, webhook.secret, key.hash
    value TEXT NOT NULL,
    row_hash INTEGER,               -- null where it was written before there were hashes
    PRIMARY KEY (id, kind)
) WITHOUT ROWID;
CREATE TABLE servers (
    server_key INTEGER PRIMARY KEY,
    server BLOB NOT NULL UNIQUE,
    position INTEGER NOT NULL
);
INSERT INTO "servers" VALUES(1,X'3F72DFE882CD6520C9A787E5E0AFD7F2',22);
CREATE TABLE set_aside (
    server BLOB NOT NULL,
    position INTEGER NOT NULL,
    reason TEXT NOT NULL,
    entry BLOB NOT NULL,
    set_aside_at INTEGER NOT NULL,
    PRIMARY KEY (server, position)
);
CREATE TABLE settings (
    changes INTEGER NOT NULL,       -- how many they have had
    default_model TEXT
);
INSERT INTO "settings" VALUES(1,'shop');
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
CREATE TABLE state (
    minute_horizon INTEGER NOT NULL,
    probes INTEGER NOT NULL,
    feedback_dropped INTEGER NOT NULL DEFAULT 0,
    server BLOB NOT NULL DEFAULT x'',
    entries_dropped INTEGER NOT NULL DEFAULT 0,
    request_ids_until INTEGER NOT NULL DEFAULT 0
);
INSERT INTO "state" VALUES(1795500000,0,0,X'3F72DFE882CD6520C9A787E5E0AFD7F2',0,0);
CREATE TABLE stretches (
    server_key INTEGER NOT NULL,
    first INTEGER NOT NULL,         -- position, a multiple of 4096
    lowest INTEGER NOT NULL,        -- prediction_order
    highest INTEGER NOT NULL,
    PRIMARY KEY (server_key, first)
) WITHOUT ROWID;
INSERT INTO "stretches" VALUES(1,0,7355436754968757,7355436755094856);
CREATE TABLE unit_journal (
    seq INTEGER PRIMARY KEY,
    units BLOB NOT NULL,
    format INTEGER NOT NULL DEFAULT 0 -- as in experiment_units
);
INSERT INTO "unit_journal" VALUES(1,X'02EEA48D84A093B5ADFF01060200BC8CC9B00D0401000100010100000001BC8CC9B00D010000000100000100010001000000000100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(2,X'02EEA48D84A093B5ADFF01060200BC8CC9B00D0401000100010100000001BC8CC9B00D0101000000000000F03F01000101000000000000F03F000100010001000000000100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(3,X'029BE99F96EC86BBBD72060200BC8CC9B00D0400000000000001BC8CC9B00D01000000010000010001000100000000010001000100000000000002A9CD98FD888CCBD44D060200BC8CC9B00D0401000101000000000000F03F010000000001BC8CC9B00D010000000100000100010001000000000100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(4,X'02CFC7E4B7EFD7E2CFDB01060400BC8CC9B00D0400000000000001BC8CC9B00D010000000100000100010001000000000100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(5,X'02CFC7E4B7EFD7E2CFDB01060400BC8CC9B00D0400000000000001BC8CC9B00D0101000000000000F03F01000101000000000000F03F000100010001000000000100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(6,X'02C78FD2A6DCFDF3CD8201060200BC8CC9B00D0401000100010100000001BC8CC9B00D010000000100000100010001000000000100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(7,X'02A0BC8FF994A696E5BA01060200BC8CC9B00D0400000000000001BC8CC9B00D010000000100000100010001000000000100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(8,X'028C99A3CC818CD7CCE401060200BC8CC9B00D0401000101000000000000F03F010000000001BC8CC9B00D010000000100000100010001000000000100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(9,X'028C99A3CC818CD7CCE401060200BC8CC9B00D0401000101000000000000F03F010000000001BC8CC9B00D0101000000000000F03F01000101000000000000F03F000100010001000000000100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(10,X'028AEDBBB681C5C0A012060400BC8CC9B00D0400000000000001BC8CC9B00D010000000100000100010001000000000100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(11,X'0294C1B9C8B0FDADC89801060400BC8CC9B00D0400000000000001BC8CC9B00D010000000100000100010001000000000100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(12,X'0294C1B9C8B0FDADC89801060400BC8CC9B00D0401000100010100000001BC8CC9B00D010000000100000100010001000000000100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(13,X'02EEA48D84A093B5ADFF01060200BC8CC9B00D0401000100010100000001BC8CC9B00D02010000000000000040010002010000000000000040000100020001000000000100020001000000000000',4);
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
INSERT INTO "versions" VALUES(1,'model-005beb03d1f5','shop','1','',0.8,'{}','{"type":"sentiment","method":"vader"}',NULL,'active',50.0,0.0,1795760926492321,1795760926498375,NULL,NULL);
INSERT INTO "versions" VALUES(2,'model-37afca59afcb','shop','2','',0.8,'{}','{"type":"sentiment","method":"vader"}',NULL,'active',50.0,0.0,1795760926500130,1795760926501091,NULL,NULL);
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
CREATE UNIQUE INDEX versions_by_name ON versions (name, version) WHERE deleted_at IS NULL;
CREATE INDEX audit_by_name ON audit (name, id);
CREATE INDEX audit_by_experiment ON audit (experiment_key, id) WHERE experiment_key IS NOT NULL;
CREATE TRIGGER audit_is_never_updated BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE INDEX shadows_by_version ON shadows (version_key, shadow_order);
CREATE INDEX shadows_by_mirrored ON shadows (mirrors_order);
CREATE INDEX rollups_by_version ON rollups (version_key);
CREATE UNIQUE INDEX one_experiment_runs ON experiments (name) WHERE status = 'running';
CREATE INDEX feedback_by_position ON feedback (server_key, position) WHERE position IS NOT NULL;
CREATE INDEX unit_outcomes_by_unit ON unit_outcomes (unit, at);
CREATE UNIQUE INDEX unit_outcomes_by_id ON unit_outcomes (outcome_id, name, metric) WHERE outcome_id IS NOT NULL;
CREATE INDEX unit_outcomes_waiting ON unit_outcomes (received_at) WHERE joined = 0;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('versions',2);
INSERT INTO "sqlite_sequence" VALUES('audit',9);
INSERT INTO "sqlite_sequence" VALUES('experiments',1);
COMMIT;
PRAGMA user_version = 14;
