BEGIN TRANSACTION;
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
    row_hash INTEGER                -- of the other columns
);
INSERT INTO "audit" VALUES(1,1795737594038341,'version.registered','shop','1',1,'{"model_id":"model-c123f4297abb","registered":{"accuracy":0.5,"activated_at":null,"created_at":1795737594038341,"description":"","key":1,"model_id":"model-c123f4297abb","runtime":{"method":"afinn","type":"sentiment"},"shadow_percent":0.0,"status":"inactive","tags":{},"traffic_percent":0.0,"unreadable":null,"version":"1"},"salt":"26b89ec84a3c172c0b3c42e8f0778bb0"}',NULL,1,2111452075390653411);
INSERT INTO "audit" VALUES(2,1795737594103642,'version.registered','shop','2',2,'{"model_id":"model-94700d00c9c4","registered":{"accuracy":0.5,"activated_at":null,"created_at":1795737594103642,"description":"","key":2,"model_id":"model-94700d00c9c4","runtime":{"method":"vader","type":"sentiment"},"shadow_percent":0.0,"status":"inactive","tags":{},"traffic_percent":0.0,"unreadable":null,"version":"2"},"salt":"26b89ec84a3c172c0b3c42e8f0778bb0"}',NULL,2,-6369554136353740443);
INSERT INTO "audit" VALUES(3,1795737594188854,'version.registered','shop','3',3,'{"model_id":"model-5c4015d318c1","registered":{"accuracy":0.5,"activated_at":null,"created_at":1795737594188854,"description":"","key":3,"model_id":"model-5c4015d318c1","runtime":{"method":"vader","type":"sentiment"},"shadow_percent":0.0,"status":"inactive","tags":{},"traffic_percent":0.0,"unreadable":null,"version":"3"},"salt":"26b89ec84a3c172c0b3c42e8f0778bb0"}',NULL,3,-7247019980324903636);
INSERT INTO "audit" VALUES(4,1795737594276868,'version.activated','shop','1',4,'{"from":0.0,"to":100.0}',NULL,4,-5981385028644136233);
INSERT INTO "audit" VALUES(5,1795737594277832,'default_model.set','',NULL,1,'{"from":null,"to":"shop"}',NULL,1,721046846909026114);
INSERT INTO "audit" VALUES(6,1795737594285924,'version.patched','shop','3',5,'{"from":{"description":"","status":"inactive","tags":{}},"to":{"description":"","status":"testing","tags":{}}}',NULL,5,9209801580012914655);
INSERT INTO "audit" VALUES(7,1795737594294122,'version.shadow_set','shop','3',6,'{"from":0.0,"to":100.0}',NULL,6,4997921935712963562);
INSERT INTO "audit" VALUES(8,1795737594302096,'webhook.created','',NULL,2,'{"definition":{"name":null},"webhook":"hook-3acacc3e370b"}',NULL,2,-8679692145187708468);
INSERT INTO "audit" VALUES(9,1795737594313585,'experiment.created','shop',NULL,6,'{"by":"person","definition":{"alpha":0.05,"arms":[{"key":1,"model_id":"model-c123f4297abb","version":"1","weight":50.0},{"key":2,"model_id":"model-94700d00c9c4","version":"2","weight":50.0}],"burst_protection":true,"enrolment":1.0,"evidence_rules":1,"guardrails":["error","rejected"],"metrics":[{"direction":"down","kind":"binary","lower_bound":null,"missing":"excluded","name":"error","upper_bound":null,"window_seconds":0},{"direction":"down","kind":"binary","lower_bound":null,"missing":"excluded","name":"rejected","upper_bound":null,"window_seconds":0}],"minimum_detectable_effect":null,"name":"shop","planned_units":5000.0,"policy":"fixed","power":0.8,"primary_metric":"error","relative":false,"salt":"c6460fb6c04b2da16b79029da12e6286","secondary_metrics":[],"slo_ms":null,"title":""},"experiment":"exp-c7402422bd56","key":1,"title":""}',1,7,-2487668651870502872);
INSERT INTO "audit" VALUES(10,1795737594415136,'experiment.started','shop',NULL,7,'{"by":"person","experiment":"exp-c7402422bd56","from":{"1":100.0,"2":0.0},"progress":null,"scales":[{"cap":1.0,"centre":-0.0,"floor":0.0},{"cap":1.0,"centre":-0.0,"floor":0.0}],"to":{"1":50.0,"2":50.0}}',1,8,-5894511112884901670);
CREATE TABLE begun_calls (
    prediction_order INTEGER PRIMARY KEY,
    entry BLOB NOT NULL
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
INSERT INTO "evidence" VALUES(1,1,2,2,0,-1,10,10,0.0,0.0,10.0,0.0,10,10,0,-6092563642659010180,X'',1,X'140000',10,0,0,X'');
INSERT INTO "evidence" VALUES(2,1,2,2,1,-1,10,10,0.0,0.0,10.0,0.0,10,10,0,1618042921873755705,X'',1,X'',10,0,0,X'');
INSERT INTO "evidence" VALUES(3,1,2,2,-1,-1,10,10,0.0,0.0,0.0,0.0,0,10,0,6220033524379984495,X'',1,X'',0,0,0,X'');
INSERT INTO "evidence" VALUES(4,1,2,1,0,-1,10,10,0.0,0.0,10.0,0.0,10,10,0,-7428518649792798758,X'',1,X'140000',10,0,0,X'');
INSERT INTO "evidence" VALUES(5,1,2,1,1,-1,10,10,0.0,0.0,10.0,0.0,10,10,0,-1598012803941343044,X'',1,X'',10,0,0,X'');
INSERT INTO "evidence" VALUES(6,1,2,1,-1,-1,10,10,0.0,0.0,0.0,0.0,0,10,0,-6539725117749925759,X'',1,X'',0,0,0,X'');
CREATE TABLE experiment_epochs (
    experiment_key INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    shares TEXT NOT NULL,           -- JSON, the control first
    started_at INTEGER NOT NULL DEFAULT 0,
    scales TEXT NOT NULL DEFAULT '[]', -- JSON, by metric: how values become numbers from 0 to 1; [] before schema 8
    PRIMARY KEY (experiment_key, epoch)
);
INSERT INTO "experiment_epochs" VALUES(1,2,'[0.5,0.5]',1795737594415136,'[{"floor":0.0,"cap":1.0,"centre":-0.0},{"floor":0.0,"cap":1.0,"centre":-0.0}]');
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
INSERT INTO "experiment_minutes" VALUES(1,2,1,29928959,1,X'000000000000000000000A00',8032355527866353041);
INSERT INTO "experiment_minutes" VALUES(1,2,2,29928959,1,X'000000000000000000000A00',-3328516084265816507);
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
    winner INTEGER                  -- the place of the arm that was promoted
);
INSERT INTO "experiments" VALUES(1,'exp-c7402422bd56','shop','running','{"name":"shop","title":"","policy":"fixed","arms":[{"key":1,"model_id":"model-c123f4297abb","version":"1","weight":50.0},{"key":2,"model_id":"model-94700d00c9c4","version":"2","weight":50.0}],"primary_metric":"error","secondary_metrics":[],"guardrails":["error","rejected"],"metrics":[{"name":"error","kind":"binary","direction":"down","window_seconds":0,"lower_bound":null,"upper_bound":null,"missing":"excluded"},{"name":"rejected","kind":"binary","direction":"down","window_seconds":0,"lower_bound":null,"upper_bound":null,"missing":"excluded"}],"alpha":0.05,"power":0.8,"minimum_detectable_effect":null,"relative":false,"planned_units":5000.0,"enrolment":1.0,"salt":"c6460fb6c04b2da16b79029da12e6286","slo_ms":null,"burst_protection":true,"evidence_rules":1}',1795737594313585,1795737594415136,NULL,NULL,NULL,NULL,1,NULL,NULL,NULL,NULL);
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
INSERT INTO "feedback" VALUES(7355341186772382,'correct',1.0,'"positive"',1795737594519825,0,-1832514003189631396,1,3,NULL);
INSERT INTO "feedback" VALUES(7355341187188949,'correct',1.0,'"positive"',1795737594612187,0,904901586906315058,1,6,NULL);
INSERT INTO "feedback" VALUES(7355341187566892,'correct',1.0,'"positive"',1795737594706117,0,2432168673316018905,1,9,NULL);
INSERT INTO "feedback" VALUES(7355341187951698,'correct',1.0,'"positive"',1795737594802029,0,-7400894282749974747,1,12,NULL);
INSERT INTO "feedback" VALUES(7355341188343813,'correct',1.0,'"positive"',1795737594891022,0,-9029281444148421347,1,15,NULL);
INSERT INTO "feedback" VALUES(7355341188711482,'correct',1.0,'"positive"',1795737594980008,0,-2034186321032662161,1,18,NULL);
INSERT INTO "feedback" VALUES(7355341189073576,'correct',1.0,'"positive"',1795737595069778,0,-2459553491970951813,1,21,NULL);
INSERT INTO "feedback" VALUES(7355341189439239,'correct',1.0,'"positive"',1795737595161134,0,3591912750704853730,1,24,NULL);
INSERT INTO "feedback" VALUES(7355341189815845,'correct',1.0,'"positive"',1795737595251391,0,3092366900296300666,1,27,NULL);
INSERT INTO "feedback" VALUES(7355341190183629,'correct',1.0,'"positive"',1795737595340652,0,5704139347775076185,1,30,NULL);
INSERT INTO "feedback" VALUES(7355341190547534,'correct',1.0,'"positive"',1795737595435137,0,-1970599888692458841,1,33,NULL);
INSERT INTO "feedback" VALUES(7355341190941533,'correct',1.0,'"positive"',1795737595527907,0,-2049798730761654422,1,36,NULL);
INSERT INTO "feedback" VALUES(7355341191323870,'correct',1.0,'"positive"',1795737595619940,0,7465255750691854492,1,39,NULL);
INSERT INTO "feedback" VALUES(7355341191699166,'correct',1.0,'"positive"',1795737595710757,0,7161426495387202082,1,42,NULL);
INSERT INTO "feedback" VALUES(7355341192071750,'correct',1.0,'"positive"',1795737595801820,0,5086481303114576417,1,45,NULL);
INSERT INTO "feedback" VALUES(7355341192439022,'correct',1.0,'"positive"',1795737595889815,0,8097697222266431749,1,48,NULL);
INSERT INTO "feedback" VALUES(7355341192797103,'correct',1.0,'"positive"',1795737595975527,0,7969397474697820943,1,51,NULL);
INSERT INTO "feedback" VALUES(7355341193150342,'correct',1.0,'"positive"',1795737596060196,0,-5293190399961123975,1,54,NULL);
INSERT INTO "feedback" VALUES(7355341193493447,'correct',1.0,'"positive"',1795737596148733,0,-8170098123630441665,1,57,NULL);
INSERT INTO "feedback" VALUES(7355341193856582,'correct',1.0,'"positive"',1795737596235708,0,-3983315033458652604,1,60,NULL);
CREATE TABLE metrics (
    name TEXT NOT NULL,
    metric TEXT NOT NULL,
    definition TEXT NOT NULL,       -- JSON
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (name, metric)
);
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
    rules TEXT NOT NULL DEFAULT '[]' -- JSON: conditions on attributes, and the version of each
);
INSERT INTO "models" VALUES('shop','26b89ec84a3c172c0b3c42e8f0778bb0',7,2,1,8,'[]');
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
    outputs TEXT                    -- what else was answered, by name: JSON
);
INSERT INTO "predictions" VALUES(7355341186772382,2065943218407124582,2,2,0,2,2,0.5,'u1',0,'good 1','"positive"',7.05473684210526363891e-01,24663694,NULL,1,1,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355341187188949,429553985589674660,2,2,0,2,2,0.5,'u2',0,'good 2','"positive"',7.05473684210526363891e-01,85198,NULL,1,1,4,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355341187566892,57621759567535087,1,1,0,2,2,0.5,'u3',0,'good 3','"positive"',7.95985492471470879038e-01,1153721,NULL,1,1,7,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355341187951698,2412585537632619613,1,1,0,2,2,0.5,'u4',0,'good 4','"positive"',7.95985492471470879038e-01,68483,NULL,1,1,10,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355341188343813,587175790459767655,2,2,0,2,2,0.5,'u5',0,'good 5','"positive"',7.05473684210526363891e-01,96294,NULL,1,1,13,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355341188711482,2275227478876462908,2,2,0,2,2,0.5,'u6',0,'good 6','"positive"',7.05473684210526363891e-01,86509,NULL,1,1,16,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355341189073576,578302879095019494,2,2,0,2,2,0.5,'u7',0,'good 7','"positive"',7.05473684210526363891e-01,88643,NULL,1,1,19,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355341189439239,2532797901939482608,2,2,0,2,2,0.5,'u8',0,'good 8','"positive"',7.05473684210526363891e-01,83115,NULL,1,1,22,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355341189815845,3027496351465574951,1,1,0,2,2,0.5,'u9',0,'good 9','"positive"',7.95985492471470879038e-01,63014,NULL,1,1,25,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355341190183629,816020598861685212,1,1,0,2,2,0.5,'u10',0,'good 10','"positive"',7.95985492471470879038e-01,54351,NULL,1,1,28,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355341190547534,4246906784177952457,2,2,0,2,2,0.5,'u11',0,'good 11','"positive"',7.05473684210526363891e-01,87822,NULL,1,1,31,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355341190941533,1737385735263792598,1,1,0,2,2,0.5,'u12',0,'good 12','"positive"',7.95985492471470879038e-01,69704,NULL,1,1,34,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355341191323870,1792717675434916382,1,1,0,2,2,0.5,'u13',0,'good 13','"positive"',7.95985492471470879038e-01,72298,NULL,1,1,37,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355341191699166,3374638812668694934,2,2,0,2,2,0.5,'u14',0,'good 14','"positive"',7.05473684210526363891e-01,98458,NULL,1,1,40,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355341192071750,560460807522846522,2,2,0,2,2,0.5,'u15',0,'good 15','"positive"',7.05473684210526363891e-01,90225,NULL,1,1,43,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355341192439022,120707672557842383,1,1,0,2,2,0.5,'u16',0,'good 16','"positive"',7.95985492471470879038e-01,66049,NULL,1,1,46,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355341192797103,3447616427993907130,1,1,0,2,2,0.5,'u17',0,'good 17','"positive"',7.95985492471470879038e-01,55633,NULL,1,1,49,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355341193150342,59940078791558769,2,2,0,2,2,0.5,'u18',0,'good 18','"positive"',7.05473684210526363891e-01,86409,NULL,1,1,52,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355341193493447,1233737566659638905,1,1,0,2,2,0.5,'u19',0,'good 19','"positive"',7.95985492471470879038e-01,101282,NULL,1,1,55,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355341193856582,625200785280268441,1,1,0,2,2,0.5,'u20',0,'good 20','"positive"',7.95985492471470879038e-01,59219,NULL,1,1,58,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
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
    UNIQUE (tier, start, version_key, epoch, server_key)
);
INSERT INTO "rollups" VALUES(1,0,0,2,2,10,0,0,10,7.0547368421052620846e+00,4.97693119113573523293e+00,25466367,6.08369596198384897422e+02,X'BD0401010101030101010103010101970201',10,10,0,10,4885991311463771212,905420907499252127,6004738476547650490,1);
INSERT INTO "rollups" VALUES(2,1,1795651200,2,2,10,0,0,10,7.0547368421052620846e+00,4.97693119113573523293e+00,25466367,6.08369596198384897422e+02,X'BD0401010101030101010103010101970201',10,10,0,10,4885991311463771212,-8973125979961639495,6004738476547650490,1);
INSERT INTO "rollups" VALUES(3,2,1795734000,2,2,10,0,0,10,7.0547368421052620846e+00,4.97693119113573523293e+00,25466367,6.08369596198384897422e+02,X'BD0401010101030101010103010101970201',10,10,0,10,4885991311463771212,-8794240510161923371,6004738476547650490,1);
INSERT INTO "rollups" VALUES(4,3,1795737540,2,2,10,0,0,10,7.0547368421052620846e+00,4.97693119113573523293e+00,25466367,6.08369596198384897422e+02,X'BD0401010101030101010103010101970201',10,10,0,10,4885991311463771212,-8432587136424529980,6004738476547650490,1);
INSERT INTO "rollups" VALUES(5,0,0,1,2,10,0,0,10,7.95985492471470745812e+00,6.33592904225049924349e+00,1763754,1.373994945522,X'A70401010103010401020102010101020111017A01',10,10,0,10,2959160049143451258,-8342359216791937353,4469382664250333831,1);
INSERT INTO "rollups" VALUES(6,1,1795651200,1,2,10,0,0,10,7.95985492471470745812e+00,6.33592904225049924349e+00,1763754,1.373994945522,X'A70401010103010401020102010101020111017A01',10,10,0,10,2959160049143451258,-1519054210471020979,4469382664250333831,1);
INSERT INTO "rollups" VALUES(7,2,1795734000,1,2,10,0,0,10,7.95985492471470745812e+00,6.33592904225049924349e+00,1763754,1.373994945522,X'A70401010103010401020102010101020111017A01',10,10,0,10,2959160049143451258,-4080775128997762614,4469382664250333831,1);
INSERT INTO "rollups" VALUES(8,3,1795737540,1,2,10,0,0,10,7.95985492471470745812e+00,6.33592904225049924349e+00,1763754,1.373994945522,X'A70401010103010401020102010101020111017A01',10,10,0,10,2959160049143451258,1839989092999704554,4469382664250333831,1);
CREATE TABLE secrets (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,             -- webhook.url, webhook.secret
    value TEXT NOT NULL,
    row_hash INTEGER,               -- null where it was written before there were hashes
    PRIMARY KEY (id, kind)
) WITHOUT ROWID;
INSERT INTO "secrets" VALUES('hook-3acacc3e370b','webhook.secret','whsec_+r98P3QBQ8oWc8mJC7kAEj19FP753TFz13YCBua9pCE=',-4886083581213646483);
INSERT INTO "secrets" VALUES('hook-3acacc3e370b','webhook.url','https://example.com/hook',-5747345604519591784);
CREATE TABLE servers (
    server_key INTEGER PRIMARY KEY,
    server BLOB NOT NULL UNIQUE,
    position INTEGER NOT NULL
);
INSERT INTO "servers" VALUES(1,X'4EC51FF324D9A2013AC0B604A25E0E6E',60);
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
INSERT INTO "settings" VALUES(2,'shop');
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
INSERT INTO "shadows" VALUES(7355341186875319,1002296329647470040,3,7355341186772382,1.0,'"positive"',7.05473684210526363891e-01,NULL,23766,NULL,0,1,2);
INSERT INTO "shadows" VALUES(7355341187190186,1344299135081537260,3,7355341187188949,1.0,'"positive"',7.05473684210526363891e-01,NULL,11737,NULL,0,1,5);
INSERT INTO "shadows" VALUES(7355341187572712,688552459841551473,3,7355341187566892,1.0,'"positive"',7.05473684210526363891e-01,NULL,41322,NULL,0,1,8);
INSERT INTO "shadows" VALUES(7355341187953087,327524563801603625,3,7355341187951698,1.0,'"positive"',7.05473684210526363891e-01,NULL,38809,NULL,0,1,11);
INSERT INTO "shadows" VALUES(7355341188345095,2337505644941734268,3,7355341188343813,1.0,'"positive"',7.05473684210526363891e-01,NULL,10876,NULL,0,1,14);
INSERT INTO "shadows" VALUES(7355341188712625,802464892019317058,3,7355341188711482,1.0,'"positive"',7.05473684210526363891e-01,NULL,10115,NULL,0,1,17);
INSERT INTO "shadows" VALUES(7355341189074744,551101722696188972,3,7355341189073576,1.0,'"positive"',7.05473684210526363891e-01,NULL,9304,NULL,0,1,20);
INSERT INTO "shadows" VALUES(7355341189440283,1320362463052103828,3,7355341189439239,1.0,'"positive"',7.05473684210526363891e-01,NULL,9494,NULL,0,1,23);
INSERT INTO "shadows" VALUES(7355341189817017,40910698844424011,3,7355341189815845,1.0,'"positive"',7.05473684210526363891e-01,NULL,37146,NULL,0,1,26);
INSERT INTO "shadows" VALUES(7355341190184874,3319802731040164285,3,7355341190183629,1.0,'"positive"',7.05473684210526363891e-01,NULL,36565,NULL,0,1,29);
INSERT INTO "shadows" VALUES(7355341190548739,4053575163611151790,3,7355341190547534,1.0,'"positive"',7.05473684210526363891e-01,NULL,9735,NULL,0,1,32);
INSERT INTO "shadows" VALUES(7355341190943007,3886018112238337842,3,7355341190941533,1.0,'"positive"',7.05473684210526363891e-01,NULL,37366,NULL,0,1,35);
INSERT INTO "shadows" VALUES(7355341191325479,2263694788406244239,3,7355341191323870,1.0,'"positive"',7.05473684210526363891e-01,NULL,40030,NULL,0,1,38);
INSERT INTO "shadows" VALUES(7355341191700571,934937589238368752,3,7355341191699166,1.0,'"positive"',7.05473684210526363891e-01,NULL,10776,NULL,0,1,41);
INSERT INTO "shadows" VALUES(7355341192072967,2852686914536010422,3,7355341192071750,1.0,'"positive"',7.05473684210526363891e-01,NULL,10916,NULL,0,1,44);
INSERT INTO "shadows" VALUES(7355341192440484,132453754171702572,3,7355341192439022,1.0,'"positive"',7.05473684210526363891e-01,NULL,39540,NULL,0,1,47);
INSERT INTO "shadows" VALUES(7355341192798397,1125498658521822393,3,7355341192797103,1.0,'"positive"',7.05473684210526363891e-01,NULL,36776,NULL,0,1,50);
INSERT INTO "shadows" VALUES(7355341193151464,3400041611089738754,3,7355341193150342,1.0,'"positive"',7.05473684210526363891e-01,NULL,10195,NULL,0,1,53);
INSERT INTO "shadows" VALUES(7355341193495028,4529592477587132539,3,7355341193493447,1.0,'"positive"',7.05473684210526363891e-01,NULL,37165,NULL,0,1,56);
INSERT INTO "shadows" VALUES(7355341193857901,2776604148234182630,3,7355341193856582,1.0,'"positive"',7.05473684210526363891e-01,NULL,38137,NULL,0,1,59);
CREATE TABLE state (
    minute_horizon INTEGER NOT NULL,
    probes INTEGER NOT NULL,
    feedback_dropped INTEGER NOT NULL DEFAULT 0,
    server BLOB NOT NULL DEFAULT x'',
    entries_dropped INTEGER NOT NULL DEFAULT 0,
    request_ids_until INTEGER NOT NULL DEFAULT 0
);
INSERT INTO "state" VALUES(1795474800,0,0,X'4EC51FF324D9A2013AC0B604A25E0E6E',0,0);
CREATE TABLE stretches (
    server_key INTEGER NOT NULL,
    first INTEGER NOT NULL,         -- position, a multiple of 4096
    lowest INTEGER NOT NULL,        -- prediction_order
    highest INTEGER NOT NULL,
    PRIMARY KEY (server_key, first)
) WITHOUT ROWID;
INSERT INTO "stretches" VALUES(1,0,7355341186772382,7355341193856582);
CREATE TABLE unit_journal (
    seq INTEGER PRIMARY KEY,
    units BLOB NOT NULL,
    format INTEGER NOT NULL DEFAULT 0 -- as in experiment_units
);
INSERT INTO "unit_journal" VALUES(1,X'028BD5A1BDC8BCFEFD8801040400F49FC6B00D020100010001000100019EDB8E95CDB4880D0100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(2,X'02FEF7A4E591B281A2D901040400F49FC6B00D02010001000100010001D591A895CDB4880D0100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(3,X'02E8C3ACA2FCFB9C9E02040200F49FC6B00D02010001000100010001AC9ABF95CDB4880D0100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(4,X'02D5F7BCE6F096BFB62C040200F49FC6B00D02010001000100010001D2D8D695CDB4880D0100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(5,X'02A0ECFF81D08FD0D0B001040400F49FC6B00D0201000100010001000185D0EE95CDB4880D0100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(6,X'028AE38CE2F2D6AFEAE301040400F49FC6B00D02010001000100010001BA888596CDB4880D0100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(7,X'02B7DFC0D9E0FFFFE72F040400F49FC6B00D02010001000100010001A8959B96CDB4880D0100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(8,X'02E7F59AB9B697D7E66E040400F69FC6B00D0201000100010001000187BEB196CDB4880D0100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(9,X'02FC92DFEEFDAA93BFAA01040200F69FC6B00D02010001000100010001A5BCC896CDB4880D0100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(10,X'02909D9E90E7BBCEDA20040200F69FC6B00D02010001000100010001CDF5DE96CDB4880D0100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(11,X'02A989EDF6AEC1BC93DA01040400F69FC6B00D02010001000100010001CE90F596CDB4880D0100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(12,X'02ABBEE8A0A2CED4F9B501040200F69FC6B00D02010001000100010001DD968D97CDB4880D0100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(13,X'02C1E09F8E8CFCC6F8D301040200F69FC6B00D02010001000100010001DEC1A497CDB4880D0100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(14,X'02DFC8F1D2D9B2D4B68E01040400F69FC6B00D02010001000100010001DEB5BB97CDB4880D0100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(15,X'02C6A8A89A90F8D9D1DF01040400F69FC6B00D02010001000100010001C694D297CDB4880D0100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(16,X'02D69686F3B0AB8D8853040200F69FC6B00D02010001000100010001EEC9E897CDB4880D0100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(17,X'02DE8CD6EFA183ECF79D01040200F69FC6B00D02010001000100010001AFB7FE97CDB4880D0100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(18,X'029DD7C7CEBAD383C75B040400F69FC6B00D0201000100010001000186FF9398CDB4880D0100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(19,X'02A1B4B397F994FEEC23040200F89FC6B00D02010001000100010001C7F7A898CDB4880D0100010001000000000000',4);
INSERT INTO "unit_journal" VALUES(20,X'02EDCDEA85B98AAFD567040200F89FC6B00D02010001000100010001C68CBF98CDB4880D0100010001000000000000',4);
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
INSERT INTO "versions" VALUES(1,'model-c123f4297abb','shop','1','',0.5,'{}','{"type":"sentiment","method":"afinn"}',NULL,'active',50.0,0.0,1795737594038341,1795737594276868,NULL,NULL);
INSERT INTO "versions" VALUES(2,'model-94700d00c9c4','shop','2','',0.5,'{}','{"type":"sentiment","method":"vader"}',NULL,'active',50.0,0.0,1795737594103642,1795737594415136,NULL,NULL);
INSERT INTO "versions" VALUES(3,'model-5c4015d318c1','shop','3','',0.5,'{}','{"type":"sentiment","method":"vader"}',NULL,'testing',0.0,100.0,1795737594188854,NULL,NULL,NULL);
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
INSERT INTO "webhooks" VALUES(1,'hook-3acacc3e370b',1795737594302096,'{"name":null}',7,2,1795737597419033,'error sending request: client error (Connect): dns error: error resolving DNS: failed to lookup address information: Name or service not known',0);
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
INSERT INTO "sqlite_sequence" VALUES('versions',3);
INSERT INTO "sqlite_sequence" VALUES('audit',10);
INSERT INTO "sqlite_sequence" VALUES('webhooks',1);
INSERT INTO "sqlite_sequence" VALUES('experiments',1);
COMMIT;
PRAGMA user_version = 12;
