-- Made by the release of schema 13.
BEGIN TRANSACTION;
CREATE TABLE access_keys (
    access_key INTEGER PRIMARY KEY AUTOINCREMENT,
    key_id TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    definition TEXT NOT NULL,       -- JSON
    last_used_at INTEGER
);
INSERT INTO "access_keys" VALUES(1,'key-f7df376f24fb',1795749939009382,'{"role":"viewer","models":[],"description":null,"expires_at":null}',NULL);
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
INSERT INTO "audit" VALUES(1,1795749939002808,'version.registered','shop','1',1,'{"model_id":"model-14c42853560b","registered":{"accuracy":0.5,"activated_at":null,"created_at":1795749939002808,"description":"","key":1,"model_id":"model-14c42853560b","runtime":{"method":"vader","type":"sentiment"},"shadow_percent":0.0,"status":"inactive","tags":{},"traffic_percent":0.0,"unreadable":null,"version":"1"},"salt":"a0b2ccb448b5a3201a4bda6b330d1967"}',NULL,1,-1588561403957049778,'{"address":"127.0.0.1","reason":"a fixture"}',X'C088E930ABFBF486AA6EF4FEDFCBB9A4649D3ADBF72C922CB667965D8094FAEB');
INSERT INTO "audit" VALUES(2,1795749939004961,'version.registered','shop','2',2,'{"model_id":"model-8f4975b7c459","registered":{"accuracy":0.5,"activated_at":null,"created_at":1795749939004961,"description":"","key":2,"model_id":"model-8f4975b7c459","runtime":{"method":"vader","type":"sentiment"},"shadow_percent":0.0,"status":"inactive","tags":{},"traffic_percent":0.0,"unreadable":null,"version":"2"},"salt":"a0b2ccb448b5a3201a4bda6b330d1967"}',NULL,2,-146906463016095326,'{"address":"127.0.0.1","reason":"a fixture"}',X'819965FC6713DBB819DA069773B6F27D6FAA39F0361021DEEC9651B4E625EF0F');
INSERT INTO "audit" VALUES(3,1795749939005891,'version.activated','shop','1',3,'{"from":0.0,"to":50.0}',NULL,3,-2940718197217167210,'{"address":"127.0.0.1","reason":"a fixture"}',X'6F4C3EB2C8A966C2E0A09AD30C6BB6ABA2F7057A9FEA7F5AADBBD7B88670BF21');
INSERT INTO "audit" VALUES(4,1795749939006267,'default_model.set','',NULL,1,'{"from":null,"to":"shop"}',NULL,1,-8181702427331639206,NULL,X'3ABE1D6590C7AE8DAA7735FD5B47CE769464A223281C4235DDCF1F60AC1679C8');
INSERT INTO "audit" VALUES(5,1795749939007066,'version.activated','shop','2',4,'{"from":0.0,"to":50.0}',NULL,4,-5516975720608490883,'{"address":"127.0.0.1","reason":"a fixture"}',X'35BCF2FF70FE2C6EE81628937906F728B26C8ED09836F80821D5E7CF196BC453');
INSERT INTO "audit" VALUES(6,1795749939007805,'metric.set','shop',NULL,4,'{"from":null,"to":{"direction":"up","kind":"binary","lower_bound":null,"missing":"failure","name":"bought","upper_bound":null,"window_seconds":3600}}',NULL,5,2964226687174092237,'{"address":"127.0.0.1","reason":"a fixture"}',X'F3A3C5F70EFFDA4A6FDEDAC3A84486753E25E3A037251FADA367E355A7F2D1DE');
INSERT INTO "audit" VALUES(7,1795749939008634,'metric.set','shop',NULL,4,'{"from":null,"to":{"direction":"up","kind":"continuous","lower_bound":0.0,"missing":"zero","name":"revenue","per":"unit","upper_bound":100.0,"window_seconds":3600}}',NULL,6,-3222997925684531177,'{"address":"127.0.0.1","reason":"a fixture"}',X'D0179C222D1CD0EC36F561D1B15D2DC685716B5C43285EEC0E5EB9FE44A6B727');
INSERT INTO "audit" VALUES(8,1795749939009382,'key.created','',NULL,2,'{"definition":{"description":null,"expires_at":null,"models":[],"role":"viewer"},"key":"key-f7df376f24fb"}',NULL,2,5468453276112948681,'{"address":"127.0.0.1","reason":"a fixture"}',X'51B85495CE90516F98DFF1EDF6081C7A575E78C306D61EFE96A4C6DA0CEB31A5');
INSERT INTO "audit" VALUES(9,1795749939010149,'experiment.created','shop',NULL,4,'{"by":"person","definition":{"alpha":0.05,"arms":[{"key":1,"model_id":"model-14c42853560b","version":"1","weight":1.0},{"key":2,"model_id":"model-8f4975b7c459","version":"2","weight":1.0}],"burst_protection":true,"dimensions":["country"],"enrolment":1.0,"evidence_rules":1,"guardrails":["error","rejected"],"metrics":[{"direction":"up","kind":"binary","lower_bound":null,"missing":"failure","name":"bought","upper_bound":null,"window_seconds":3600},{"direction":"up","kind":"continuous","lower_bound":0.0,"missing":"zero","name":"revenue","per":"unit","upper_bound":100.0,"window_seconds":3600},{"direction":"down","kind":"binary","lower_bound":null,"missing":"excluded","name":"error","upper_bound":null,"window_seconds":0},{"direction":"down","kind":"binary","lower_bound":null,"missing":"excluded","name":"rejected","upper_bound":null,"window_seconds":0}],"minimum_detectable_effect":null,"name":"shop","planned_units":5000.0,"policy":"fixed","power":0.8,"primary_metric":"bought","relative":false,"salt":"b0a03df638b75ef7fcf2fdf003fdbe3e","secondary_metrics":["revenue","error"],"slo_ms":null,"title":""},"experiment":"exp-645ec38bbd1f","key":1,"title":""}',1,7,3920127596856834706,'{"address":"127.0.0.1","reason":"a fixture"}',X'7A994E2AA6CEFDC7EB4FAB9323A90126033D37D33D45C54557C667C58FD751AD');
INSERT INTO "audit" VALUES(10,1795749939011483,'experiment.started','shop',NULL,5,'{"by":"person","experiment":"exp-645ec38bbd1f","from":{"1":50.0,"2":50.0},"progress":null,"scales":[{"cap":1.0,"centre":-0.0,"floor":0.0},null,{"cap":1.0,"centre":-0.0,"floor":0.0},{"cap":1.0,"centre":-0.0,"floor":0.0}],"to":{"1":50.0,"2":50.0}}',1,8,3380564177964277741,'{"address":"127.0.0.1","reason":"a fixture"}',X'840EAF7FDC9328017E65AE9B7930EC5B39F0AE2AD6EDD898F3FD2A7DD883245B');
INSERT INTO "audit" VALUES(11,1795749939012410,'version.shadow_set','shop','2',6,'{"from":0.0,"to":100.0}',NULL,9,-7840855428546248927,'{"address":"127.0.0.1","reason":"a fixture"}',X'11DF35E6357B39A05D7307DB30B10D8853E154566EB7A2C1A7A464ADFF60CEA0');
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
INSERT INTO "evidence" VALUES(1,1,3,1,1000,1795749872,2,2,0.0,0.0,2.0,0.0,0,0,0,5735716323652507021,X'',1,X'040000',0,0,0,X'');
INSERT INTO "evidence" VALUES(2,1,3,1,1000,-1,2,2,0.0,0.0,2.0,0.0,0,0,0,9192098694179271537,X'',1,X'040000',0,0,0,X'');
INSERT INTO "evidence" VALUES(3,1,3,1,0,1795749872,6,8,1.0,1.0,12.0,2.0,1,1,0,-2361410291826614635,X'',1,X'0A0001020280808080808080801080808080808080800880808080808080800402E186BF9BA389F40FBD80BDEEDEC9D01FD390C6FEDAC6C43EEFA4D2EAB8C6A37A8FE5A0A29CBC8FEA01FFD6A08AC2A0C7AF03BFBA96C9C780E5EA05FF91B7D389A1AC9A09FFC9B0FEE5BEE4FC0CFFA3D188A8DFABAC10FF85C7C7ADBFC9E712FFF9C6AFD3A381AD14FFB995E7B699ED9C15DAB58DBF8A99EC0F88F2F5D5D7C6B11FA4EFB0FBEE96CC3DA0FCDCDCD5E8DD76F0B09AA4E6E5BADD0180B3A3BCF2FDB18603C0D5D28381ADB3F70480919AB59EBEFF91078091B7D389A1AC9A09808FE9CCC8AD98E20A80B39491A1D899E20B80CEDBE1FC9AD6AB0C80B39894D7DC99D30C0000',1,1,0,X'');
INSERT INTO "evidence" VALUES(4,1,3,1,0,-1,6,8,1.0,1.0,12.0,2.0,1,1,0,6055565380507894636,X'',1,X'0A0001020280808080808080801080808080808080800880808080808080800402E186BF9BA389F40FBD80BDEEDEC9D01FD390C6FEDAC6C43EEFA4D2EAB8C6A37A8FE5A0A29CBC8FEA01FFD6A08AC2A0C7AF03BFBA96C9C780E5EA05FF91B7D389A1AC9A09FFC9B0FEE5BEE4FC0CFFA3D188A8DFABAC10FF85C7C7ADBFC9E712FFF9C6AFD3A381AD14FFB995E7B699ED9C15DAB58DBF8A99EC0F88F2F5D5D7C6B11FA4EFB0FBEE96CC3DA0FCDCDCD5E8DD76F0B09AA4E6E5BADD0180B3A3BCF2FDB18603C0D5D28381ADB3F70480919AB59EBEFF91078091B7D389A1AC9A09808FE9CCC8AD98E20A80B39491A1D899E20B80CEDBE1FC9AD6AB0C80B39894D7DC99D30C0000',1,1,0,X'');
INSERT INTO "evidence" VALUES(5,1,3,1,1002,-1,2,2,0.0,0.0,2.0,0.0,2,2,0,398739687398940892,X'',1,X'',2,0,0,X'');
INSERT INTO "evidence" VALUES(6,1,3,1,2,-1,6,8,0.0,0.0,12.0,0.0,8,6,0,8488449255313749665,X'',1,X'',6,0,0,X'');
INSERT INTO "evidence" VALUES(7,1,3,1,1003,-1,2,2,0.0,0.0,2.0,0.0,2,2,0,4214193129608456725,X'',1,X'',2,0,0,X'');
INSERT INTO "evidence" VALUES(8,1,3,1,3,-1,6,8,0.0,0.0,12.0,0.0,8,6,0,-7565284300177318052,X'',1,X'',6,0,0,X'');
INSERT INTO "evidence" VALUES(9,1,3,1,1999,-1,2,2,0.0,0.0,0.0,0.0,0,2,0,2681748168280985427,X'',1,X'',0,0,0,X'');
INSERT INTO "evidence" VALUES(10,1,3,1,-1,-1,6,8,0.0,0.0,0.0,0.0,0,6,0,-4180128123131850968,X'',1,X'',0,0,0,X'');
INSERT INTO "evidence" VALUES(11,1,3,1,2000,1795749872,4,6,1.0,1.0,10.0,2.0,1,1,0,1084030285205777517,X'',1,X'060001020280808080808080801080808080808080800880808080808080800402E186BF9BA389F40FBD80BDEEDEC9D01FD390C6FEDAC6C43EEFA4D2EAB8C6A37A8FE5A0A29CBC8FEA01FFD6A08AC2A0C7AF03BFBA96C9C780E5EA05FF91B7D389A1AC9A09FFC9B0FEE5BEE4FC0CFFA3D188A8DFABAC10FF85C7C7ADBFC9E712FFF9C6AFD3A381AD14FFB995E7B699ED9C15DAB58DBF8A99EC0F88F2F5D5D7C6B11FA4EFB0FBEE96CC3DA0FCDCDCD5E8DD76F0B09AA4E6E5BADD0180B3A3BCF2FDB18603C0D5D28381ADB3F70480919AB59EBEFF91078091B7D389A1AC9A09808FE9CCC8AD98E20A80B39491A1D899E20B80CEDBE1FC9AD6AB0C80B39894D7DC99D30C0000',1,1,0,X'');
INSERT INTO "evidence" VALUES(12,1,3,1,2000,-1,4,6,1.0,1.0,10.0,2.0,1,1,0,-7476270489852891143,X'',1,X'060001020280808080808080801080808080808080800880808080808080800402E186BF9BA389F40FBD80BDEEDEC9D01FD390C6FEDAC6C43EEFA4D2EAB8C6A37A8FE5A0A29CBC8FEA01FFD6A08AC2A0C7AF03BFBA96C9C780E5EA05FF91B7D389A1AC9A09FFC9B0FEE5BEE4FC0CFFA3D188A8DFABAC10FF85C7C7ADBFC9E712FFF9C6AFD3A381AD14FFB995E7B699ED9C15DAB58DBF8A99EC0F88F2F5D5D7C6B11FA4EFB0FBEE96CC3DA0FCDCDCD5E8DD76F0B09AA4E6E5BADD0180B3A3BCF2FDB18603C0D5D28381ADB3F70480919AB59EBEFF91078091B7D389A1AC9A09808FE9CCC8AD98E20A80B39491A1D899E20B80CEDBE1FC9AD6AB0C80B39894D7DC99D30C0000',1,1,0,X'');
INSERT INTO "evidence" VALUES(13,1,3,1,2002,-1,4,6,0.0,0.0,10.0,0.0,6,4,0,5224484154194664486,X'',1,X'',4,0,0,X'');
INSERT INTO "evidence" VALUES(14,1,3,1,2003,-1,4,6,0.0,0.0,10.0,0.0,6,4,0,-602860063878610938,X'',1,X'',4,0,0,X'');
INSERT INTO "evidence" VALUES(15,1,3,1,2001,1795749872,2,2,12.5,156.25,2.0,12.5,1,1,0,8809778549610713008,X'',1,X'',1,1,0,X'');
INSERT INTO "evidence" VALUES(16,1,3,1,2001,-1,2,2,12.5,156.25,2.0,12.5,1,1,0,3646133986990034999,X'',1,X'',1,1,0,X'');
INSERT INTO "evidence" VALUES(17,1,3,1,1,1795749872,3,3,12.5,156.25,3.0,12.5,1,1,0,6697987581492279937,X'',1,X'',1,1,0,X'');
INSERT INTO "evidence" VALUES(18,1,3,1,1,-1,3,3,12.5,156.25,3.0,12.5,1,1,0,-1662577001768250259,X'',1,X'',1,1,0,X'');
INSERT INTO "evidence" VALUES(19,1,3,1,2999,-1,4,6,0.0,0.0,0.0,0.0,0,4,0,5394725282093427986,X'',1,X'',0,0,0,X'');
INSERT INTO "evidence" VALUES(20,1,3,2,1000,1795749872,3,4,0.0,0.0,6.0,0.0,0,0,0,-5359767937562519261,X'',1,X'060000',0,0,0,X'');
INSERT INTO "evidence" VALUES(21,1,3,2,1000,-1,3,4,0.0,0.0,6.0,0.0,0,0,0,-7378435360867425607,X'',1,X'060000',0,0,0,X'');
INSERT INTO "evidence" VALUES(22,1,3,2,0,1795749872,3,4,0.0,0.0,6.0,0.0,0,0,0,-1035670643255175180,X'',1,X'060000',0,0,0,X'');
INSERT INTO "evidence" VALUES(23,1,3,2,0,-1,3,4,0.0,0.0,6.0,0.0,0,0,0,-3978681445303518142,X'',1,X'060000',0,0,0,X'');
INSERT INTO "evidence" VALUES(24,1,3,2,1002,-1,3,4,0.0,0.0,6.0,0.0,4,3,0,-5005578553728662106,X'',1,X'',3,0,0,X'');
INSERT INTO "evidence" VALUES(25,1,3,2,2,-1,3,4,0.0,0.0,6.0,0.0,4,3,0,8457423429183460702,X'',1,X'',3,0,0,X'');
INSERT INTO "evidence" VALUES(26,1,3,2,1003,-1,3,4,0.0,0.0,6.0,0.0,4,3,0,-6859543325778948330,X'',1,X'',3,0,0,X'');
INSERT INTO "evidence" VALUES(27,1,3,2,3,-1,3,4,0.0,0.0,6.0,0.0,4,3,0,1133735298082943627,X'',1,X'',3,0,0,X'');
INSERT INTO "evidence" VALUES(28,1,3,2,1001,1795749872,2,2,0.0,0.0,2.0,0.0,0,0,0,-6695228874335526771,X'',1,X'',0,0,0,X'');
INSERT INTO "evidence" VALUES(29,1,3,2,1001,-1,2,2,0.0,0.0,2.0,0.0,0,0,0,-1192977446631144822,X'',1,X'',0,0,0,X'');
INSERT INTO "evidence" VALUES(30,1,3,2,1,1795749872,2,2,0.0,0.0,2.0,0.0,0,0,0,-2164279704636076503,X'',1,X'',0,0,0,X'');
INSERT INTO "evidence" VALUES(31,1,3,2,1,-1,2,2,0.0,0.0,2.0,0.0,0,0,0,5465001578547142979,X'',1,X'',0,0,0,X'');
INSERT INTO "evidence" VALUES(32,1,3,2,1999,-1,3,4,0.0,0.0,0.0,0.0,0,3,0,-7666623492688384706,X'',1,X'',0,0,0,X'');
INSERT INTO "evidence" VALUES(33,1,3,2,-1,-1,3,4,0.0,0.0,0.0,0.0,0,3,0,8585093815464166232,X'',1,X'',0,0,0,X'');
INSERT INTO "evidence" VALUES(34,1,3,1,1001,1795749872,1,1,0.0,0.0,1.0,0.0,0,0,0,8210579218548646893,X'',1,X'',0,0,0,X'');
INSERT INTO "evidence" VALUES(35,1,3,1,1001,-1,1,1,0.0,0.0,1.0,0.0,0,0,0,8830977647379352342,X'',1,X'',0,0,0,X'');
CREATE TABLE experiment_epochs (
    experiment_key INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    shares TEXT NOT NULL,           -- JSON, the control first
    started_at INTEGER NOT NULL DEFAULT 0,
    scales TEXT NOT NULL DEFAULT '[]', -- JSON, by metric: how values become numbers from 0 to 1; [] before schema 8
    PRIMARY KEY (experiment_key, epoch)
);
INSERT INTO "experiment_epochs" VALUES(1,3,'[0.5,0.5]',1795749939011483,'[{"floor":0.0,"cap":1.0,"centre":-0.0},null,{"floor":0.0,"cap":1.0,"centre":-0.0},{"floor":0.0,"cap":1.0,"centre":-0.0}]');
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
INSERT INTO "experiment_minutes" VALUES(1,3,1,29929165,1,X'000000000000080000000000',-4067611495887177145);
INSERT INTO "experiment_minutes" VALUES(1,3,2,29929165,1,X'000000000000040000000000',-6808587441075036381);
CREATE TABLE experiment_segments (
    experiment_key INTEGER NOT NULL,
    dimension INTEGER NOT NULL,     -- its place in the definition
    place INTEGER NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (experiment_key, dimension, place)
) WITHOUT ROWID;
INSERT INTO "experiment_segments" VALUES(1,0,0,'DE');
INSERT INTO "experiment_segments" VALUES(1,0,1,'AT');
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
INSERT INTO "experiments" VALUES(1,'exp-645ec38bbd1f','shop','running','{"name":"shop","title":"","policy":"fixed","arms":[{"key":1,"model_id":"model-14c42853560b","version":"1","weight":1.0},{"key":2,"model_id":"model-8f4975b7c459","version":"2","weight":1.0}],"primary_metric":"bought","secondary_metrics":["revenue","error"],"guardrails":["error","rejected"],"metrics":[{"name":"bought","kind":"binary","direction":"up","window_seconds":3600,"lower_bound":null,"upper_bound":null,"missing":"failure"},{"name":"revenue","kind":"continuous","direction":"up","window_seconds":3600,"lower_bound":0.0,"upper_bound":100.0,"missing":"zero","per":"unit"},{"name":"error","kind":"binary","direction":"down","window_seconds":0,"lower_bound":null,"upper_bound":null,"missing":"excluded"},{"name":"rejected","kind":"binary","direction":"down","window_seconds":0,"lower_bound":null,"upper_bound":null,"missing":"excluded"}],"alpha":0.05,"power":0.8,"minimum_detectable_effect":null,"relative":false,"planned_units":5000.0,"enrolment":1.0,"dimensions":["country"],"salt":"b0a03df638b75ef7fcf2fdf003fdbe3e","slo_ms":null,"burst_protection":true,"evidence_rules":1}',1795749939010149,1795749939011483,NULL,NULL,NULL,NULL,1,NULL,NULL,NULL,NULL);
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
INSERT INTO "feedback" VALUES(7355391750198961,'correct',1.0,'"positive"',1795749939519334,0,3067594597211495847,1,21,NULL);
INSERT INTO "feedback" VALUES(7355391750204597,'bought',1.0,NULL,1795749939519334,0,-2918118576653007093,1,21,1.0);
CREATE TABLE metrics (
    name TEXT NOT NULL,
    metric TEXT NOT NULL,
    definition TEXT NOT NULL,       -- JSON
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (name, metric)
);
INSERT INTO "metrics" VALUES('shop','bought','{"name":"bought","kind":"binary","direction":"up","window_seconds":3600,"lower_bound":null,"upper_bound":null,"missing":"failure"}',1795749939007805);
INSERT INTO "metrics" VALUES('shop','revenue','{"name":"revenue","kind":"continuous","direction":"up","window_seconds":3600,"lower_bound":0.0,"upper_bound":100.0,"missing":"zero","per":"unit"}',1795749939008634);
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
INSERT INTO "models" VALUES('shop','a0b2ccb448b5a3201a4bda6b330d1967',6,3,1,9,'[]');
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
INSERT INTO "pending_feedback" VALUES(6913729115455488,0,'','','correct',NULL,'"late"',1795749939519334);
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
INSERT INTO "predictions" VALUES(7355391750198961,2376046839951774456,1,1,0,2,3,0.5,NULL,0,'very good number 0','"positive"',7.79947368421052611431e-01,1084437,NULL,1,1,1,'{"country":"DE","plan":"pro"}',NULL,'req-0',NULL,-3558162726032460821,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355391750204597,929574216604304896,1,1,0,2,3,0.5,'user-1',0,'very good number 1','"positive"',7.79947368421052611431e-01,8884,NULL,1,1,3,'{"country":"AT","plan":"pro"}',NULL,'req-1',NULL,-5974501466983797405,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355391750205936,2605574038371361019,2,2,0,2,3,0.5,'user-2',0,'very good number 2','"positive"',7.79947368421052611431e-01,1813,NULL,1,1,5,'{"country":"DE","plan":"pro"}',NULL,'req-2',NULL,111085273518580382,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355391750207185,1655154350649152768,1,1,0,2,3,0.5,NULL,0,'very good number 3','"positive"',7.79947368421052611431e-01,1523,NULL,1,1,6,'{"country":"AT","plan":"pro"}',NULL,'req-3',NULL,4538211107077864075,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355391750208496,1773896394184892776,2,2,0,2,3,0.5,'user-4',0,'very good number 4','"positive"',7.79947368421052611431e-01,4847,NULL,1,1,8,'{"country":"DE","plan":"pro"}',NULL,'req-4',NULL,-6225465529488801107,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355391750210036,3356491791495297184,1,1,0,2,3,0.5,'user-0',0,'very good number 5','"positive"',7.79947368421052611431e-01,2023,NULL,1,1,9,'{"country":"AT","plan":"pro"}',NULL,'req-5',NULL,1783104340255185493,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355391750211183,2764060125891425867,2,2,0,2,3,0.5,NULL,0,'very good number 6','"positive"',7.79947368421052611431e-01,3235,NULL,1,1,11,'{"country":"DE","plan":"pro"}',NULL,'req-6',NULL,-7138218341208726826,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355391750212477,3771977243599328978,2,2,0,2,3,0.5,'user-2',0,'very good number 7','"positive"',7.79947368421052611431e-01,1332,NULL,1,1,12,'{"country":"AT","plan":"pro"}',NULL,'req-7',NULL,-1901734903072126263,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355391750213706,2993887798958255234,1,1,0,2,3,0.5,'user-3',0,'very good number 8','"positive"',7.79947368421052611431e-01,3055,NULL,1,1,13,'{"country":"DE","plan":"pro"}',NULL,'req-8',NULL,3891976444541088785,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355391750215021,961357016810668880,1,1,0,2,3,0.5,NULL,0,'very good number 9','"positive"',7.79947368421052611431e-01,1352,NULL,1,1,15,'{"country":"AT","plan":"pro"}',NULL,'req-9',NULL,-3838222307973867769,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355391750216188,1460289814441220764,1,1,0,2,3,0.5,'user-0',0,'very good number 10','"positive"',7.79947368421052611431e-01,1282,NULL,1,1,17,'{"country":"DE","plan":"pro"}',NULL,'req-10',NULL,-7117504857935949196,NULL,NULL,NULL);
INSERT INTO "predictions" VALUES(7355391750217339,2518902701106298922,1,1,0,2,3,0.5,'user-1',0,'very good number 11','"positive"',7.79947368421052611431e-01,3355,NULL,1,1,19,'{"country":"AT","plan":"pro"}',NULL,'req-11',NULL,-5532815910384602070,NULL,NULL,NULL);
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
INSERT INTO "rollups" VALUES(1,0,0,1,3,8,0,0,8,6.23957894736842089145e+00,4.86654318005540176272e+00,1105911,1.17611300496100024126e+00,X'EA0201030106010E01150104013201F20101',1,1,0,8,-8117129844716943937,-6954370518260049364,7782337525811112541,1);
INSERT INTO "rollups" VALUES(2,1,1795737600,1,3,8,0,0,8,6.23957894736842089145e+00,4.86654318005540176272e+00,1105911,1.17611300496100024126e+00,X'EA0201030106010E01150104013201F20101',1,1,0,8,-8117129844716943937,7550093254924424948,7782337525811112541,1);
INSERT INTO "rollups" VALUES(3,2,1795748400,1,3,8,0,0,8,6.23957894736842089145e+00,4.86654318005540176272e+00,1105911,1.17611300496100024126e+00,X'EA0201030106010E01150104013201F20101',1,1,0,8,-8117129844716943937,6307525342801927145,7782337525811112541,1);
INSERT INTO "rollups" VALUES(4,3,1795749900,1,3,8,0,0,8,6.23957894736842089145e+00,4.86654318005540176272e+00,1105911,1.17611300496100024126e+00,X'EA0201030106010E01150104013201F20101',1,1,0,8,-8117129844716943937,-7447453613956599076,7782337525811112541,1);
INSERT INTO "rollups" VALUES(5,0,0,2,3,4,0,0,4,3.11978947368421044572e+00,2.43327159002770088136e+00,11227,3.90198269999999958097e-05,X'EC02010F011E011401',0,0,0,4,571881133255860584,8050812778125812648,-2551471795606115399,1);
INSERT INTO "rollups" VALUES(6,1,1795737600,2,3,4,0,0,4,3.11978947368421044572e+00,2.43327159002770088136e+00,11227,3.90198269999999958097e-05,X'EC02010F011E011401',0,0,0,4,571881133255860584,1408418235892623641,-2551471795606115399,1);
INSERT INTO "rollups" VALUES(7,2,1795748400,2,3,4,0,0,4,3.11978947368421044572e+00,2.43327159002770088136e+00,11227,3.90198269999999958097e-05,X'EC02010F011E011401',0,0,0,4,571881133255860584,-3319700175354143867,-2551471795606115399,1);
INSERT INTO "rollups" VALUES(8,3,1795749900,2,3,4,0,0,4,3.11978947368421044572e+00,2.43327159002770088136e+00,11227,3.90198269999999958097e-05,X'EC02010F011E011401',0,0,0,4,571881133255860584,-7321794377531766708,-2551471795606115399,1);
CREATE TABLE secrets (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,             -- webhook.url, webhook.secret, key.hash
    value TEXT NOT NULL,
    row_hash INTEGER,               -- null where it was written before there were hashes
    PRIMARY KEY (id, kind)
) WITHOUT ROWID;
INSERT INTO "secrets" VALUES('key-f7df376f24fb','key.hash','b65367e8048910a1afa0de1e7b2aa5dd618bacfe90aa89db76bdadee7e26f8f9',348532094725053833);
CREATE TABLE servers (
    server_key INTEGER PRIMARY KEY,
    server BLOB NOT NULL UNIQUE,
    position INTEGER NOT NULL
);
INSERT INTO "servers" VALUES(1,X'90239BC01126C8A2265991A66BFDE9B4',21);
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
INSERT INTO "shadows" VALUES(7355391750202696,280897576354894294,2,7355391750198961,1.0,'"positive"',7.79947368421052611431e-01,NULL,2664,NULL,0,1,2);
INSERT INTO "shadows" VALUES(7355391750204982,2152261399308967210,2,7355391750204597,1.0,'"positive"',7.79947368421052611431e-01,NULL,1041,NULL,0,1,4);
INSERT INTO "shadows" VALUES(7355391750208480,1989605407511108847,2,7355391750207185,1.0,'"positive"',7.79947368421052611431e-01,NULL,1813,NULL,0,1,7);
INSERT INTO "shadows" VALUES(7355391750210221,4095488992001028455,2,7355391750210036,1.0,'"positive"',7.79947368421052611431e-01,NULL,1082,NULL,0,1,10);
INSERT INTO "shadows" VALUES(7355391750214816,1171727307354846253,2,7355391750213706,1.0,'"positive"',7.79947368421052611431e-01,NULL,1592,NULL,0,1,14);
INSERT INTO "shadows" VALUES(7355391750215189,3064661033388594599,2,7355391750215021,1.0,'"positive"',7.79947368421052611431e-01,NULL,1002,NULL,0,1,16);
INSERT INTO "shadows" VALUES(7355391750216356,3973391775019192347,2,7355391750216188,1.0,'"positive"',7.79947368421052611431e-01,NULL,761,NULL,0,1,18);
INSERT INTO "shadows" VALUES(7355391750218019,1217680057588508575,2,7355391750217339,1.0,'"positive"',7.79947368421052611431e-01,NULL,1473,NULL,0,1,20);
CREATE TABLE state (
    minute_horizon INTEGER NOT NULL,
    probes INTEGER NOT NULL,
    feedback_dropped INTEGER NOT NULL DEFAULT 0,
    server BLOB NOT NULL DEFAULT x'',
    entries_dropped INTEGER NOT NULL DEFAULT 0,
    request_ids_until INTEGER NOT NULL DEFAULT 0
);
INSERT INTO "state" VALUES(1795489200,0,0,X'90239BC01126C8A2265991A66BFDE9B4',0,0);
CREATE TABLE stretches (
    server_key INTEGER NOT NULL,
    first INTEGER NOT NULL,         -- position, a multiple of 4096
    lowest INTEGER NOT NULL,        -- prediction_order
    highest INTEGER NOT NULL,
    PRIMARY KEY (server_key, first)
) WITHOUT ROWID;
INSERT INTO "stretches" VALUES(1,0,7355391750198961,7355391750217339);
CREATE TABLE unit_journal (
    seq INTEGER PRIMARY KEY,
    units BLOB NOT NULL,
    format INTEGER NOT NULL DEFAULT 0 -- as in experiment_units
);
INSERT INTO "unit_journal" VALUES(1,X'029BE99F96EC86BBBD72060200E6E0C7B00D0401E0DFC7B00D0200000002000001E0DFC7B00D010000000000018AD9E1E999A7980301000200010000000001000200010000000001020002A9CD98FD888CCBD44D060400E6E0C7B00D0401E0DFC7B00D0200000002000001E0DFC7B00D01000000000001D1DBE1E999A7980301000200010000000001000200010000000001010002C78FD2A6DCFDF3CD8201060400E6E0C7B00D0401E0DFC7B00D0100000001000001E0DFC7B00D01000000000001C2E0E1E999A7980301000100010000000001000100010000000001010002EEA48D84A093B5ADFF01060200E6E0C7B00D0401E0DFC7B00D0200000002000001E0DFC7B00D01000000000001BAE3E1E999A7980301000200010000000001000200010000000001020002CFC7E4B7EFD7E2CFDB01060200E6E0C7B00D0401E0DFC7B00D0100000001000001E0DFC7B00D01000000000001BAEAE1E999A79803010001000100000000010001000100000000010100',4);
INSERT INTO "unit_journal" VALUES(2,X'029BE99F96EC86BBBD72060200E6E0C7B00D0401E0DFC7B00D0201000000000000F03F01000201000000000000F03F0001E0DFC7B00D0101000000000000294001000000018AD9E1E999A79803010002000100000000010002000100000000010200',4);
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
INSERT INTO "unit_outcomes" VALUES(1,'shop','revenue',-4124582693711379022,'user-1',1795749939519334,12.5,NULL,1795749939519334,1,21,1,3114913359558058684);
INSERT INTO "unit_outcomes" VALUES(2,'shop','revenue',-8445851055831416154,'stranger',1795749939519334,3.0,NULL,1795749939519334,1,21,0,-4643157357776605370);
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
INSERT INTO "versions" VALUES(1,'model-14c42853560b','shop','1','',0.5,'{}','{"type":"sentiment","method":"vader"}',NULL,'active',50.0,0.0,1795749939002808,1795749939005891,NULL,NULL);
INSERT INTO "versions" VALUES(2,'model-8f4975b7c459','shop','2','',0.5,'{}','{"type":"sentiment","method":"vader"}',NULL,'active',50.0,100.0,1795749939004961,1795749939007066,NULL,NULL);
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
INSERT INTO "sqlite_sequence" VALUES('audit',11);
INSERT INTO "sqlite_sequence" VALUES('access_keys',1);
INSERT INTO "sqlite_sequence" VALUES('experiments',1);
COMMIT;
PRAGMA user_version = 13;
