BEGIN TRANSACTION;
CREATE TABLE models (
    name TEXT PRIMARY KEY,
    salt TEXT NOT NULL,
    revision INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    fallback INTEGER NOT NULL,
    changes INTEGER NOT NULL DEFAULT 0, -- how many it has had: commands are decided by this number
    rules TEXT NOT NULL DEFAULT '[]' -- JSON: conditions on attributes, and the version of each
);
INSERT INTO models VALUES('shop','d896d95038e987792dad38337030c7af',6,3,1,8,'[]');
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
INSERT INTO versions VALUES(1,'model-ee2947e57054','shop','1','',0.5,'{"a":"b"}','{"type":"sentiment","method":"afinn"}','active',50.0,1795725781868831,1795725782181658,NULL,NULL);
INSERT INTO versions VALUES(2,'model-bf542c5bb03c','shop','2','',0.5,'{}','{"type":"sentiment","method":"vader"}','active',50.0,1795725782026445,1795725782189723,NULL,NULL);
INSERT INTO versions VALUES(3,'model-598da1fe404f','shop','3','',0.5,'{}','{"type":"http","url":"http://127.0.0.1:9/x","body":"json","prediction_pointer":"/prediction","connect_timeout_ms":1000,"timeout_ms":10000,"max_reply_bytes":1048576,"headers":{"x-a":"b"},"refused_statuses":[400,413,415,422],"busy_statuses":[429,503],"probe":"This is a probe."}','inactive',0.0,1795725782173588,NULL,NULL,NULL);
CREATE TABLE aliases (
    name TEXT NOT NULL,
    alias TEXT NOT NULL,
    version_key INTEGER NOT NULL REFERENCES versions (version_key),
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (name, alias)
);
INSERT INTO aliases VALUES('shop','best',1,1795725782201752);
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
INSERT INTO audit VALUES(1,1795725781868831,'version.registered','shop','1',1,'{"model_id":"model-ee2947e57054","registered":{"accuracy":0.5,"activated_at":null,"created_at":1795725781868831,"description":"","key":1,"model_id":"model-ee2947e57054","runtime":{"method":"afinn","type":"sentiment"},"status":"inactive","tags":{"a":"b"},"traffic_percent":0.0,"unreadable":null,"version":"1"},"salt":"d896d95038e987792dad38337030c7af"}',NULL,1,-5909239593077200274);
INSERT INTO audit VALUES(2,1795725782026445,'version.registered','shop','2',2,'{"model_id":"model-bf542c5bb03c","registered":{"accuracy":0.5,"activated_at":null,"created_at":1795725782026445,"description":"","key":2,"model_id":"model-bf542c5bb03c","runtime":{"method":"vader","type":"sentiment"},"status":"inactive","tags":{},"traffic_percent":0.0,"unreadable":null,"version":"2"},"salt":"d896d95038e987792dad38337030c7af"}',NULL,2,-5118011367737317674);
INSERT INTO audit VALUES(3,1795725782173588,'version.registered','shop','3',3,'{"model_id":"model-598da1fe404f","registered":{"accuracy":0.5,"activated_at":null,"created_at":1795725782173588,"description":"","key":3,"model_id":"model-598da1fe404f","runtime":{"body":"json","busy_statuses":[429,503],"connect_timeout_ms":1000,"headers":{"x-a":"b"},"max_reply_bytes":1048576,"prediction_pointer":"/prediction","probe":"This is a probe.","refused_statuses":[400,413,415,422],"timeout_ms":10000,"type":"http","url":"http://127.0.0.1:9/x"},"status":"inactive","tags":{},"traffic_percent":0.0,"unreadable":null,"version":"3"},"salt":"d896d95038e987792dad38337030c7af"}',NULL,3,-4468698270797837269);
INSERT INTO audit VALUES(4,1795725782181658,'version.activated','shop','1',4,'{"from":0.0,"to":60.0}',NULL,4,6932400909278883218);
INSERT INTO audit VALUES(5,1795725782182144,'default_model.set','',NULL,1,'{"from":null,"to":"shop"}',NULL,1,-6334945395960635187);
INSERT INTO audit VALUES(6,1795725782189723,'version.activated','shop','2',5,'{"from":0.0,"to":40.0}',NULL,5,4958185798021763765);
INSERT INTO audit VALUES(7,1795725782201752,'alias.set','shop','1',5,'{"alias":"best","from":null,"to":"1"}',NULL,6,-4398148188172170330);
INSERT INTO audit VALUES(8,1795725782213861,'experiment.created','shop',NULL,5,'{"by":"person","definition":{"alpha":0.05,"arms":[{"key":1,"model_id":"model-ee2947e57054","version":"1","weight":50.0},{"key":2,"model_id":"model-bf542c5bb03c","version":"2","weight":50.0}],"burst_protection":true,"enrolment":1.0,"evidence_rules":1,"guardrails":["error","rejected"],"metrics":[{"direction":"up","kind":"binary","lower_bound":null,"missing":"excluded","name":"correct","upper_bound":null,"window_seconds":0},{"direction":"down","kind":"binary","lower_bound":null,"missing":"excluded","name":"error","upper_bound":null,"window_seconds":0},{"direction":"down","kind":"binary","lower_bound":null,"missing":"excluded","name":"rejected","upper_bound":null,"window_seconds":0}],"minimum_detectable_effect":null,"name":"shop","planned_units":5000.0,"policy":"fixed","power":0.8,"primary_metric":"correct","relative":false,"salt":"a27983b76de16cfdce43c232fa72202f","secondary_metrics":[],"slo_ms":null,"title":""},"experiment":"exp-f6171685d094","key":1,"title":""}',1,7,882898290791913665);
INSERT INTO audit VALUES(9,1795725782365109,'experiment.started','shop',NULL,6,'{"by":"person","experiment":"exp-f6171685d094","from":{"1":60.0,"2":40.0},"progress":null,"scales":[{"cap":1.0,"centre":-0.0,"floor":0.0},{"cap":1.0,"centre":-0.0,"floor":0.0},{"cap":1.0,"centre":-0.0,"floor":0.0}],"to":{"1":50.0,"2":50.0}}',1,8,8634060095727157598);
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
    failure TEXT                    -- how the chosen version failed, when it did
);
INSERT INTO predictions VALUES(7355292804618445,2377200248113306382,1,1,0,2,3,0.5,'user-0',0,'it is good 0','"positive"',0.79598549247147087903,589649,NULL,1,1,1,'{"country":"de"}',NULL,'order-0',NULL,-632671582422150666,NULL,NULL);
INSERT INTO predictions VALUES(7355292805258728,3691812242710119215,2,2,0,2,3,0.5,'user-1',0,'it is good 1','"positive"',0.70547368421052636389,5732369,NULL,1,1,3,'{"country":"de"}',NULL,'order-1',NULL,8586213840105521266,NULL,NULL);
INSERT INTO predictions VALUES(7355292805813887,1123754562963711819,2,2,0,2,3,0.5,'user-2',0,'it is good 2','"positive"',0.70547368421052636389,12459,NULL,1,1,5,'{"country":"de"}',NULL,'order-2',NULL,-8548760799778575619,NULL,NULL);
INSERT INTO predictions VALUES(7355292806408066,2069679948142349325,1,1,0,2,3,0.5,'user-3',0,'it is good 3','"positive"',0.79598549247147087903,13139,NULL,1,1,7,'{"country":"de"}',NULL,'order-3',NULL,4215649421661858437,NULL,NULL);
INSERT INTO predictions VALUES(7355292807080821,1612692702632313853,2,2,0,2,3,0.5,'user-4',0,'it is good 4','"positive"',0.70547368421052636389,14111,NULL,1,1,9,'{"country":"de"}',NULL,'order-4',NULL,243654150409177443,NULL,NULL);
INSERT INTO predictions VALUES(7355292807784981,3655481153565103663,1,1,0,2,3,0.5,'user-5',0,'it is good 5','"positive"',0.79598549247147087903,8173,NULL,1,1,11,'{"country":"de"}',NULL,'order-5',NULL,9143256118249919857,NULL,NULL);
INSERT INTO predictions VALUES(7355292808465683,465763735285834115,1,1,0,2,3,0.5,'user-6',0,'it is good 6','"positive"',0.79598549247147087903,7300,NULL,1,1,13,'{"country":"de"}',NULL,'order-6',NULL,-3523428678707652412,NULL,NULL);
INSERT INTO predictions VALUES(7355292809197646,3943974443273821600,1,1,0,2,3,0.5,'user-7',0,'it is good 7','"positive"',0.79598549247147087903,8593,NULL,1,1,15,'{"country":"de"}',NULL,'order-7',NULL,-692724510888360050,NULL,NULL);
INSERT INTO predictions VALUES(7355292809819743,271634017634948071,1,1,0,2,3,0.5,'user-8',0,'it is good 8','"positive"',0.79598549247147087903,7631,NULL,1,1,17,'{"country":"de"}',NULL,'order-8',NULL,1436302197801975396,NULL,NULL);
INSERT INTO predictions VALUES(7355292810404709,2700698711474332470,2,2,0,2,3,0.5,'user-9',0,'it is good 9','"positive"',0.70547368421052636389,14242,NULL,1,1,19,'{"country":"de"}',NULL,'order-9',NULL,-6081231516009904072,NULL,NULL);
INSERT INTO predictions VALUES(7355292811047535,2912994405772539648,2,2,0,2,3,0.5,'user-10',0,'it is good 10','"positive"',0.70547368421052636389,13971,NULL,1,1,21,'{"country":"de"}',NULL,'order-10',NULL,5710633841753944328,NULL,NULL);
INSERT INTO predictions VALUES(7355292811766801,4373110496333558139,2,2,0,2,3,0.5,'user-11',0,'it is good 11','"positive"',0.70547368421052636389,14993,NULL,1,1,23,'{"country":"de"}',NULL,'order-11',NULL,2367721060413255958,NULL,NULL);
INSERT INTO predictions VALUES(7355292812467999,3032570315968527490,1,1,0,2,3,0.5,'user-0',0,'it is good 12','"positive"',0.79598549247147087903,7642,NULL,1,1,25,'{"country":"de"}',NULL,'order-12',NULL,4872514628080270522,NULL,NULL);
INSERT INTO predictions VALUES(7355292813127721,1534562611520032686,2,2,0,2,3,0.5,'user-1',0,'it is good 13','"positive"',0.70547368421052636389,13610,NULL,1,1,27,'{"country":"de"}',NULL,'order-13',NULL,3049649117856075400,NULL,NULL);
INSERT INTO predictions VALUES(7355292813830640,2474064145890851091,2,2,0,2,3,0.5,'user-2',0,'it is good 14','"positive"',0.70547368421052636389,13720,NULL,1,1,29,'{"country":"de"}',NULL,'order-14',NULL,4338763725343889738,NULL,NULL);
INSERT INTO predictions VALUES(7355292814549636,3922717312042225579,1,1,0,2,3,0.5,'user-3',0,'it is good 15','"positive"',0.79598549247147087903,8253,NULL,1,1,31,'{"country":"de"}',NULL,'order-15',NULL,-7411118497291222173,NULL,NULL);
INSERT INTO predictions VALUES(7355292815242523,1812886814110925935,2,2,0,2,3,0.5,'user-4',0,'it is good 16','"positive"',0.70547368421052636389,14021,NULL,1,1,33,'{"country":"de"}',NULL,'order-16',NULL,6207265135340341666,NULL,NULL);
INSERT INTO predictions VALUES(7355292815944131,4301352739679459985,1,1,0,2,3,0.5,'user-5',0,'it is good 17','"positive"',0.79598549247147087903,8784,NULL,1,1,35,'{"country":"de"}',NULL,'order-17',NULL,2293070456266633744,NULL,NULL);
INSERT INTO predictions VALUES(7355292816601514,3362449408812391555,1,1,0,2,3,0.5,'user-6',0,'it is good 18','"positive"',0.79598549247147087903,8492,NULL,1,1,37,'{"country":"de"}',NULL,'order-18',NULL,-6131235057965941460,NULL,NULL);
INSERT INTO predictions VALUES(7355292817047725,472163391462028203,1,1,0,2,3,0.5,'user-7',0,'it is good 19','"positive"',0.79598549247147087903,7712,NULL,1,1,39,'{"country":"de"}',NULL,'order-19',NULL,2894114429741732302,NULL,NULL);
INSERT INTO predictions VALUES(7355292817693955,2440177714835437934,1,1,0,2,3,0.5,'user-8',0,'it is good 20','"positive"',0.79598549247147087903,7692,NULL,1,1,41,'{"country":"de"}',NULL,'order-20',NULL,5079931997779528854,NULL,NULL);
INSERT INTO predictions VALUES(7355292818303292,1325279455924823147,2,2,0,2,3,0.5,'user-9',0,'it is good 21','"positive"',0.70547368421052636389,14802,NULL,1,1,43,'{"country":"de"}',NULL,'order-21',NULL,-5744687447891453476,NULL,NULL);
INSERT INTO predictions VALUES(7355292818955457,3876028340701836781,2,2,0,2,3,0.5,'user-10',0,'it is good 22','"positive"',0.70547368421052636389,14222,NULL,1,1,45,'{"country":"de"}',NULL,'order-22',NULL,7441523076009815894,NULL,NULL);
INSERT INTO predictions VALUES(7355292819644130,3830830126186132701,2,2,0,2,3,0.5,'user-11',0,'it is good 23','"positive"',0.70547368421052636389,14722,NULL,1,1,47,'{"country":"de"}',NULL,'order-23',NULL,3349599370575621449,NULL,NULL);
INSERT INTO predictions VALUES(7355292820251628,547483399883576948,1,1,0,2,3,0.5,'user-0',0,'it is good 24','"positive"',0.79598549247147087903,7180,NULL,1,1,49,'{"country":"de"}',NULL,'order-24',NULL,-7085480010885655994,NULL,NULL);
INSERT INTO predictions VALUES(7355292820884517,1758771083081173328,2,2,0,2,3,0.5,'user-1',0,'it is good 25','"positive"',0.70547368421052636389,15924,NULL,1,1,51,'{"country":"de"}',NULL,'order-25',NULL,-8093919342776774117,NULL,NULL);
INSERT INTO predictions VALUES(7355292821454250,3123609846552368726,2,2,0,2,3,0.5,'user-2',0,'it is good 26','"positive"',0.70547368421052636389,13470,NULL,1,1,53,'{"country":"de"}',NULL,'order-26',NULL,-1333598657878877448,NULL,NULL);
INSERT INTO predictions VALUES(7355292822139565,130639768832006605,1,1,0,2,3,0.5,'user-3',0,'it is good 27','"positive"',0.79598549247147087903,8653,NULL,1,1,55,'{"country":"de"}',NULL,'order-27',NULL,4410313391111446363,NULL,NULL);
INSERT INTO predictions VALUES(7355292822791902,3775764003118278933,2,2,0,2,3,0.5,'user-4',0,'it is good 28','"positive"',0.70547368421052636389,13821,NULL,1,1,57,'{"country":"de"}',NULL,'order-28',NULL,-4008742835765028507,NULL,NULL);
INSERT INTO predictions VALUES(7355292823545856,3771761180935357206,1,1,0,2,3,0.5,'user-5',0,'it is good 29','"positive"',0.79598549247147087903,8593,NULL,1,1,59,'{"country":"de"}',NULL,'order-29',NULL,-2763453013311599240,NULL,NULL);
INSERT INTO predictions VALUES(7355292824183702,3299904830501591288,2,2,0,1,3,1.0,NULL,0,'pinned','"neutral"',1.0,11638,NULL,NULL,1,61,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
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
    content_hash INTEGER NOT NULL DEFAULT 0, -- over those that may be erased: unit_id, input, prediction, error, attributes
    server_key INTEGER NOT NULL,    -- who counted: its rows are added up when they are read
    UNIQUE (tier, start, version_key, epoch, server_key)
);
INSERT INTO rollups VALUES(1,0,0,1,3,15,0,0,15,11.939782387072064295,9.5038935633757493093,707486,0.34870542941999982389,X'c1030101010204030101010101010301011401c00101',15,15,0,15,5476452037478726667,2368901273668798387,6881298884982870711,1);
INSERT INTO rollups VALUES(2,1,1795651200,1,3,15,0,0,15,11.939782387072064295,9.5038935633757493093,707486,0.34870542941999982389,X'c1030101010204030101010101010301011401c00101',15,15,0,15,5476452037478726667,1038353186197494203,6881298884982870711,1);
INSERT INTO rollups VALUES(3,2,1795723200,1,3,15,0,0,15,11.939782387072064295,9.5038935633757493093,707486,0.34870542941999982389,X'c1030101010204030101010101010301011401c00101',15,15,0,15,5476452037478726667,-6021006807131927434,6881298884982870711,1);
INSERT INTO rollups VALUES(4,3,1795725780,1,3,15,0,0,15,11.939782387072064295,9.5038935633757493093,707486,0.34870542941999982389,X'c1030101010204030101010101010301011401c00101',15,15,0,15,5476452037478726667,2162306720992187029,6881298884982870711,1);
INSERT INTO rollups VALUES(5,0,0,2,3,16,0,0,16,11.582105263157892238,8.4653967867036001848,5942095,32.863001151091012276,X'd903010401040201030104020201010301a90201',15,15,0,16,4904590214579691150,-2996646008097707778,8941721712487522584,1);
INSERT INTO rollups VALUES(6,1,1795651200,2,3,16,0,0,16,11.582105263157892238,8.4653967867036001848,5942095,32.863001151091012276,X'd903010401040201030104020201010301a90201',15,15,0,16,4904590214579691150,605154882566304435,8941721712487522584,1);
INSERT INTO rollups VALUES(7,2,1795723200,2,3,16,0,0,16,11.582105263157892238,8.4653967867036001848,5942095,32.863001151091012276,X'd903010401040201030104020201010301a90201',15,15,0,16,4904590214579691150,975464892442006268,8941721712487522584,1);
INSERT INTO rollups VALUES(8,3,1795725780,2,3,16,0,0,16,11.582105263157892238,8.4653967867036001848,5942095,32.863001151091012276,X'd903010401040201030104020201010301a90201',15,15,0,16,4904590214579691150,3921701458855602024,8941721712487522584,1);
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
    winner INTEGER                  -- the place of the arm that was promoted
);
INSERT INTO experiments VALUES(1,'exp-f6171685d094','shop','running','{"name":"shop","title":"","policy":"fixed","arms":[{"key":1,"model_id":"model-ee2947e57054","version":"1","weight":50.0},{"key":2,"model_id":"model-bf542c5bb03c","version":"2","weight":50.0}],"primary_metric":"correct","secondary_metrics":[],"guardrails":["error","rejected"],"metrics":[{"name":"correct","kind":"binary","direction":"up","window_seconds":0,"lower_bound":null,"upper_bound":null,"missing":"excluded"},{"name":"error","kind":"binary","direction":"down","window_seconds":0,"lower_bound":null,"upper_bound":null,"missing":"excluded"},{"name":"rejected","kind":"binary","direction":"down","window_seconds":0,"lower_bound":null,"upper_bound":null,"missing":"excluded"}],"alpha":0.05,"power":0.8,"minimum_detectable_effect":null,"relative":false,"planned_units":5000.0,"enrolment":1.0,"salt":"a27983b76de16cfdce43c232fa72202f","slo_ms":null,"burst_protection":true,"evidence_rules":1}',1795725782213861,1795725782365109,NULL,NULL,NULL,NULL,1,NULL,NULL,NULL,NULL);
CREATE TABLE experiment_epochs (
    experiment_key INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    shares TEXT NOT NULL,           -- JSON, the control first
    started_at INTEGER NOT NULL DEFAULT 0,
    scales TEXT NOT NULL DEFAULT '[]', -- JSON, by metric: how values become numbers from 0 to 1; [] before schema 8
    PRIMARY KEY (experiment_key, epoch)
);
INSERT INTO experiment_epochs VALUES(1,3,'[0.5,0.5]',1795725782365109,'[{"floor":0.0,"cap":1.0,"centre":-0.0},{"floor":0.0,"cap":1.0,"centre":-0.0},{"floor":0.0,"cap":1.0,"centre":-0.0}]');
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
CREATE TABLE unit_journal (
    seq INTEGER PRIMARY KEY,
    units BLOB NOT NULL,
    format INTEGER NOT NULL DEFAULT 0 -- as in experiment_units
);
INSERT INTO unit_journal VALUES(1,X'02eea48d84a093b5adff01060200ace7c4b00d030000000000000100010001000000000100010001000000000000',4);
INSERT INTO unit_journal VALUES(2,X'02eea48d84a093b5adff01060200ace7c4b00d0301000101000000000000f03f01000000000100010001000000000100010001000000000000',4);
INSERT INTO unit_journal VALUES(3,X'029be99f96ec86bbbd72060400ace7c4b00d030000000000000100010001000000000100010001000000000000',4);
INSERT INTO unit_journal VALUES(4,X'029be99f96ec86bbbd72060400ace7c4b00d0301000101000000000000f03f01000000000100010001000000000100010001000000000000',4);
INSERT INTO unit_journal VALUES(5,X'02a9cd98fd888ccbd44d060400ace7c4b00d030000000000000100010001000000000100010001000000000000',4);
INSERT INTO unit_journal VALUES(6,X'02a9cd98fd888ccbd44d060400ace7c4b00d0301000101000000000000f03f01000000000100010001000000000100010001000000000000',4);
INSERT INTO unit_journal VALUES(7,X'02cfc7e4b7efd7e2cfdb01060200ace7c4b00d030000000000000100010001000000000100010001000000000000',4);
INSERT INTO unit_journal VALUES(8,X'02cfc7e4b7efd7e2cfdb01060200ace7c4b00d0301000101000000000000f03f01000000000100010001000000000100010001000000000000',4);
INSERT INTO unit_journal VALUES(9,X'02c78fd2a6dcfdf3cd8201060400ace7c4b00d030000000000000100010001000000000100010001000000000000',4);
INSERT INTO unit_journal VALUES(10,X'02c78fd2a6dcfdf3cd8201060400ace7c4b00d0301000101000000000000f03f01000000000100010001000000000100010001000000000000',4);
INSERT INTO unit_journal VALUES(11,X'02a0bc8ff994a696e5ba01060200aee7c4b00d030000000000000100010001000000000100010001000000000000',4);
INSERT INTO unit_journal VALUES(12,X'02a0bc8ff994a696e5ba01060200aee7c4b00d0301000101000000000000f03f01000000000100010001000000000100010001000000000000',4);
INSERT INTO unit_journal VALUES(13,X'028c99a3cc818cd7cce401060200aee7c4b00d030000000000000100010001000000000100010001000000000000',4);
INSERT INTO unit_journal VALUES(14,X'028c99a3cc818cd7cce401060200aee7c4b00d0301000101000000000000f03f01000000000100010001000000000100010001000000000000',4);
INSERT INTO unit_journal VALUES(15,X'028aedbbb681c5c0a012060200aee7c4b00d030000000000000100010001000000000100010001000000000000',4);
INSERT INTO unit_journal VALUES(16,X'028aedbbb681c5c0a012060200aee7c4b00d0301000101000000000000f03f01000000000100010001000000000100010001000000000000',4);
INSERT INTO unit_journal VALUES(17,X'0294c1b9c8b0fdadc89801060200aee7c4b00d030000000000000100010001000000000100010001000000000000',4);
INSERT INTO unit_journal VALUES(18,X'0294c1b9c8b0fdadc89801060200aee7c4b00d0301000101000000000000f03f01000000000100010001000000000100010001000000000000',4);
INSERT INTO unit_journal VALUES(19,X'0286affbf8c2d4bf8129060400aee7c4b00d030000000000000100010001000000000100010001000000000000',4);
INSERT INTO unit_journal VALUES(20,X'0286affbf8c2d4bf8129060400aee7c4b00d0301000101000000000000f03f01000000000100010001000000000100010001000000000000',4);
INSERT INTO unit_journal VALUES(21,X'02b1af9bf5a5a897d436060400aee7c4b00d030000000000000100010001000000000100010001000000000000',4);
INSERT INTO unit_journal VALUES(22,X'02b1af9bf5a5a897d436060400aee7c4b00d0301000101000000000000f03f01000000000100010001000000000100010001000000000000',4);
INSERT INTO unit_journal VALUES(23,X'02f4ec91e8ac92e2c0f801060400b0e7c4b00d030000000000000100010001000000000100010001000000000000',4);
INSERT INTO unit_journal VALUES(24,X'02f4ec91e8ac92e2c0f801060400b0e7c4b00d0301000101000000000000f03f01000000000100010001000000000100010001000000000000',4);
INSERT INTO unit_journal VALUES(25,X'02eea48d84a093b5adff01060200ace7c4b00d0301000101000000000000f03f01000000000100020001000000000100020001000000000000',4);
INSERT INTO unit_journal VALUES(26,X'02eea48d84a093b5adff01060200ace7c4b00d0301000201000000000000004001000000000100020001000000000100020001000000000000',4);
INSERT INTO unit_journal VALUES(27,X'029be99f96ec86bbbd72060400ace7c4b00d0301000101000000000000f03f01000000000100020001000000000100020001000000000000',4);
INSERT INTO unit_journal VALUES(28,X'029be99f96ec86bbbd72060400ace7c4b00d0301000201000000000000004001000000000100020001000000000100020001000000000000',4);
INSERT INTO unit_journal VALUES(29,X'02a9cd98fd888ccbd44d060400ace7c4b00d0301000101000000000000f03f01000000000100020001000000000100020001000000000000',4);
INSERT INTO unit_journal VALUES(30,X'02a9cd98fd888ccbd44d060400ace7c4b00d0301000201000000000000004001000000000100020001000000000100020001000000000000',4);
INSERT INTO unit_journal VALUES(31,X'02cfc7e4b7efd7e2cfdb01060200ace7c4b00d0301000101000000000000f03f01000000000100020001000000000100020001000000000000',4);
INSERT INTO unit_journal VALUES(32,X'02cfc7e4b7efd7e2cfdb01060200ace7c4b00d0301000201000000000000004001000000000100020001000000000100020001000000000000',4);
INSERT INTO unit_journal VALUES(33,X'02c78fd2a6dcfdf3cd8201060400ace7c4b00d0301000101000000000000f03f01000000000100020001000000000100020001000000000000',4);
INSERT INTO unit_journal VALUES(34,X'02c78fd2a6dcfdf3cd8201060400ace7c4b00d0301000201000000000000004001000000000100020001000000000100020001000000000000',4);
INSERT INTO unit_journal VALUES(35,X'02a0bc8ff994a696e5ba01060200aee7c4b00d0301000101000000000000f03f01000000000100020001000000000100020001000000000000',4);
INSERT INTO unit_journal VALUES(36,X'02a0bc8ff994a696e5ba01060200aee7c4b00d0301000201000000000000004001000000000100020001000000000100020001000000000000',4);
INSERT INTO unit_journal VALUES(37,X'028c99a3cc818cd7cce401060200aee7c4b00d0301000101000000000000f03f01000000000100020001000000000100020001000000000000',4);
INSERT INTO unit_journal VALUES(38,X'028c99a3cc818cd7cce401060200aee7c4b00d0301000201000000000000004001000000000100020001000000000100020001000000000000',4);
INSERT INTO unit_journal VALUES(39,X'028aedbbb681c5c0a012060200aee7c4b00d0301000101000000000000f03f01000000000100020001000000000100020001000000000000',4);
INSERT INTO unit_journal VALUES(40,X'028aedbbb681c5c0a012060200aee7c4b00d0301000201000000000000004001000000000100020001000000000100020001000000000000',4);
INSERT INTO unit_journal VALUES(41,X'0294c1b9c8b0fdadc89801060200aee7c4b00d0301000101000000000000f03f01000000000100020001000000000100020001000000000000',4);
INSERT INTO unit_journal VALUES(42,X'0294c1b9c8b0fdadc89801060200aee7c4b00d0301000201000000000000004001000000000100020001000000000100020001000000000000',4);
INSERT INTO unit_journal VALUES(43,X'0286affbf8c2d4bf8129060400aee7c4b00d0301000101000000000000f03f01000000000100020001000000000100020001000000000000',4);
INSERT INTO unit_journal VALUES(44,X'0286affbf8c2d4bf8129060400aee7c4b00d0301000201000000000000004001000000000100020001000000000100020001000000000000',4);
INSERT INTO unit_journal VALUES(45,X'02b1af9bf5a5a897d436060400aee7c4b00d0301000101000000000000f03f01000000000100020001000000000100020001000000000000',4);
INSERT INTO unit_journal VALUES(46,X'02b1af9bf5a5a897d436060400aee7c4b00d0301000201000000000000004001000000000100020001000000000100020001000000000000',4);
INSERT INTO unit_journal VALUES(47,X'02f4ec91e8ac92e2c0f801060400b0e7c4b00d0301000101000000000000f03f01000000000100020001000000000100020001000000000000',4);
INSERT INTO unit_journal VALUES(48,X'02f4ec91e8ac92e2c0f801060400b0e7c4b00d0301000201000000000000004001000000000100020001000000000100020001000000000000',4);
INSERT INTO unit_journal VALUES(49,X'02eea48d84a093b5adff01060200ace7c4b00d0301000201000000000000004001000000000100030001000000000100030001000000000000',4);
INSERT INTO unit_journal VALUES(50,X'02eea48d84a093b5adff01060200ace7c4b00d0301000301000000000000084001000000000100030001000000000100030001000000000000',4);
INSERT INTO unit_journal VALUES(51,X'029be99f96ec86bbbd72060400ace7c4b00d0301000201000000000000004001000000000100030001000000000100030001000000000000',4);
INSERT INTO unit_journal VALUES(52,X'029be99f96ec86bbbd72060400ace7c4b00d0301000301000000000000084001000000000100030001000000000100030001000000000000',4);
INSERT INTO unit_journal VALUES(53,X'02a9cd98fd888ccbd44d060400ace7c4b00d0301000201000000000000004001000000000100030001000000000100030001000000000000',4);
INSERT INTO unit_journal VALUES(54,X'02a9cd98fd888ccbd44d060400ace7c4b00d0301000301000000000000084001000000000100030001000000000100030001000000000000',4);
INSERT INTO unit_journal VALUES(55,X'02cfc7e4b7efd7e2cfdb01060200ace7c4b00d0301000201000000000000004001000000000100030001000000000100030001000000000000',4);
INSERT INTO unit_journal VALUES(56,X'02cfc7e4b7efd7e2cfdb01060200ace7c4b00d0301000301000000000000084001000000000100030001000000000100030001000000000000',4);
INSERT INTO unit_journal VALUES(57,X'02c78fd2a6dcfdf3cd8201060400ace7c4b00d0301000201000000000000004001000000000100030001000000000100030001000000000000',4);
INSERT INTO unit_journal VALUES(58,X'02c78fd2a6dcfdf3cd8201060400ace7c4b00d0301000301000000000000084001000000000100030001000000000100030001000000000000',4);
INSERT INTO unit_journal VALUES(59,X'02a0bc8ff994a696e5ba01060200aee7c4b00d0301000201000000000000004001000000000100030001000000000100030001000000000000',4);
INSERT INTO unit_journal VALUES(60,X'02a0bc8ff994a696e5ba01060200aee7c4b00d0301000301000000000000084001000000000100030001000000000100030001000000000000',4);
CREATE TABLE experiment_segments (
    experiment_key INTEGER NOT NULL,
    dimension INTEGER NOT NULL,     -- its place in the definition
    place INTEGER NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (experiment_key, dimension, place)
) WITHOUT ROWID;
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
INSERT INTO evidence VALUES(1,1,3,1,1,-1,6,15,0.0,0.0,39.0,0.0,15,6,0,-8494174203711812480,X'',1,X'',6,0,0,X'');
INSERT INTO evidence VALUES(2,1,3,1,2,-1,6,15,0.0,0.0,39.0,0.0,15,6,0,3523116327501888637,X'',1,X'',6,0,0,X'');
INSERT INTO evidence VALUES(3,1,3,1,-1,-1,6,15,0.0,0.0,0.0,0.0,0,6,0,-3491442592059811552,X'',1,X'',0,0,0,X'');
INSERT INTO evidence VALUES(4,1,3,1,0,-1,6,15,15.0,39.0,39.0,39.0,15,6,0,-1958040096048582656,X'',1,X'',6,0,0,X'');
INSERT INTO evidence VALUES(5,1,3,2,1,-1,6,15,0.0,0.0,39.0,0.0,15,6,0,6046259501841631506,X'',1,X'',6,0,0,X'');
INSERT INTO evidence VALUES(6,1,3,2,2,-1,6,15,0.0,0.0,39.0,0.0,15,6,0,4385514345084346726,X'',1,X'',6,0,0,X'');
INSERT INTO evidence VALUES(7,1,3,2,-1,-1,6,15,0.0,0.0,0.0,0.0,0,6,0,-1572563105652805831,X'',1,X'',0,0,0,X'');
INSERT INTO evidence VALUES(8,1,3,2,0,-1,6,15,15.0,39.0,39.0,39.0,15,6,0,3523322790559389863,X'',1,X'',6,0,0,X'');
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
INSERT INTO experiment_minutes VALUES(1,3,1,29928763,1,X'0f0000000000000000000000',793534356021959338);
INSERT INTO experiment_minutes VALUES(1,3,2,29928763,1,X'0f0000000000000000000000',-6343833444979226947);
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
INSERT INTO feedback VALUES(7355292804618445,'correct',1.0,'"positive"',1795725782515765,0,-593251354406809854,1,2,NULL);
INSERT INTO feedback VALUES(7355292805258728,'correct',1.0,'"positive"',1795725782662073,0,4640839500393214859,1,4,NULL);
INSERT INTO feedback VALUES(7355292805813887,'correct',1.0,'"positive"',1795725782802617,0,3335269918259133101,1,6,NULL);
INSERT INTO feedback VALUES(7355292806408066,'correct',1.0,'"positive"',1795725782959994,0,-3913216963878290743,1,8,NULL);
INSERT INTO feedback VALUES(7355292807080821,'correct',1.0,'"positive"',1795725783138239,0,4570336179810604641,1,10,NULL);
INSERT INTO feedback VALUES(7355292807784981,'correct',1.0,'"positive"',1795725783306710,0,2364789888711451964,1,12,NULL);
INSERT INTO feedback VALUES(7355292808465683,'correct',1.0,'"positive"',1795725783476965,0,-4372777854888405667,1,14,NULL);
INSERT INTO feedback VALUES(7355292809197646,'correct',1.0,'"positive"',1795725783638220,0,6003602114910409850,1,16,NULL);
INSERT INTO feedback VALUES(7355292809819743,'correct',1.0,'"positive"',1795725783778727,0,1418602544279230315,1,18,NULL);
INSERT INTO feedback VALUES(7355292810404709,'correct',1.0,'"positive"',1795725783925303,0,3612700936968786952,1,20,NULL);
INSERT INTO feedback VALUES(7355292811047535,'correct',1.0,'"positive"',1795725784110049,0,-8380927509702114177,1,22,NULL);
INSERT INTO feedback VALUES(7355292811766801,'correct',1.0,'"positive"',1795725784276628,0,8210035611012696485,1,24,NULL);
INSERT INTO feedback VALUES(7355292812467999,'correct',1.0,'"positive"',1795725784442060,0,-1064012808730262885,1,26,NULL);
INSERT INTO feedback VALUES(7355292813127721,'correct',1.0,'"positive"',1795725784608117,0,-8512079330543974619,1,28,NULL);
INSERT INTO feedback VALUES(7355292813830640,'correct',1.0,'"positive"',1795725784790012,0,-1801598024490020703,1,30,NULL);
INSERT INTO feedback VALUES(7355292814549636,'correct',1.0,'"positive"',1795725784950770,0,6340296617812953686,1,32,NULL);
INSERT INTO feedback VALUES(7355292815242523,'correct',1.0,'"positive"',1795725785126252,0,916625025195409068,1,34,NULL);
INSERT INTO feedback VALUES(7355292815944131,'correct',1.0,'"positive"',1795725785291013,0,5133253909851050126,1,36,NULL);
INSERT INTO feedback VALUES(7355292816601514,'correct',1.0,'"positive"',1795725785401175,0,-4074202296281550633,1,38,NULL);
INSERT INTO feedback VALUES(7355292817047725,'correct',1.0,'"positive"',1795725785558146,0,5940671672363282345,1,40,NULL);
INSERT INTO feedback VALUES(7355292817693955,'correct',1.0,'"positive"',1795725785702668,0,5070306016852058590,1,42,NULL);
INSERT INTO feedback VALUES(7355292818303292,'correct',1.0,'"positive"',1795725785866145,0,-5216614426089184868,1,44,NULL);
INSERT INTO feedback VALUES(7355292818955457,'correct',1.0,'"positive"',1795725786030925,0,-3543067043848603993,1,46,NULL);
INSERT INTO feedback VALUES(7355292819644130,'correct',1.0,'"positive"',1795725786182306,0,7444995556931191332,1,48,NULL);
INSERT INTO feedback VALUES(7355292820251628,'correct',1.0,'"positive"',1795725786332832,0,-6938585866056434179,1,50,NULL);
INSERT INTO feedback VALUES(7355292820884517,'correct',1.0,'"positive"',1795725786474166,0,4372265116011708264,1,52,NULL);
INSERT INTO feedback VALUES(7355292821454250,'correct',1.0,'"positive"',1795725786635817,0,6885497089213174772,1,54,NULL);
INSERT INTO feedback VALUES(7355292822139565,'correct',1.0,'"positive"',1795725786802570,0,186181097120959101,1,56,NULL);
INSERT INTO feedback VALUES(7355292822791902,'correct',1.0,'"positive"',1795725786980760,0,4925667030077487688,1,58,NULL);
INSERT INTO feedback VALUES(7355292823545856,'correct',1.0,'"positive"',1795725787142615,0,4398844359541363318,1,60,NULL);
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
CREATE TABLE secrets (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,             -- webhook.url, webhook.secret
    value TEXT NOT NULL,
    row_hash INTEGER,               -- null where it was written before there were hashes
    PRIMARY KEY (id, kind)
) WITHOUT ROWID;
CREATE TABLE settings (
    changes INTEGER NOT NULL,       -- how many they have had
    default_model TEXT
);
INSERT INTO settings VALUES(1,'shop');
CREATE TABLE servers (
    server_key INTEGER PRIMARY KEY,
    server BLOB NOT NULL UNIQUE,
    position INTEGER NOT NULL
);
INSERT INTO servers VALUES(1,X'0154ed467751b2a07f6a7f5518889523',61);
CREATE TABLE stretches (
    server_key INTEGER NOT NULL,
    first INTEGER NOT NULL,         -- position, a multiple of 4096
    lowest INTEGER NOT NULL,        -- prediction_order
    highest INTEGER NOT NULL,
    PRIMARY KEY (server_key, first)
) WITHOUT ROWID;
INSERT INTO stretches VALUES(1,0,7355292804618445,7355292824183702);
CREATE TABLE missing_positions (
    server BLOB NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    found_at INTEGER NOT NULL,
    PRIMARY KEY (server, first)
) WITHOUT ROWID;
CREATE TABLE set_aside (
    server BLOB NOT NULL,
    position INTEGER NOT NULL,
    reason TEXT NOT NULL,
    entry BLOB NOT NULL,
    set_aside_at INTEGER NOT NULL,
    PRIMARY KEY (server, position)
);
CREATE TABLE receipts (
    receipt BLOB PRIMARY KEY,       -- a UUID version 7, so they sort by time
    outcome BLOB NOT NULL,
    awaited INTEGER NOT NULL        -- 1 where its caller was told all the same
) WITHOUT ROWID;
CREATE TABLE state (
    minute_horizon INTEGER NOT NULL,
    probes INTEGER NOT NULL,
    feedback_dropped INTEGER NOT NULL DEFAULT 0,
    server BLOB NOT NULL DEFAULT x'',
    entries_dropped INTEGER NOT NULL DEFAULT 0,
    request_ids_until INTEGER NOT NULL DEFAULT 0
);
INSERT INTO state VALUES(1795464000,0,0,X'0154ed467751b2a07f6a7f5518889523',0,0);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('versions',3);
INSERT INTO sqlite_sequence VALUES('audit',9);
INSERT INTO sqlite_sequence VALUES('experiments',1);
CREATE UNIQUE INDEX versions_by_name ON versions (name, version) WHERE deleted_at IS NULL;
CREATE INDEX audit_by_name ON audit (name, id);
CREATE INDEX audit_by_experiment ON audit (experiment_key, id) WHERE experiment_key IS NOT NULL;
CREATE TRIGGER audit_is_never_updated BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE INDEX rollups_by_version ON rollups (version_key);
CREATE UNIQUE INDEX one_experiment_runs ON experiments (name) WHERE status = 'running';
CREATE INDEX feedback_by_position ON feedback (server_key, position) WHERE position IS NOT NULL;
CREATE INDEX unit_outcomes_by_unit ON unit_outcomes (unit, at);
CREATE UNIQUE INDEX unit_outcomes_by_id ON unit_outcomes (outcome_id, name, metric) WHERE outcome_id IS NOT NULL;
CREATE INDEX unit_outcomes_waiting ON unit_outcomes (received_at) WHERE joined = 0;
COMMIT;
PRAGMA user_version = 11;
