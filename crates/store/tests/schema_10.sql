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
INSERT INTO "audit" VALUES(1,1795715775299782,'version.registered','shop','1.0.0',1,'{"model_id":"model-183a77627952","registered":{"accuracy":0.5,"activated_at":null,"created_at":1795715775299782,"description":"","key":1,"model_id":"model-183a77627952","runtime":{"method":"vader","type":"sentiment"},"status":"inactive","tags":{},"traffic_percent":0.0,"unreadable":null,"version":"1.0.0"},"salt":"eafbacec68a0a4c7c4144743c13d904d"}',NULL,1,-4455393404251326718);
INSERT INTO "audit" VALUES(2,1795715775301778,'version.activated','shop','1.0.0',2,'{"from":0.0,"to":100.0}',NULL,2,4329508753780695189);
INSERT INTO "audit" VALUES(3,1795715775302197,'default_model.set','',NULL,1,'{"from":null,"to":"shop"}',NULL,1,-2358269542266600841);
INSERT INTO "audit" VALUES(4,1795715775303086,'version.registered','shop','2.0.0',3,'{"model_id":"model-e87db063d12d","registered":{"accuracy":0.5,"activated_at":null,"created_at":1795715775303086,"description":"","key":2,"model_id":"model-e87db063d12d","runtime":{"method":"vader","type":"sentiment"},"status":"inactive","tags":{},"traffic_percent":0.0,"unreadable":null,"version":"2.0.0"},"salt":"eafbacec68a0a4c7c4144743c13d904d"}',NULL,3,4468578569751999886);
INSERT INTO "audit" VALUES(5,1795715775303919,'version.activated','shop','2.0.0',4,'{"from":0.0,"to":0.0}',NULL,4,-1662658308742191939);
INSERT INTO "audit" VALUES(6,1795715775304685,'metric.set','shop',NULL,4,'{"from":null,"to":{"direction":"up","kind":"continuous","lower_bound":0.0,"missing":"zero","name":"revenue","per":"unit","upper_bound":null,"window_seconds":20}}',NULL,5,5372932860575342909);
INSERT INTO "audit" VALUES(7,1795715775309886,'metric.set','shop',NULL,4,'{"from":null,"to":{"combine":"any","direction":"up","kind":"binary","lower_bound":null,"missing":"failure","name":"bought","per":"unit","upper_bound":null,"window_seconds":20}}',NULL,6,-3926620697141970310);
INSERT INTO "audit" VALUES(8,1795715775310589,'metric.set','shop',NULL,4,'{"from":null,"to":{"combine":"count","direction":"up","kind":"count","lower_bound":null,"missing":"zero","name":"visits","per":"unit","upper_bound":null,"window_seconds":20}}',NULL,7,6826202943889015370);
INSERT INTO "audit" VALUES(9,1795715775311278,'metric.set','shop',NULL,4,'{"from":null,"to":{"combine":"last","direction":"up","kind":"continuous","lower_bound":null,"missing":"excluded","name":"rating","per":"unit","upper_bound":null,"window_seconds":20}}',NULL,8,-8530449088339622059);
INSERT INTO "audit" VALUES(10,1795715775311954,'metric.set','shop',NULL,4,'{"from":null,"to":{"combine":"max","direction":"up","kind":"continuous","lower_bound":null,"missing":"excluded","name":"largest","per":"unit","upper_bound":null,"window_seconds":20}}',NULL,9,-8610600097295195470);
INSERT INTO "audit" VALUES(11,1795715775312641,'experiment.created','shop',NULL,4,'{"by":"person","definition":{"alpha":0.05,"arms":[{"key":1,"model_id":"model-183a77627952","version":"1.0.0","weight":50.0},{"key":2,"model_id":"model-e87db063d12d","version":"2.0.0","weight":50.0}],"burst_protection":true,"dimensions":["country"],"enrolment":1.0,"evidence_rules":1,"guardrails":["error","rejected"],"metrics":[{"direction":"up","kind":"continuous","lower_bound":0.0,"missing":"zero","name":"revenue","per":"unit","upper_bound":null,"window_seconds":20},{"combine":"any","direction":"up","kind":"binary","lower_bound":null,"missing":"failure","name":"bought","per":"unit","upper_bound":null,"window_seconds":20},{"combine":"count","direction":"up","kind":"count","lower_bound":null,"missing":"zero","name":"visits","per":"unit","upper_bound":null,"window_seconds":20},{"combine":"last","direction":"up","kind":"continuous","lower_bound":null,"missing":"excluded","name":"rating","per":"unit","upper_bound":null,"window_seconds":20},{"combine":"max","direction":"up","kind":"continuous","lower_bound":null,"missing":"excluded","name":"largest","per":"unit","upper_bound":null,"window_seconds":20},{"direction":"down","kind":"binary","lower_bound":null,"missing":"excluded","name":"error","upper_bound":null,"window_seconds":0},{"direction":"down","kind":"binary","lower_bound":null,"missing":"excluded","name":"rejected","upper_bound":null,"window_seconds":0}],"minimum_detectable_effect":null,"name":"shop","planned_units":5000.0,"policy":"fixed","power":0.8,"primary_metric":"revenue","relative":false,"salt":"8489fcc0b6632b5625c259e1d239818e","secondary_metrics":["bought","visits","rating","largest"],"slo_ms":null,"title":""},"experiment":"exp-73deab42d97a","key":1,"title":""}',1,10,4402985876793360036);
INSERT INTO "audit" VALUES(12,1795715775313981,'experiment.started','shop',NULL,5,'{"by":"person","experiment":"exp-73deab42d97a","from":{"1.0.0":100.0,"2.0.0":0.0},"progress":null,"scales":[null,{"cap":1.0,"centre":-0.0,"floor":0.0},null,null,null,{"cap":1.0,"centre":-0.0,"floor":0.0},{"cap":1.0,"centre":-0.0,"floor":0.0}],"to":{"1.0.0":50.0,"2.0.0":50.0}}',1,11,5466005513833259308);
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
    UNIQUE (experiment_key, epoch, version_key, metric, start, server_key)
);
INSERT INTO "evidence" VALUES(1,1,3,1,1005,-1,4,10,0.0,0.0,26.0,0.0,10,4,0,-8438001232283672418,X'',1,X'',4,0,0);
INSERT INTO "evidence" VALUES(2,1,3,1,5,-1,8,21,0.0,0.0,57.0,0.0,21,8,0,5112372688494786935,X'',1,X'',8,0,0);
INSERT INTO "evidence" VALUES(3,1,3,1,1006,-1,4,10,0.0,0.0,26.0,0.0,10,4,0,5231414499129198415,X'',1,X'',4,0,0);
INSERT INTO "evidence" VALUES(4,1,3,1,6,-1,8,21,0.0,0.0,57.0,0.0,21,8,0,6350144451435654895,X'',1,X'',8,0,0);
INSERT INTO "evidence" VALUES(5,1,3,1,1000,1795715775,4,4,27.0,283.5,4.0,27.0,4,4,0,6771582070864189953,X'',1,X'',4,4,0);
INSERT INTO "evidence" VALUES(6,1,3,1,1000,-1,4,4,27.0,283.5,4.0,27.0,4,4,0,-6977863502237662928,X'',1,X'',4,4,0);
INSERT INTO "evidence" VALUES(7,1,3,1,0,1795715775,8,8,54.0,576.0,8.0,54.0,8,8,0,-611688542905845719,X'',1,X'',8,8,0);
INSERT INTO "evidence" VALUES(8,1,3,1,0,-1,8,8,54.0,576.0,8.0,54.0,8,8,0,-6997137513870735064,X'',1,X'',8,8,0);
INSERT INTO "evidence" VALUES(9,1,3,1,1001,1795715775,4,4,0.0,0.0,4.0,0.0,0,0,0,3975161870089320898,X'',1,X'080000',0,0,0);
INSERT INTO "evidence" VALUES(10,1,3,1,1001,-1,4,4,0.0,0.0,4.0,0.0,0,0,0,-7590456576810772067,X'',1,X'080000',0,0,0);
INSERT INTO "evidence" VALUES(11,1,3,1,1,1795715775,8,8,0.0,0.0,8.0,0.0,0,0,0,1166934282792648894,X'',1,X'100000',0,0,0);
INSERT INTO "evidence" VALUES(12,1,3,1,1,-1,8,8,0.0,0.0,8.0,0.0,0,0,0,-777729435409205934,X'',1,X'100000',0,0,0);
INSERT INTO "evidence" VALUES(13,1,3,1,1002,1795715775,4,4,0.0,0.0,4.0,0.0,0,0,0,4261041532517680320,X'',1,X'',0,0,0);
INSERT INTO "evidence" VALUES(14,1,3,1,1002,-1,4,4,0.0,0.0,4.0,0.0,0,0,0,7791345474424144976,X'',1,X'',0,0,0);
INSERT INTO "evidence" VALUES(15,1,3,1,2,1795715775,8,8,0.0,0.0,8.0,0.0,0,0,0,2402235271423491689,X'',1,X'',0,0,0);
INSERT INTO "evidence" VALUES(16,1,3,1,2,-1,8,8,0.0,0.0,8.0,0.0,0,0,0,-4107613600492879340,X'',1,X'',0,0,0);
INSERT INTO "evidence" VALUES(17,1,3,1,1999,-1,4,10,0.0,0.0,0.0,0.0,0,4,0,3341128594543841854,X'',1,X'',0,0,0);
INSERT INTO "evidence" VALUES(18,1,3,1,-1,-1,8,21,0.0,0.0,0.0,0.0,0,8,0,5278409794358966336,X'',1,X'',0,0,0);
INSERT INTO "evidence" VALUES(19,1,3,1,2005,-1,2,5,0.0,0.0,13.0,0.0,5,2,0,-2625074129629477919,X'',1,X'',2,0,0);
INSERT INTO "evidence" VALUES(20,1,3,1,2006,-1,2,5,0.0,0.0,13.0,0.0,5,2,0,-8256689244646655456,X'',1,X'',2,0,0);
INSERT INTO "evidence" VALUES(21,1,3,1,2000,1795715775,2,2,16.5,227.25,2.0,16.5,2,2,0,-6999165228326099049,X'',1,X'',2,2,0);
INSERT INTO "evidence" VALUES(22,1,3,1,2000,-1,2,2,16.5,227.25,2.0,16.5,2,2,0,-520296380823523209,X'',1,X'',2,2,0);
INSERT INTO "evidence" VALUES(23,1,3,1,2001,1795715775,2,2,0.0,0.0,2.0,0.0,0,0,0,-5539156889428397208,X'',1,X'040000',0,0,0);
INSERT INTO "evidence" VALUES(24,1,3,1,2001,-1,2,2,0.0,0.0,2.0,0.0,0,0,0,2960426465667702363,X'',1,X'040000',0,0,0);
INSERT INTO "evidence" VALUES(25,1,3,1,2002,1795715775,2,2,0.0,0.0,2.0,0.0,0,0,0,2792416728155130111,X'',1,X'',0,0,0);
INSERT INTO "evidence" VALUES(26,1,3,1,2002,-1,2,2,0.0,0.0,2.0,0.0,0,0,0,-8981450199147904958,X'',1,X'',0,0,0);
INSERT INTO "evidence" VALUES(27,1,3,1,2999,-1,2,5,0.0,0.0,0.0,0.0,0,2,0,-6725132582360638258,X'',1,X'',0,0,0);
INSERT INTO "evidence" VALUES(28,1,3,1,3005,-1,2,6,0.0,0.0,18.0,0.0,6,2,0,4514221462471660822,X'',1,X'',2,0,0);
INSERT INTO "evidence" VALUES(29,1,3,1,3006,-1,2,6,0.0,0.0,18.0,0.0,6,2,0,145534966848943087,X'',1,X'',2,0,0);
INSERT INTO "evidence" VALUES(30,1,3,1,3000,1795715775,2,2,10.5,65.25,2.0,10.5,2,2,0,-5198084845649111555,X'',1,X'',2,2,0);
INSERT INTO "evidence" VALUES(31,1,3,1,3000,-1,2,2,10.5,65.25,2.0,10.5,2,2,0,-9008447675953197702,X'',1,X'',2,2,0);
INSERT INTO "evidence" VALUES(32,1,3,1,3001,1795715775,2,2,0.0,0.0,2.0,0.0,0,0,0,566163830838680851,X'',1,X'040000',0,0,0);
INSERT INTO "evidence" VALUES(33,1,3,1,3001,-1,2,2,0.0,0.0,2.0,0.0,0,0,0,668963085971845822,X'',1,X'040000',0,0,0);
INSERT INTO "evidence" VALUES(34,1,3,1,3002,1795715775,2,2,0.0,0.0,2.0,0.0,0,0,0,8762387144866067520,X'',1,X'',0,0,0);
INSERT INTO "evidence" VALUES(35,1,3,1,3002,-1,2,2,0.0,0.0,2.0,0.0,0,0,0,-2421801457211782337,X'',1,X'',0,0,0);
INSERT INTO "evidence" VALUES(36,1,3,1,3999,-1,2,6,0.0,0.0,0.0,0.0,0,2,0,-3565456519533779213,X'',1,X'',0,0,0);
INSERT INTO "evidence" VALUES(37,1,3,2,2005,-1,2,5,0.0,0.0,13.0,0.0,5,2,0,8964240438031439686,X'',1,X'',2,0,0);
INSERT INTO "evidence" VALUES(38,1,3,2,5,-1,4,9,0.0,0.0,21.0,0.0,9,4,0,-5490878042083129373,X'',1,X'',4,0,0);
INSERT INTO "evidence" VALUES(39,1,3,2,2006,-1,2,5,0.0,0.0,13.0,0.0,5,2,0,2871166226514708474,X'',1,X'',2,0,0);
INSERT INTO "evidence" VALUES(40,1,3,2,6,-1,4,9,0.0,0.0,21.0,0.0,9,4,0,-5131536928739828534,X'',1,X'',4,0,0);
INSERT INTO "evidence" VALUES(41,1,3,2,2000,1795715775,2,2,16.5,146.25,2.0,16.5,2,2,0,5753137252575223454,X'',1,X'',2,2,0);
INSERT INTO "evidence" VALUES(42,1,3,2,2000,-1,2,2,16.5,146.25,2.0,16.5,2,2,0,-7243634365372737505,X'',1,X'',2,2,0);
INSERT INTO "evidence" VALUES(43,1,3,2,0,1795715775,4,4,45.0,562.5,4.0,45.0,4,4,0,-7128498101041494261,X'',1,X'',4,4,0);
INSERT INTO "evidence" VALUES(44,1,3,2,0,-1,4,4,45.0,562.5,4.0,45.0,4,4,0,-5794899413384084868,X'',1,X'',4,4,0);
INSERT INTO "evidence" VALUES(45,1,3,2,2001,1795715775,2,2,0.0,0.0,2.0,0.0,0,0,0,4433621267240265422,X'',1,X'040000',0,0,0);
INSERT INTO "evidence" VALUES(46,1,3,2,2001,-1,2,2,0.0,0.0,2.0,0.0,0,0,0,1254977096321975649,X'',1,X'040000',0,0,0);
INSERT INTO "evidence" VALUES(47,1,3,2,1,1795715775,4,4,0.0,0.0,4.0,0.0,0,0,0,-6280469324374258583,X'',1,X'080000',0,0,0);
INSERT INTO "evidence" VALUES(48,1,3,2,1,-1,4,4,0.0,0.0,4.0,0.0,0,0,0,6072287943997627109,X'',1,X'080000',0,0,0);
INSERT INTO "evidence" VALUES(49,1,3,2,2002,1795715775,2,2,0.0,0.0,2.0,0.0,0,0,0,-4349064764721661937,X'',1,X'',0,0,0);
INSERT INTO "evidence" VALUES(50,1,3,2,2002,-1,2,2,0.0,0.0,2.0,0.0,0,0,0,1032641007486279260,X'',1,X'',0,0,0);
INSERT INTO "evidence" VALUES(51,1,3,2,2,1795715775,4,4,0.0,0.0,4.0,0.0,0,0,0,-4533704962214078174,X'',1,X'',0,0,0);
INSERT INTO "evidence" VALUES(52,1,3,2,2,-1,4,4,0.0,0.0,4.0,0.0,0,0,0,-9080781119793406302,X'',1,X'',0,0,0);
INSERT INTO "evidence" VALUES(53,1,3,2,2999,-1,2,5,0.0,0.0,0.0,0.0,0,2,0,3477603860052054901,X'',1,X'',0,0,0);
INSERT INTO "evidence" VALUES(54,1,3,2,-1,-1,4,9,0.0,0.0,0.0,0.0,0,4,0,8951984538489712964,X'',1,X'',0,0,0);
INSERT INTO "evidence" VALUES(55,1,3,2,3005,-1,2,4,0.0,0.0,8.0,0.0,4,2,0,-8322030973201548604,X'',1,X'',2,0,0);
INSERT INTO "evidence" VALUES(56,1,3,2,3006,-1,2,4,0.0,0.0,8.0,0.0,4,2,0,-9192313792675529807,X'',1,X'',2,0,0);
INSERT INTO "evidence" VALUES(57,1,3,2,3000,1795715775,2,2,28.5,416.25,2.0,28.5,2,2,0,8137913436724547236,X'',1,X'',2,2,0);
INSERT INTO "evidence" VALUES(58,1,3,2,3000,-1,2,2,28.5,416.25,2.0,28.5,2,2,0,-8071972595872082122,X'',1,X'',2,2,0);
INSERT INTO "evidence" VALUES(59,1,3,2,3001,1795715775,2,2,0.0,0.0,2.0,0.0,0,0,0,-3327406115453870713,X'',1,X'040000',0,0,0);
INSERT INTO "evidence" VALUES(60,1,3,2,3001,-1,2,2,0.0,0.0,2.0,0.0,0,0,0,-4033521860160951538,X'',1,X'040000',0,0,0);
INSERT INTO "evidence" VALUES(61,1,3,2,3002,1795715775,2,2,0.0,0.0,2.0,0.0,0,0,0,-3292810704138216365,X'',1,X'',0,0,0);
INSERT INTO "evidence" VALUES(62,1,3,2,3002,-1,2,2,0.0,0.0,2.0,0.0,0,0,0,-359208357020321364,X'',1,X'',0,0,0);
INSERT INTO "evidence" VALUES(63,1,3,2,3999,-1,2,4,0.0,0.0,0.0,0.0,0,2,0,-8185092471569249229,X'',1,X'',0,0,0);
CREATE TABLE experiment_epochs (
    experiment_key INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    shares TEXT NOT NULL,           -- JSON, the control first
    started_at INTEGER NOT NULL DEFAULT 0,
    scales TEXT NOT NULL DEFAULT '[]', -- JSON, by metric: how values become numbers from 0 to 1; [] before schema 8
    PRIMARY KEY (experiment_key, epoch)
);
INSERT INTO "experiment_epochs" VALUES(1,3,'[0.5,0.5]',1795715775313981,'[null,{"floor":0.0,"cap":1.0,"centre":-0.0},null,null,null,{"floor":0.0,"cap":1.0,"centre":-0.0},{"floor":0.0,"cap":1.0,"centre":-0.0}]');
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
INSERT INTO "experiment_minutes" VALUES(1,3,1,29928596,1,X'000015000000000000000000',-833519464776505803);
INSERT INTO "experiment_minutes" VALUES(1,3,2,29928596,1,X'000009000000000000000000',12261970000309671);
CREATE TABLE experiment_segments (
    experiment_key INTEGER NOT NULL,
    dimension INTEGER NOT NULL,     -- its place in the definition
    place INTEGER NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (experiment_key, dimension, place)
) WITHOUT ROWID;
INSERT INTO "experiment_segments" VALUES(1,0,0,'DE');
INSERT INTO "experiment_segments" VALUES(1,0,1,'AT');
INSERT INTO "experiment_segments" VALUES(1,0,2,'FR');
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
INSERT INTO "experiments" VALUES(1,'exp-73deab42d97a','shop','running','{"name":"shop","title":"","policy":"fixed","arms":[{"key":1,"model_id":"model-183a77627952","version":"1.0.0","weight":50.0},{"key":2,"model_id":"model-e87db063d12d","version":"2.0.0","weight":50.0}],"primary_metric":"revenue","secondary_metrics":["bought","visits","rating","largest"],"guardrails":["error","rejected"],"metrics":[{"name":"revenue","kind":"continuous","direction":"up","window_seconds":20,"lower_bound":0.0,"upper_bound":null,"missing":"zero","per":"unit"},{"name":"bought","kind":"binary","direction":"up","window_seconds":20,"lower_bound":null,"upper_bound":null,"missing":"failure","per":"unit","combine":"any"},{"name":"visits","kind":"count","direction":"up","window_seconds":20,"lower_bound":null,"upper_bound":null,"missing":"zero","per":"unit","combine":"count"},{"name":"rating","kind":"continuous","direction":"up","window_seconds":20,"lower_bound":null,"upper_bound":null,"missing":"excluded","per":"unit","combine":"last"},{"name":"largest","kind":"continuous","direction":"up","window_seconds":20,"lower_bound":null,"upper_bound":null,"missing":"excluded","per":"unit","combine":"max"},{"name":"error","kind":"binary","direction":"down","window_seconds":0,"lower_bound":null,"upper_bound":null,"missing":"excluded"},{"name":"rejected","kind":"binary","direction":"down","window_seconds":0,"lower_bound":null,"upper_bound":null,"missing":"excluded"}],"alpha":0.05,"power":0.8,"minimum_detectable_effect":null,"relative":false,"planned_units":5000.0,"enrolment":1.0,"dimensions":["country"],"salt":"8489fcc0b6632b5625c259e1d239818e","slo_ms":null,"burst_protection":true,"evidence_rules":1}',1795715775312641,1795715775313981,NULL,NULL,NULL,NULL,1,NULL,NULL,NULL,NULL);
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
INSERT INTO "feedback" VALUES(7355251815773049,'correct',1.0,NULL,1795715775353484,0,-739526982437310773,1,46,NULL);
CREATE TABLE metrics (
    name TEXT NOT NULL,
    metric TEXT NOT NULL,
    definition TEXT NOT NULL,       -- JSON
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (name, metric)
);
INSERT INTO "metrics" VALUES('shop','revenue','{"name":"revenue","kind":"continuous","direction":"up","window_seconds":20,"lower_bound":0.0,"upper_bound":null,"missing":"zero","per":"unit"}',1795715775304685);
INSERT INTO "metrics" VALUES('shop','bought','{"name":"bought","kind":"binary","direction":"up","window_seconds":20,"lower_bound":null,"upper_bound":null,"missing":"failure","per":"unit","combine":"any"}',1795715775309886);
INSERT INTO "metrics" VALUES('shop','visits','{"name":"visits","kind":"count","direction":"up","window_seconds":20,"lower_bound":null,"upper_bound":null,"missing":"zero","per":"unit","combine":"count"}',1795715775310589);
INSERT INTO "metrics" VALUES('shop','rating','{"name":"rating","kind":"continuous","direction":"up","window_seconds":20,"lower_bound":null,"upper_bound":null,"missing":"excluded","per":"unit","combine":"last"}',1795715775311278);
INSERT INTO "metrics" VALUES('shop','largest','{"name":"largest","kind":"continuous","direction":"up","window_seconds":20,"lower_bound":null,"upper_bound":null,"missing":"excluded","per":"unit","combine":"max"}',1795715775311954);
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
INSERT INTO "models" VALUES('shop','eafbacec68a0a4c7c4144743c13d904d',5,3,1,11,'[]');
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
INSERT INTO "pending_feedback" VALUES(6427814817428271668,0,'shop','order-99','correct',1.0,NULL,1795715775353029);
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
    request_number INTEGER,         -- the first 64 bits of the SHA-256 of it, by which it is found
    request_body INTEGER,           -- a keyed hash of what was asked
    made_at INTEGER                 -- when it was made, where that was elsewhere
);
INSERT INTO "predictions" VALUES(7355251815709909,2799227752947520072,1,1,0,2,3,0.5,'user-0',0,'day','"neutral"',1.0,14065478,NULL,1,1,1,'{"age":0,"country":"DE"}',NULL,'order-0',4113939890466087615,653293871995953085,NULL);
INSERT INTO "predictions" VALUES(7355251815770588,2781851623281920865,1,1,0,2,3,0.5,'user-1',0,'good day','"positive"',7.05473684210526363891e-01,9364,NULL,1,1,2,'{"age":1,"country":"AT"}',NULL,'order-1',842140288160000396,4048056891682239403,NULL);
INSERT INTO "predictions" VALUES(7355251815772013,4514725074588790402,1,1,0,2,3,0.5,'user-2',0,'good good day','"positive"',8.42263157894736824715e-01,2003,NULL,1,1,3,'{"age":2,"country":"FR"}',NULL,'order-2',4422025789410818563,8690723494404303267,NULL);
INSERT INTO "predictions" VALUES(7355251815773049,1497076482091536063,1,1,0,2,3,0.5,'user-3',0,'day','"neutral"',1.0,972,NULL,1,1,4,'{"age":3,"country":"DE"}',NULL,'order-3',2948901799056768351,7157718754601213104,NULL);
INSERT INTO "predictions" VALUES(7355251815773946,4290136350988556215,2,2,0,2,3,0.5,'user-4',0,'good day','"positive"',7.05473684210526363891e-01,1042,NULL,1,1,5,'{"age":4,"country":"AT"}',NULL,'order-4',8094758992920151098,6099611843572645766,NULL);
INSERT INTO "predictions" VALUES(7355251815774880,4579649335250280073,1,1,0,2,3,0.5,'user-5',0,'good good day','"positive"',8.42263157894736824715e-01,932,NULL,1,1,6,'{"age":5,"country":"FR"}',NULL,'order-5',-640084720896040159,-2519646394764244227,NULL);
INSERT INTO "predictions" VALUES(7355251815775773,3514106293164797355,1,1,0,2,3,0.5,'user-6',0,'day','"neutral"',1.0,651,NULL,1,1,7,'{"age":6,"country":"DE"}',NULL,'order-6',3021126916122100098,7620227240541463424,NULL);
INSERT INTO "predictions" VALUES(7355251815776633,4388522874047638571,2,2,0,2,3,0.5,'user-7',0,'good day','"positive"',7.05473684210526363891e-01,811,NULL,1,1,8,'{"age":7,"country":"AT"}',NULL,'order-7',-2338221418368716233,-6782105862256272487,NULL);
INSERT INTO "predictions" VALUES(7355251815777510,1706085482961249504,2,2,0,2,3,0.5,'user-8',0,'good good day','"positive"',8.42263157894736824715e-01,691,NULL,1,1,9,'{"age":8,"country":"FR"}',NULL,'order-8',3647763769251762488,5754764081219890557,NULL);
INSERT INTO "predictions" VALUES(7355251815778501,2177363822570810648,1,1,0,2,3,0.5,'user-9',0,'day','"neutral"',1.0,751,NULL,1,1,10,'{"age":9,"country":"DE"}',NULL,'order-9',-2499861631056584471,8262667752042013121,NULL);
INSERT INTO "predictions" VALUES(7355251815779398,1211176990569750092,1,1,0,2,3,0.5,'user-10',0,'good day','"positive"',7.05473684210526363891e-01,901,NULL,1,1,11,'{"age":10,"country":"AT"}',NULL,'order-10',4160725448133227557,-1372473052782703507,NULL);
INSERT INTO "predictions" VALUES(7355251815780266,1732307745470485748,2,2,0,2,3,0.5,'user-11',0,'good good day','"positive"',8.42263157894736824715e-01,831,NULL,1,1,12,'{"age":11,"country":"FR"}',NULL,'order-11',-4658135952363329797,-4549569098565101613,NULL);
INSERT INTO "predictions" VALUES(7355251815781106,3132296416128705722,1,1,0,2,3,0.5,'user-0',0,'day','"neutral"',1.0,541,NULL,1,1,13,'{"age":12,"country":"DE"}',NULL,'order-12',4087498144774950217,-6410561419707686092,NULL);
INSERT INTO "predictions" VALUES(7355251815781913,1832464101369903528,1,1,0,2,3,0.5,'user-1',0,'good day','"positive"',7.05473684210526363891e-01,762,NULL,1,1,14,'{"age":13,"country":"AT"}',NULL,'order-13',-6593283053984661711,7950731380612591707,NULL);
INSERT INTO "predictions" VALUES(7355251815782745,3963889935498773436,1,1,0,2,3,0.5,'user-2',0,'good good day','"positive"',8.42263157894736824715e-01,781,NULL,1,1,15,'{"age":14,"country":"FR"}',NULL,'order-14',1660285684242625806,-4468211048218900836,NULL);
INSERT INTO "predictions" VALUES(7355251815783592,3874990056205976037,1,1,0,2,3,0.5,'user-3',0,'day','"neutral"',1.0,601,NULL,1,1,16,'{"age":15,"country":"DE"}',NULL,'order-15',-2642368730017449303,3476071362975884622,NULL);
INSERT INTO "predictions" VALUES(7355251815784424,2419257405559269470,2,2,0,2,3,0.5,'user-4',0,'good day','"positive"',7.05473684210526363891e-01,751,NULL,1,1,17,'{"age":16,"country":"AT"}',NULL,'order-16',7219249917614047014,-8692848942765637847,NULL);
INSERT INTO "predictions" VALUES(7355251815785325,4014472577620702273,1,1,0,2,3,0.5,'user-5',0,'good good day','"positive"',8.42263157894736824715e-01,1002,NULL,1,1,18,'{"age":17,"country":"FR"}',NULL,'order-17',8262151088296910288,6048357095554700419,NULL);
INSERT INTO "predictions" VALUES(7355251815786095,670100991465091450,1,1,0,2,3,0.5,'user-6',0,'day','"neutral"',1.0,550,NULL,1,1,19,'{"age":18,"country":"DE"}',NULL,'order-18',5381151079089521621,-6701425250598593311,NULL);
INSERT INTO "predictions" VALUES(7355251815786935,1608688780080232170,2,2,0,2,3,0.5,'user-7',0,'good day','"positive"',7.05473684210526363891e-01,751,NULL,1,1,20,'{"age":19,"country":"AT"}',NULL,'order-19',4248962572209758406,-2302801556551738028,NULL);
INSERT INTO "predictions" VALUES(7355251815787742,1060545895538039451,2,2,0,2,3,0.5,'user-8',0,'good good day','"positive"',8.42263157894736824715e-01,712,NULL,1,1,21,'{"age":20,"country":"FR"}',NULL,'order-20',-7960079904776182258,5628199519054849126,NULL);
INSERT INTO "predictions" VALUES(7355251815788585,1393939875962922485,1,1,0,2,3,0.5,'user-9',0,'day','"neutral"',1.0,561,NULL,1,1,22,'{"age":21,"country":"DE"}',NULL,'order-21',3644646210335600126,-3618322287423361471,NULL);
INSERT INTO "predictions" VALUES(7355251815789437,809956645145916152,1,1,0,2,3,0.5,'user-10',0,'good day','"positive"',7.05473684210526363891e-01,641,NULL,1,1,23,'{"age":22,"country":"AT"}',NULL,'order-22',-6694264231763785476,-3572952228124036224,NULL);
INSERT INTO "predictions" VALUES(7355251815790310,1785203002149419306,2,2,0,2,3,0.5,'user-11',0,'good good day','"positive"',8.42263157894736824715e-01,851,NULL,1,1,24,'{"age":23,"country":"FR"}',NULL,'order-23',-5797747831655661543,126665042672853598,NULL);
INSERT INTO "predictions" VALUES(7355251815791186,2183020261442219249,1,1,0,2,3,0.5,'user-0',0,'day','"neutral"',1.0,591,NULL,1,1,25,'{"age":24,"country":"DE"}',NULL,'order-24',-5121438069316128523,-9139799904584249146,NULL);
INSERT INTO "predictions" VALUES(7355251815792030,4600539369382121870,1,1,0,2,3,0.5,'user-1',0,'good day','"positive"',7.05473684210526363891e-01,751,NULL,1,1,26,'{"age":25,"country":"AT"}',NULL,'order-25',-1644474909708949877,8676212647942713188,NULL);
INSERT INTO "predictions" VALUES(7355251815792853,4531180948397870118,1,1,0,2,3,0.5,'user-2',0,'good good day','"positive"',8.42263157894736824715e-01,721,NULL,1,1,27,'{"age":26,"country":"FR"}',NULL,'order-26',5888298780025870128,-7488359705218295979,NULL);
INSERT INTO "predictions" VALUES(7355251815793656,838728818552687388,1,1,0,2,3,0.5,'user-3',0,'day','"neutral"',1.0,610,NULL,1,1,28,'{"age":27,"country":"DE"}',NULL,'order-27',-8319443021270014020,3444095614158655393,NULL);
INSERT INTO "predictions" VALUES(7355251815794455,688020574040331450,2,2,0,2,3,0.5,'user-4',0,'good day','"positive"',7.05473684210526363891e-01,661,NULL,1,1,29,'{"age":28,"country":"AT"}',NULL,'order-28',5685730050424101560,6918387522858106326,NULL);
INSERT INTO "predictions" VALUES(7355251815795446,177493362568753386,1,1,0,2,3,0.5,'user-5',0,'good good day','"positive"',8.42263157894736824715e-01,861,NULL,1,1,30,'{"age":29,"country":"FR"}',NULL,'order-29',3025930307947083447,2763005535651797127,NULL);
CREATE TABLE receipts (
    receipt BLOB PRIMARY KEY,       -- a UUID version 7, so they sort by time
    outcome BLOB NOT NULL,
    awaited INTEGER NOT NULL        -- 1 where its caller was told all the same
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
    content_hash INTEGER NOT NULL DEFAULT 0, -- over those that may be erased: unit_id, input, prediction, error, attributes
    server_key INTEGER NOT NULL,    -- who counted: its rows are added up when they are read
    UNIQUE (tier, start, version_key, epoch, server_key)
);
INSERT INTO "rollups" VALUES(1,0,0,1,3,21,0,0,21,1.85809473684210537669e+01,1.67449089584487538213e+01,14090025,1.97837773101137031524e+02,X'BE020101010101030101020301010105010202010101010501020102010201010123014E01F20201',1,1,0,21,6158559681144702476,-4335292118594501514,4864196385412734061,1);
INSERT INTO "rollups" VALUES(2,1,1795651200,1,3,21,0,0,21,1.85809473684210537669e+01,1.67449089584487538213e+01,14090025,1.97837773101137031524e+02,X'BE020101010101030101020301010105010202010101010501020102010201010123014E01F20201',1,1,0,21,6158559681144702476,2188082194458448150,4864196385412734061,1);
INSERT INTO "rollups" VALUES(3,2,1795712400,1,3,21,0,0,21,1.85809473684210537669e+01,1.67449089584487538213e+01,14090025,1.97837773101137031524e+02,X'BE020101010101030101020301010105010202010101010501020102010201010123014E01F20201',1,1,0,21,6158559681144702476,-6879345636796698624,4864196385412734061,1);
INSERT INTO "rollups" VALUES(4,3,1795715760,1,3,21,0,0,21,1.85809473684210537669e+01,1.67449089584487538213e+01,14090025,1.97837773101137031524e+02,X'BE020101010101030101020301010105010202010101010501020102010201010123014E01F20201',1,1,0,21,6158559681144702476,-5975972633688545720,4864196385412734061,1);
INSERT INTO "rollups" VALUES(5,0,0,2,3,9,0,0,9,6.89642105263157745298e+00,5.32609450415512508669e+00,7101,5.707595e-06,X'C802010301010103020401010101010A01',0,0,0,9,7239758086336658486,4088432000449455737,2360042327952224686,1);
INSERT INTO "rollups" VALUES(6,1,1795651200,2,3,9,0,0,9,6.89642105263157745298e+00,5.32609450415512508669e+00,7101,5.707595e-06,X'C802010301010103020401010101010A01',0,0,0,9,7239758086336658486,2811780511725521015,2360042327952224686,1);
INSERT INTO "rollups" VALUES(7,2,1795712400,2,3,9,0,0,9,6.89642105263157745298e+00,5.32609450415512508669e+00,7101,5.707595e-06,X'C802010301010103020401010101010A01',0,0,0,9,7239758086336658486,-369994315259673914,2360042327952224686,1);
INSERT INTO "rollups" VALUES(8,3,1795715760,2,3,9,0,0,9,6.89642105263157745298e+00,5.32609450415512508669e+00,7101,5.707595e-06,X'C802010301010103020401010101010A01',0,0,0,9,7239758086336658486,2603484511247092429,2360042327952224686,1);
CREATE TABLE secrets (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,             -- webhook.url, webhook.secret
    value TEXT NOT NULL,
    row_hash INTEGER,               -- null where it was written before there were hashes
    PRIMARY KEY (id, kind)
) WITHOUT ROWID;
CREATE TABLE servers (
    server_key INTEGER PRIMARY KEY,
    server BLOB NOT NULL UNIQUE,
    position INTEGER NOT NULL
);
INSERT INTO "servers" VALUES(1,X'01F39ABB9E1078518090D58B6420200E',46);
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
CREATE TABLE state (
    minute_horizon INTEGER NOT NULL,
    probes INTEGER NOT NULL,
    feedback_dropped INTEGER NOT NULL DEFAULT 0,
    server BLOB NOT NULL DEFAULT x'',
    entries_dropped INTEGER NOT NULL DEFAULT 0
);
INSERT INTO "state" VALUES(1795453200,0,0,X'01F39ABB9E1078518090D58B6420200E',0);
CREATE TABLE stretches (
    server_key INTEGER NOT NULL,
    first INTEGER NOT NULL,         -- position, a multiple of 4096
    lowest INTEGER NOT NULL,        -- prediction_order
    highest INTEGER NOT NULL,
    PRIMARY KEY (server_key, first)
) WITHOUT ROWID;
INSERT INTO "stretches" VALUES(1,0,7355251815709909,7355251815795446);
CREATE TABLE unit_journal (
    seq INTEGER PRIMARY KEY,
    units BLOB NOT NULL,
    format INTEGER NOT NULL DEFAULT 0 -- as in experiment_units
);
INSERT INTO "unit_journal" VALUES(1,X'02EEA48D84A093B5ADFF01060200FECAC3B00D0701FECAC3B00D01000100000001FA9D9FC79AA6980301FECAC3B00D01000000010001FA9D9FC79AA6980301FECAC3B00D01000000000001FA9D9FC79AA69803000000000001FA9D9FC79AA69803000000000001FA9D9FC79AA698030100030001000000000100030001000000000101029BE99F96EC86BBBD72060200FECAC3B00D0701FECAC3B00D01000000000001D891A0C79AA6980301FECAC3B00D01000000010001D891A0C79AA6980301FECAC3B00D01000000000001D891A0C79AA69803000000000001D891A0C79AA69803000000000001D891A0C79AA69803010003000100000000010003000100000000010202A9CD98FD888CCBD44D060200FECAC3B00D0701FECAC3B00D01000000000001B494A0C79AA6980301FECAC3B00D01000000010001B494A0C79AA6980301FECAC3B00D01000000000001B494A0C79AA69803000000000001B494A0C79AA69803000000000001B494A0C79AA69803010003000100000000010003000100000000010302CFC7E4B7EFD7E2CFDB01060200FECAC3B00D0701FECAC3B00D01000000000001B196A0C79AA6980301FECAC3B00D01000000010001B196A0C79AA6980301FECAC3B00D01000000000001B196A0C79AA69803000000000001B196A0C79AA69803000000000001B196A0C79AA69803010003000100000000010003000100000000010102C78FD2A6DCFDF3CD8201060400FECAC3B00D0701FECAC3B00D010000000000018C98A0C79AA6980301FECAC3B00D010000000100018C98A0C79AA6980301FECAC3B00D010000000000018C98A0C79AA698030000000000018C98A0C79AA698030000000000018C98A0C79AA69803010003000100000000010003000100000000010202A0BC8FF994A696E5BA01060200FECAC3B00D0701FECAC3B00D01000000000001F099A0C79AA6980301FECAC3B00D01000000010001F099A0C79AA6980301FECAC3B00D01000000000001F099A0C79AA69803000000000001F099A0C79AA69803000000000001F099A0C79AA698030100030001000000000100030001000000000103028C99A3CC818CD7CCE401060200FECAC3B00D0701FECAC3B00D01000000000001CA9BA0C79AA6980301FECAC3B00D01000000010001CA9BA0C79AA6980301FECAC3B00D01000000000001CA9BA0C79AA69803000000000001CA9BA0C79AA69803000000000001CA9BA0C79AA698030100020001000000000100020001000000000101028AEDBBB681C5C0A012060400FECAC3B00D0701FECAC3B00D010000000000019C9DA0C79AA6980301FECAC3B00D010000000100019C9DA0C79AA6980301FECAC3B00D010000000000019C9DA0C79AA698030000000000019C9DA0C79AA698030000000000019C9DA0C79AA6980301000200010000000001000200010000000001020294C1B9C8B0FDADC89801060400FECAC3B00D0701FECAC3B00D01000000000001F29EA0C79AA6980301FECAC3B00D01000000010001F29EA0C79AA6980301FECAC3B00D01000000000001F29EA0C79AA69803000000000001F29EA0C79AA69803000000000001F29EA0C79AA6980301000200010000000001000200010000000001030286AFFBF8C2D4BF8129060200FECAC3B00D0701FECAC3B00D01000000000001E4A0A0C79AA6980301FECAC3B00D01000000010001E4A0A0C79AA6980301FECAC3B00D01000000000001E4A0A0C79AA69803000000000001E4A0A0C79AA69803000000000001E4A0A0C79AA69803010002000100000000010002000100000000010102B1AF9BF5A5A897D436060200FECAC3B00D0701FECAC3B00D01000000000001BFA2A0C79AA6980301FECAC3B00D01000000010001BFA2A0C79AA6980301FECAC3B00D01000000000001BFA2A0C79AA69803000000000001BFA2A0C79AA69803000000000001BFA2A0C79AA69803010002000100000000010002000100000000010202F4EC91E8AC92E2C0F801060400FECAC3B00D0701FECAC3B00D0100000000000193A4A0C79AA6980301FECAC3B00D0100000001000193A4A0C79AA6980301FECAC3B00D0100000000000193A4A0C79AA6980300000000000193A4A0C79AA6980300000000000193A4A0C79AA698030100020001000000000100020001000000000103',3);
INSERT INTO "unit_journal" VALUES(2,X'029BE99F96EC86BBBD72060200FECAC3B00D0701FECAC3B00D0101000000000000F83F0100000001D891A0C79AA6980301FECAC3B00D01000000010001D891A0C79AA6980301FECAC3B00D01000000000001D891A0C79AA69803000000000001D891A0C79AA69803000000000001D891A0C79AA698030100030001000000000100030001000000000102',3);
INSERT INTO "unit_journal" VALUES(3,X'02A9CD98FD888CCBD44D060200FECAC3B00D0701FECAC3B00D010100000000000008400100000001B494A0C79AA6980301FECAC3B00D01000000010001B494A0C79AA6980301FECAC3B00D01000000000001B494A0C79AA69803000000000001B494A0C79AA69803000000000001B494A0C79AA698030100030001000000000100030001000000000103',3);
INSERT INTO "unit_journal" VALUES(4,X'02CFC7E4B7EFD7E2CFDB01060200FECAC3B00D0701FECAC3B00D010100000000000012400100000001B196A0C79AA6980301FECAC3B00D01000000010001B196A0C79AA6980301FECAC3B00D01000000000001B196A0C79AA69803000000000001B196A0C79AA69803000000000001B196A0C79AA698030100030001000000000100030001000000000101',3);
INSERT INTO "unit_journal" VALUES(5,X'02C78FD2A6DCFDF3CD8201060400FECAC3B00D0701FECAC3B00D0101000000000000184001000000018C98A0C79AA6980301FECAC3B00D010000000100018C98A0C79AA6980301FECAC3B00D010000000000018C98A0C79AA698030000000000018C98A0C79AA698030000000000018C98A0C79AA698030100030001000000000100030001000000000102',3);
INSERT INTO "unit_journal" VALUES(6,X'02A0BC8FF994A696E5BA01060200FECAC3B00D0701FECAC3B00D01010000000000001E400100000001F099A0C79AA6980301FECAC3B00D01000000010001F099A0C79AA6980301FECAC3B00D01000000000001F099A0C79AA69803000000000001F099A0C79AA69803000000000001F099A0C79AA698030100030001000000000100030001000000000103',3);
INSERT INTO "unit_journal" VALUES(7,X'028C99A3CC818CD7CCE401060200FECAC3B00D0701FECAC3B00D010100000000000022400100000001CA9BA0C79AA6980301FECAC3B00D01000000010001CA9BA0C79AA6980301FECAC3B00D01000000000001CA9BA0C79AA69803000000000001CA9BA0C79AA69803000000000001CA9BA0C79AA698030100020001000000000100020001000000000101',3);
INSERT INTO "unit_journal" VALUES(8,X'028AEDBBB681C5C0A012060400FECAC3B00D0701FECAC3B00D0101000000000000254001000000019C9DA0C79AA6980301FECAC3B00D010000000100019C9DA0C79AA6980301FECAC3B00D010000000000019C9DA0C79AA698030000000000019C9DA0C79AA698030000000000019C9DA0C79AA698030100020001000000000100020001000000000102',3);
INSERT INTO "unit_journal" VALUES(9,X'0294C1B9C8B0FDADC89801060400FECAC3B00D0701FECAC3B00D010100000000000028400100000001F29EA0C79AA6980301FECAC3B00D01000000010001F29EA0C79AA6980301FECAC3B00D01000000000001F29EA0C79AA69803000000000001F29EA0C79AA69803000000000001F29EA0C79AA698030100020001000000000100020001000000000103',3);
INSERT INTO "unit_journal" VALUES(10,X'0286AFFBF8C2D4BF8129060200FECAC3B00D0701FECAC3B00D01010000000000002B400100000001E4A0A0C79AA6980301FECAC3B00D01000000010001E4A0A0C79AA6980301FECAC3B00D01000000000001E4A0A0C79AA69803000000000001E4A0A0C79AA69803000000000001E4A0A0C79AA698030100020001000000000100020001000000000101',3);
INSERT INTO "unit_journal" VALUES(11,X'02B1AF9BF5A5A897D436060200FECAC3B00D0701FECAC3B00D01010000000000002E400100000001BFA2A0C79AA6980301FECAC3B00D01000000010001BFA2A0C79AA6980301FECAC3B00D01000000000001BFA2A0C79AA69803000000000001BFA2A0C79AA69803000000000001BFA2A0C79AA698030100020001000000000100020001000000000102',3);
INSERT INTO "unit_journal" VALUES(12,X'02F4EC91E8AC92E2C0F801060400FECAC3B00D0701FECAC3B00D01010000000000803040010000000193A4A0C79AA6980301FECAC3B00D0100000001000193A4A0C79AA6980301FECAC3B00D0100000000000193A4A0C79AA6980300000000000193A4A0C79AA6980300000000000193A4A0C79AA698030100020001000000000100020001000000000103',3);
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
INSERT INTO "unit_outcomes" VALUES(1,'shop','revenue',9200126492737120567,'user-0',1795715775340950,0.0,'p-0',1795715775340950,1,31,1,4452466731746731409);
INSERT INTO "unit_outcomes" VALUES(2,'shop','revenue',-4124582693711379022,'user-1',1795715775347498,1.5,'p-1',1795715775347498,1,32,1,2669951077245854140);
INSERT INTO "unit_outcomes" VALUES(3,'shop','revenue',-2798026402611532629,'user-2',1795715775347944,3.0,'p-2',1795715775347944,1,33,1,1907621147671604564);
INSERT INTO "unit_outcomes" VALUES(4,'shop','revenue',-7912760084197577192,'user-3',1795715775348384,4.5,'p-3',1795715775348384,1,34,1,2037983569663788906);
INSERT INTO "unit_outcomes" VALUES(5,'shop','revenue',-4705672233218622436,'user-4',1795715775348862,6.0,'p-4',1795715775348862,1,35,1,-4426594786633727695);
INSERT INTO "unit_outcomes" VALUES(6,'shop','revenue',6729834252333084432,'user-5',1795715775349279,7.5,'p-5',1795715775349279,1,36,1,-1617323218153857506);
INSERT INTO "unit_outcomes" VALUES(7,'shop','revenue',8236149339949655622,'user-6',1795715775349715,9.0,'p-6',1795715775349715,1,37,1,5972769255697836652);
INSERT INTO "unit_outcomes" VALUES(8,'shop','revenue',657667468686752581,'user-7',1795715775350122,10.5,'p-7',1795715775350122,1,38,1,-8908172734215804687);
INSERT INTO "unit_outcomes" VALUES(9,'shop','revenue',5496744455254257738,'user-8',1795715775350540,12.0,'p-8',1795715775350540,1,39,1,-2661537647220393810);
INSERT INTO "unit_outcomes" VALUES(10,'shop','revenue',1477602143313554371,'user-9',1795715775350964,13.5,'p-9',1795715775350964,1,40,1,561620431632507051);
INSERT INTO "unit_outcomes" VALUES(11,'shop','revenue',-1969250206886357977,'user-10',1795715775351387,15.0,'p-10',1795715775351387,1,41,1,-5681151178368378333);
INSERT INTO "unit_outcomes" VALUES(12,'shop','revenue',8953371878744013626,'user-11',1795715775351800,16.5,'p-11',1795715775351800,1,42,1,-3365801543724148086);
INSERT INTO "unit_outcomes" VALUES(13,'shop','revenue',-3304147919365898411,'user-12',1795715775352213,18.0,'p-12',1795715775352213,1,43,0,-207138709616681570);
INSERT INTO "unit_outcomes" VALUES(14,'shop','revenue',9061014943537425460,'user-13',1795715775352635,19.5,'p-13',1795715775352635,1,44,0,-4735077137859607760);
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
INSERT INTO "versions" VALUES(1,'model-183a77627952','shop','1.0.0','',0.5,'{}','{"type":"sentiment","method":"vader"}','active',50.0,1795715775299782,1795715775301778,NULL,NULL);
INSERT INTO "versions" VALUES(2,'model-e87db063d12d','shop','2.0.0','',0.5,'{}','{"type":"sentiment","method":"vader"}','active',50.0,1795715775303086,1795715775303919,NULL,NULL);
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
CREATE INDEX predictions_by_request ON predictions (request_number) WHERE request_number IS NOT NULL;
CREATE INDEX rollups_by_version ON rollups (version_key);
CREATE UNIQUE INDEX one_experiment_runs ON experiments (name) WHERE status = 'running';
CREATE INDEX feedback_by_position ON feedback (server_key, position) WHERE position IS NOT NULL;
CREATE INDEX unit_outcomes_by_unit ON unit_outcomes (unit, at);
CREATE UNIQUE INDEX unit_outcomes_by_id ON unit_outcomes (outcome_id, name, metric) WHERE outcome_id IS NOT NULL;
CREATE INDEX unit_outcomes_waiting ON unit_outcomes (received_at) WHERE joined = 0;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('versions',2);
INSERT INTO "sqlite_sequence" VALUES('audit',12);
INSERT INTO "sqlite_sequence" VALUES('experiments',1);
COMMIT;
PRAGMA user_version = 10;
