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
    experiment_key INTEGER
);
INSERT INTO "audit" VALUES(1,1795651973117380,'version.registered','sentiment','1.0.0',1,'{"model_id":"model-ffb95ae1efd8"}',NULL);
INSERT INTO "audit" VALUES(2,1795651973119555,'version.registered','sentiment','2.0.0',2,'{"model_id":"model-dc589a6a19b6"}',NULL);
INSERT INTO "audit" VALUES(3,1795651973120815,'version.registered','sentiment','3.0.0',3,'{"model_id":"model-228ac1fd4246"}',NULL);
INSERT INTO "audit" VALUES(4,1795651973127502,'version.registered','other','1',1,'{"model_id":"model-702735a1e194"}',NULL);
INSERT INTO "audit" VALUES(5,1795651973129120,'version.activated','sentiment','1.0.0',4,'{"from":0.0,"to":100.0}',NULL);
INSERT INTO "audit" VALUES(6,1795651973130165,'metric.set','sentiment',NULL,4,'{"from":null,"to":{"direction":"up","kind":"binary","lower_bound":null,"missing":"failure","name":"clicked","upper_bound":null,"window_seconds":3600}}',NULL);
INSERT INTO "audit" VALUES(7,1795651973130819,'metric.set','sentiment',NULL,4,'{"from":null,"to":{"direction":"up","kind":"continuous","lower_bound":null,"missing":"excluded","name":"score","upper_bound":null,"window_seconds":0}}',NULL);
INSERT INTO "audit" VALUES(8,1795651973160525,'experiment.created','sentiment',NULL,4,'{"by":"person","experiment":"exp-08ffbd6e91ab","title":""}',1);
INSERT INTO "audit" VALUES(9,1795651973161608,'experiment.started','sentiment',NULL,5,'{"by":"person","experiment":"exp-08ffbd6e91ab","from":{"1.0.0":100.0,"2.0.0":0.0},"to":{"1.0.0":70.0,"2.0.0":30.0}}',1);
INSERT INTO "audit" VALUES(10,1795651973317352,'experiment.held','sentiment',NULL,6,'{"because":"No outcome has come yet for a metric that needs feedback.","by":"controller","evidence":{"arms":[{"fallbacks":0,"model_id":"model-ffb95ae1efd8","predictions":149,"role":"control","share":0.7,"units":83,"version":"1.0.0"},{"fallbacks":0,"model_id":"model-dc589a6a19b6","predictions":69,"role":"candidate","share":0.3,"units":31,"version":"2.0.0"}],"as_of":"2026-11-26T00:12:53.317352Z","excluded":[{"predictions":218,"reason":"have no value of score"},{"predictions":218,"reason":"have not matured: a value of clicked may come for 3600 seconds, counted in steps of 112"}],"experiment":"exp-08ffbd6e91ab","feedback_checks":[{"alarm":false,"metric":"score","p":1.0,"version":"2.0.0"}],"metrics":[{"arms":[{"events":null,"immature":0,"interval":null,"mean":null,"missing":0,"predictions":0,"units":0,"version":"1.0.0"},{"events":null,"immature":0,"interval":null,"mean":null,"missing":0,"predictions":0,"units":0,"version":"2.0.0"}],"comparisons":[{"bayesian":null,"difference":null,"events":null,"finding":"too_little","fixed_horizon":null,"lift":null,"ln_e_harm":null,"needed":null,"sequential":{"adjusted_p":1.0,"interval":null,"lift_interval":null,"ln_e":0.0,"method":"none","p":1.0},"version":"2.0.0"}],"metric":{"built_in":false,"direction":"up","kind":"continuous","lower_bound":null,"metric":"score","missing":"excluded","upper_bound":null,"window_seconds":0},"role":"primary"},{"arms":[{"events":null,"immature":0,"interval":{"lower":0.7166698950836163,"upper":0.7267995503420297},"mean":0.721734722712823,"missing":0,"predictions":149,"units":83,"version":"1.0.0"},{"events":null,"immature":0,"interval":{"lower":0.7959854870056817,"upper":0.7959854979372618},"mean":0.7959854924714717,"missing":0,"predictions":69,"units":31,"version":"2.0.0"}],"comparisons":[{"bayesian":{"chance_to_win":1.0,"loss_candidate":2.448429163017111e-191,"loss_control":0.07425076975864875},"difference":0.07425076975864875,"events":null,"finding":"too_little","fixed_horizon":{"interval":{"lower":0.06918594212943939,"upper":0.07931559738785811},"p":4.717427834270359e-45,"statistic":29.163565865638724},"lift":0.10287820084304437,"ln_e_harm":null,"needed":{"days":null,"for_minimum_effect":false,"more":0.0,"units":25.0},"sequential":{"adjusted_p":1.0,"interval":null,"lift_interval":null,"ln_e":0.0,"method":"none","p":1.0},"version":"2.0.0"}],"metric":{"built_in":true,"direction":"up","kind":"continuous","lower_bound":null,"metric":"confidence","missing":"excluded","upper_bound":null,"window_seconds":0},"role":"secondary"},{"arms":[{"events":null,"immature":0,"interval":{"lower":0.0032725563780154057,"upper":0.004543524158897348},"mean":0.003908040268456377,"missing":0,"predictions":149,"units":83,"version":"1.0.0"},{"events":null,"immature":0,"interval":{"lower":0.0,"upper":0.21742850773019565},"mean":0.07311146376811598,"missing":0,"predictions":69,"units":31,"version":"2.0.0"}],"comparisons":[{"bayesian":{"chance_to_win":0.16371396775167346,"loss_candidate":0.07532664212493169,"loss_control":0.006123218625272073},"difference":0.0692034234996596,"events":null,"finding":"too_little","fixed_horizon":{"interval":{"lower":-0.07511484773665583,"upper":0.21352169473597504},"p":0.3352594662944661,"statistic":0.979307763763952},"lift":17.707960703023673,"ln_e_harm":null,"needed":{"days":null,"for_minimum_effect":false,"more":1768.0,"units":1882.0},"sequential":{"adjusted_p":1.0,"interval":null,"lift_interval":null,"ln_e":0.0,"method":"none","p":1.0},"version":"2.0.0"}],"metric":{"built_in":true,"direction":"down","kind":"continuous","lower_bound":0.0,"metric":"latency_ms","missing":"excluded","upper_bound":null,"window_seconds":0},"role":"secondary"},{"arms":[{"events":0,"immature":0,"interval":null,"mean":0.0,"missing":0,"predictions":149,"units":83,"version":"1.0.0"},{"events":0,"immature":0,"interval":null,"mean":0.0,"missing":0,"predictions":69,"units":31,"version":"2.0.0"}],"comparisons":[{"bayesian":null,"difference":0.0,"events":{"ln_e":0.0,"rate_ratio":{"lower":0.0,"upper":null}},"finding":"unclear","fixed_horizon":null,"lift":null,"ln_e_harm":0.0,"needed":null,"sequential":{"adjusted_p":1.0,"interval":null,"lift_interval":null,"ln_e":0.0,"method":"none","p":1.0},"version":"2.0.0"}],"metric":{"built_in":true,"direction":"down","kind":"binary","lower_bound":null,"metric":"error","missing":"excluded","upper_bound":null,"window_seconds":0},"role":"guardrail"},{"arms":[{"events":0,"immature":149,"interval":null,"mean":null,"missing":0,"predictions":0,"units":0,"version":"1.0.0"},{"events":0,"immature":69,"interval":null,"mean":null,"missing":0,"predictions":0,"units":0,"version":"2.0.0"}],"comparisons":[{"bayesian":null,"difference":null,"events":null,"finding":"too_little","fixed_horizon":null,"lift":null,"ln_e_harm":null,"needed":null,"sequential":{"adjusted_p":1.0,"interval":null,"lift_interval":null,"ln_e":0.0,"method":"none","p":1.0},"version":"2.0.0"}],"metric":{"built_in":false,"direction":"up","kind":"binary","lower_bound":null,"metric":"clicked","missing":"failure","upper_bound":null,"window_seconds":3600},"role":"guardrail"}],"name":"sentiment","notes":[],"sample_ratio":{"alarm":false,"chi_square_p":0.5131019513816321,"ln_e":-0.029319543273871318,"p":1.0},"status":"running","summary":"Keep going: 2.0.0 has no matured feedback for score yet.","verdict":"keep_going","verdict_version":null},"experiment":"exp-08ffbd6e91ab","experiment_revision":2,"progress":{"rollout":{"held":"no_outcomes","looked_at":1795651973317352,"min_units":100000,"paused":false,"predictions":218,"soaked_micros":0,"step":0,"traffic_at":1795651973317352,"units":31}}}',1);
INSERT INTO "audit" VALUES(11,1795651973417844,'version.registered','sentiment','unreachable',7,'{"model_id":"model-d370087ec89c"}',NULL);
INSERT INTO "audit" VALUES(12,1795651973517428,'experiment.released','sentiment',NULL,8,'{"because":"What held it is over: no_outcomes.","by":"controller","evidence":{"arms":[{"fallbacks":0,"model_id":"model-ffb95ae1efd8","predictions":208,"role":"control","share":0.7,"units":100,"version":"1.0.0"},{"fallbacks":0,"model_id":"model-dc589a6a19b6","predictions":92,"role":"candidate","share":0.3,"units":35,"version":"2.0.0"}],"as_of":"2026-11-26T00:12:53.517428Z","excluded":[{"predictions":240,"reason":"have no value of score"},{"predictions":300,"reason":"have not matured: a value of clicked may come for 3600 seconds, counted in steps of 112"}],"experiment":"exp-08ffbd6e91ab","feedback_checks":[{"alarm":false,"metric":"score","p":1.0,"version":"2.0.0"}],"metrics":[{"arms":[{"events":null,"immature":0,"interval":{"lower":-1.891272938995229,"upper":-0.0670648283020645},"mean":-0.9791688836486468,"missing":0,"predictions":43,"units":35,"version":"1.0.0"},{"events":null,"immature":0,"interval":{"lower":-0.812178730406036,"upper":1.6969958092502129},"mean":0.4424085394220883,"missing":0,"predictions":17,"units":15,"version":"2.0.0"}],"comparisons":[{"bayesian":{"chance_to_win":0.9730790765266649,"loss_candidate":0.007573965065155348,"loss_control":1.4291513881358904},"difference":1.421577423070735,"events":null,"finding":"too_little","fixed_horizon":{"interval":{"lower":-0.08229088592925926,"upper":2.925445732070729},"p":0.06306814022112592,"statistic":1.9281067711076183},"lift":1.4518204640792454,"ln_e_harm":null,"needed":{"days":null,"for_minimum_effect":false,"more":299.0,"units":349.0},"sequential":{"adjusted_p":1.0,"interval":null,"lift_interval":null,"ln_e":0.0,"method":"none","p":1.0},"version":"2.0.0"}],"metric":{"built_in":false,"direction":"up","kind":"continuous","lower_bound":null,"metric":"score","missing":"excluded","upper_bound":null,"window_seconds":0},"role":"primary"},{"arms":[{"events":null,"immature":0,"interval":{"lower":0.7171210915556788,"upper":0.7252164590516089},"mean":0.7211687753036439,"missing":0,"predictions":208,"units":100,"version":"1.0.0"},{"events":null,"immature":0,"interval":{"lower":0.7959854816130103,"upper":0.7959855033299339},"mean":0.7959854924714721,"missing":0,"predictions":92,"units":35,"version":"2.0.0"}],"comparisons":[{"bayesian":{"chance_to_win":1.0,"loss_candidate":4.906135149075215e-299,"loss_control":0.07481671716782823},"difference":0.07481671716782823,"events":null,"finding":"too_little","fixed_horizon":{"interval":{"lower":0.07076903341985011,"upper":0.07886440091580635},"p":2.002832313437579e-59,"statistic":36.67593806966047},"lift":0.10374370012945595,"ln_e_harm":null,"needed":{"days":null,"for_minimum_effect":false,"more":0.0,"units":22.0},"sequential":{"adjusted_p":1.0,"interval":null,"lift_interval":null,"ln_e":0.0,"method":"none","p":1.0},"version":"2.0.0"}],"metric":{"built_in":true,"direction":"up","kind":"continuous","lower_bound":null,"metric":"confidence","missing":"excluded","upper_bound":null,"window_seconds":0},"role":"secondary"},{"arms":[{"events":null,"immature":0,"interval":{"lower":0.0035316724014209256,"upper":0.004538154521655999},"mean":0.004034913461538462,"missing":0,"predictions":208,"units":100,"version":"1.0.0"},{"events":null,"immature":0,"interval":{"lower":0.0,"upper":0.16399715885745314},"mean":0.05568998913043482,"missing":0,"predictions":92,"units":35,"version":"2.0.0"}],"comparisons":[{"bayesian":{"chance_to_win":0.16621522965962865,"loss_candidate":0.05636171481262253,"loss_control":0.004706639143726174},"difference":0.05165507566889636,"events":null,"finding":"too_little","fixed_horizon":{"interval":{"lower":-0.05665313977849217,"upper":0.15996329111628488},"p":0.33927483570047523,"statistic":0.9692299733864618},"lift":12.802028137971742,"ln_e_harm":null,"needed":{"days":null,"for_minimum_effect":false,"more":2100.0,"units":2235.0},"sequential":{"adjusted_p":1.0,"interval":null,"lift_interval":null,"ln_e":0.0,"method":"none","p":1.0},"version":"2.0.0"}],"metric":{"built_in":true,"direction":"down","kind":"continuous","lower_bound":0.0,"metric":"latency_ms","missing":"excluded","upper_bound":null,"window_seconds":0},"role":"secondary"},{"arms":[{"events":0,"immature":0,"interval":null,"mean":0.0,"missing":0,"predictions":208,"units":100,"version":"1.0.0"},{"events":0,"immature":0,"interval":null,"mean":0.0,"missing":0,"predictions":92,"units":35,"version":"2.0.0"}],"comparisons":[{"bayesian":null,"difference":0.0,"events":{"ln_e":0.0,"rate_ratio":{"lower":0.0,"upper":null}},"finding":"unclear","fixed_horizon":null,"lift":null,"ln_e_harm":0.0,"needed":null,"sequential":{"adjusted_p":1.0,"interval":null,"lift_interval":null,"ln_e":0.0,"method":"none","p":1.0},"version":"2.0.0"}],"metric":{"built_in":true,"direction":"down","kind":"binary","lower_bound":null,"metric":"error","missing":"excluded","upper_bound":null,"window_seconds":0},"role":"guardrail"},{"arms":[{"events":33,"immature":208,"interval":null,"mean":null,"missing":0,"predictions":0,"units":0,"version":"1.0.0"},{"events":11,"immature":92,"interval":null,"mean":null,"missing":0,"predictions":0,"units":0,"version":"2.0.0"}],"comparisons":[{"bayesian":null,"difference":null,"events":null,"finding":"too_little","fixed_horizon":null,"lift":null,"ln_e_harm":null,"needed":null,"sequential":{"adjusted_p":1.0,"interval":null,"lift_interval":null,"ln_e":0.0,"method":"none","p":1.0},"version":"2.0.0"}],"metric":{"built_in":false,"direction":"up","kind":"binary","lower_bound":null,"metric":"clicked","missing":"failure","upper_bound":null,"window_seconds":3600},"role":"guardrail"}],"name":"sentiment","notes":[],"sample_ratio":{"alarm":false,"chi_square_p":0.3016196644572262,"ln_e":0.0049970518014248455,"p":0.9950154126913799},"status":"running","summary":"Keep going: too little is known of score: 1.0.0 has 35 of 100 units and 2.0.0 has 15 of 100 units. About 299 more units are needed if the difference stays as it is.","verdict":"keep_going","verdict_version":null},"experiment":"exp-08ffbd6e91ab","experiment_revision":3,"progress":{"rollout":{"held":null,"looked_at":1795651973517428,"min_units":100000,"paused":false,"predictions":300,"soaked_micros":200076,"step":0,"traffic_at":1795651973517428,"units":35}}}',1);
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
INSERT INTO "evidence" VALUES(1,1,2,1,1,-1,100,208,1.50003105263157920034e+02,3.94396862130193824212e+02,756.0,545.921052631579,208,100,0);
INSERT INTO "evidence" VALUES(2,1,2,1,2,-1,100,208,8.39262000000000174537e-01,1.55999919480000089067e-02,756.0,3.11691699999999816128e+00,208,100,0);
INSERT INTO "evidence" VALUES(3,1,2,1,3,-1,100,208,0.0,0.0,756.0,0.0,208,100,0);
INSERT INTO "evidence" VALUES(4,1,2,1,4,-1,100,208,35.0,59.0,756.0,171.0,70,49,33);
INSERT INTO "evidence" VALUES(5,1,2,1,4,1795651872,100,208,35.0,59.0,756.0,171.0,70,49,33);
INSERT INTO "evidence" VALUES(6,1,2,1,-1,-1,100,208,0.0,0.0,0.0,0.0,0,0,0);
INSERT INTO "evidence" VALUES(7,1,2,2,1,-1,35,92,7.32306653073754318947e+01,2.38230931988618834784e+02,376.0,2.99290545169272945722e+02,92,35,0);
INSERT INTO "evidence" VALUES(8,1,2,2,2,-1,35,92,5.12347900000000322506e+00,2.39330178126490160654e+01,376.0,1.56742140000000009791e+01,92,35,0);
INSERT INTO "evidence" VALUES(9,1,2,2,3,-1,35,92,0.0,0.0,376.0,0.0,92,35,0);
INSERT INTO "evidence" VALUES(10,1,2,2,4,-1,35,92,15.0,31.0,376.0,65.0,30,17,11);
INSERT INTO "evidence" VALUES(11,1,2,2,4,1795651872,35,92,15.0,31.0,376.0,65.0,30,17,11);
INSERT INTO "evidence" VALUES(12,1,2,2,-1,-1,35,92,0.0,0.0,0.0,0.0,0,0,0);
INSERT INTO "evidence" VALUES(13,1,2,1,0,-1,35,43,-4.21042619968918145883e+01,4.10558860342149330342e+02,59.0,-5.37767278992829460531e+01,43,35,0);
INSERT INTO "evidence" VALUES(14,1,2,2,0,-1,15,17,7.52094517017550145965e+00,9.8636165578914116736e+01,21.0,1.18143346253604875073e+01,17,15,0);
CREATE TABLE experiment_epochs (
    experiment_key INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    shares TEXT NOT NULL,           -- JSON, the control first
    started_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (experiment_key, epoch)
);
INSERT INTO "experiment_epochs" VALUES(1,2,'[0.7,0.3]',1795651973161608);
CREATE TABLE experiment_units (
    experiment_key INTEGER NOT NULL,
    unit INTEGER NOT NULL,          -- the first 64 bits of the SHA-256 of unit_id
    epoch INTEGER NOT NULL,
    version_key INTEGER NOT NULL,   -- of the first exposure in the epoch
    state BLOB NOT NULL,            -- by metric: stretches of exposure time with counts and sums
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
INSERT INTO "experiments" VALUES(1,'exp-08ffbd6e91ab','sentiment','running','{"name":"sentiment","title":"","policy":{"rollout":{"steps":[30.0,60.0,100.0],"soak_seconds":[100000],"min_units":[100000],"promotion":"permissive","ratio_margins":[],"absolute_margin":null,"ratio_tolerated":1.0,"margins":{},"ceilings":{},"holdback":2.0,"approval":false,"no_traffic_grace_seconds":86400,"no_traffic":"hold","max_step_without_outcomes":25.0}},"arms":[{"key":1,"model_id":"model-ffb95ae1efd8","version":"1.0.0","weight":1.0},{"key":2,"model_id":"model-dc589a6a19b6","version":"2.0.0","weight":1.0}],"primary_metric":"score","secondary_metrics":["confidence","latency_ms"],"guardrails":["error","clicked"],"metrics":[{"name":"score","kind":"continuous","direction":"up","window_seconds":0,"lower_bound":null,"upper_bound":null,"missing":"excluded"},{"name":"confidence","kind":"continuous","direction":"up","window_seconds":0,"lower_bound":null,"upper_bound":null,"missing":"excluded"},{"name":"latency_ms","kind":"continuous","direction":"down","window_seconds":0,"lower_bound":0.0,"upper_bound":null,"missing":"excluded"},{"name":"error","kind":"binary","direction":"down","window_seconds":0,"lower_bound":null,"upper_bound":null,"missing":"excluded"},{"name":"clicked","kind":"binary","direction":"up","window_seconds":3600,"lower_bound":null,"upper_bound":null,"missing":"failure"}],"alpha":0.05,"power":0.8,"minimum_detectable_effect":null,"relative":false,"planned_units":5000.0,"enrolment":1.0,"salt":"fe3bed14e9a8a17cec8cb7786d734e2b","slo_ms":null}',1795651973160525,1795651973161608,NULL,NULL,'[{"metric":0,"arm":1,"p":1.0,"lower":null,"upper":null,"ln_e_harm":null},{"metric":1,"arm":1,"p":1.0,"lower":null,"upper":null,"ln_e_harm":null},{"metric":2,"arm":1,"p":1.0,"lower":null,"upper":null,"ln_e_harm":null},{"metric":3,"arm":1,"p":1.0,"lower":null,"upper":null,"ln_e_harm":0.0},{"metric":4,"arm":1,"p":1.0,"lower":null,"upper":null,"ln_e_harm":null}]',NULL,3,'{"rollout":{"step":0,"paused":false,"held":null,"soaked_micros":200076,"looked_at":1795651974318222,"predictions":300,"traffic_at":1795651973517428,"units":35,"min_units":100000}}','keep_going',NULL,NULL);
CREATE TABLE feedback (
    prediction_order INTEGER NOT NULL,
    metric TEXT NOT NULL,
    value REAL NOT NULL,
    label TEXT,                     -- JSON, where the value came from one
    received_at INTEGER NOT NULL,
    event INTEGER NOT NULL,         -- 1 where it was counted as the first event of its unit
    PRIMARY KEY (prediction_order, metric)
) WITHOUT ROWID;
INSERT INTO "feedback" VALUES(7354990482076005,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482076005,'correct',1.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482076005,'score',2.29298002970204883865e+00,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482102490,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482116703,'score',1.65062751557273479363e+00,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482118394,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482119996,'correct',1.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482122937,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482124383,'score',-3.36771391082315663112e+00,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482127131,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482129916,'correct',0.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482131428,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482131428,'score',-3.60234776873219342263e+00,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482143892,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482149610,'score',-2.98977563419886216422e+00,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482151035,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482151035,'correct',0.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482158592,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482160149,'score',-1.45701737435034,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482163528,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482165064,'correct',0.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482167931,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482167931,'score',-4.75069675037860328359e+00,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482181850,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482184438,'correct',1.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482184438,'score',-1.66734919469505582512e+00,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482185667,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482189472,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482190808,'score',-2.69527527269205169346e+00,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482193531,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482193531,'correct',0.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482198733,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482198733,'score',-1.51328259735990400258e+00,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482214749,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482216006,'correct',1.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482217260,'score',-4.21796674895424494877e+00,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482218456,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482225669,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482227086,'score',-3.63574596325140309005e+00,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482228347,'correct',1.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482229838,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482236228,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482236228,'score',-9.89292345071358880659e-01,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482241762,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482241762,'correct',1.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482244895,'score',1.47889698266331937048e+00,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482246640,'clicked',0.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482252018,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482253476,'correct',1.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482253476,'score',4.73594141801539159075e+00,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482256364,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482260341,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482260341,'score',-6.660550116563346279e-01,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482263434,'correct',1.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482264753,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482267423,'score',-1.35746891196631391807e+00,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482268738,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482272842,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482272842,'correct',0.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482274567,'score',1.74912142481698396068e-01,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482277721,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482283389,'clicked',0.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482283389,'score',-1.88160686310557956346e+00,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482284766,'correct',0.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482288632,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482297205,'score',7.32584537184301609613e-01,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482299081,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482309317,'correct',0.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482310857,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482316796,'score',-3.19630476723609113776e-01,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482323129,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482327733,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482327733,'correct',0.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482327733,'score',-1.04490100865949342434e+00,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482334888,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482341008,'score',-2.16856792070875581401e+00,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482348217,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482349925,'correct',1.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482352907,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482354332,'score',-4.66834409636693159484e+00,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482357191,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482360415,'correct',1.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482364318,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482364318,'score',2.32347704422623202447e+00,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482372301,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482375549,'score',-4.6054688476004344011e+00,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482377315,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482377315,'correct',1.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482386863,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482388378,'score',2.1792839816240956452e+00,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482391458,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482393146,'correct',0.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482398548,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482398548,'score',-1.90079311933565087144e-01,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482405635,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482408977,'correct',0.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482408977,'score',-3.36646789492354070461e+00,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482410828,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482415883,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482417378,'score',-4.9956036785999184957e+00,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482423370,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482423370,'correct',0.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482428392,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482428392,'score',-2.59466840508241425311e+00,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482435355,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482436838,'correct',1.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482438591,'score',3.89776885022266306179e+00,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482440045,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482450240,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482451719,'score',1.7218638367033678449e+00,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482464138,'correct',1.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482465776,'clicked',0.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482470355,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482470355,'score',-7.13551616425926127362e-01,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482475123,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482475123,'correct',0.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482478203,'score',4.40481789737351903113e+00,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482479657,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482484446,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482486756,'correct',0.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482486756,'score',-4.00251551035032271386e+00,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482502943,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482517570,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482517570,'score',1.45873625641173099154e+00,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482521347,'correct',0.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482522870,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482529592,'score',-3.40958974725079189127e+00,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482531144,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482541642,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482541642,'correct',1.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482544141,'score',-6.93520402429830262747e-01,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482560492,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482567435,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482567435,'score',-1.14342519127454878002e+00,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482569761,'correct',0.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482581271,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482584785,'score',4.75431667795116119634e+00,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482590413,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482598212,'correct',0.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482600289,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482602001,'score',-3.47886081397063584574e+00,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482606240,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482654139,'clicked',0.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482654139,'correct',1.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482654139,'score',-4.93727315501017116616e+00,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482662900,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482666034,'score',-2.22568341952369408431e+00,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482667439,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482688496,'correct',1.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482752852,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482756908,'score',-4.3913314153973832532e+00,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482760291,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482763289,'correct',0.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482764678,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482764678,'score',-2.12947035789593952515e+00,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482769605,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482772730,'score',2.79263315210694340606e+00,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482788205,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482788205,'correct',0.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482794267,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482796225,'score',-1.79640732976926287278e-01,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482799084,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482800587,'correct',0.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482803475,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482803475,'score',-0.898311945069028,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482807493,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482839118,'correct',0.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482839118,'score',4.2451983505486143855e+00,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482840994,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482845402,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482846933,'score',-4.55051675191002757969e+00,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482872828,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482872828,'correct',0.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482878903,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482878903,'score',4.37942050836188,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482883892,'clicked',0.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482885854,'correct',0.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482887549,'score',4.84162780310088081137e-01,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482889315,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482893808,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482896126,'score',1.73813741331236570886e+00,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482897769,'correct',0.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482899293,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482904376,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482904376,'score',4.89605567136906927316e+00,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482908910,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482908910,'correct',0.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482912039,'score',4.45404374271403291629e+00,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482913530,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482923635,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482925990,'correct',0.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482925990,'score',1.89399612337398437489e-01,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482955310,'clicked',0.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482966885,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482966885,'score',1.68565469416157753812e+00,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482970211,'correct',1.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482971595,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482974295,'score',-1.49986699674243695312e+00,NULL,1795651973416750,0);
INSERT INTO "feedback" VALUES(7354990482975708,'clicked',1.0,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990482981204,'clicked',0.0,NULL,1795651973404917,1);
INSERT INTO "feedback" VALUES(7354990482981204,'correct',1.0,'"positive"',1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990483032806,'score',1.74465412199117153591e+00,NULL,1795651973404917,0);
INSERT INTO "feedback" VALUES(7354990483050484,'clicked',1.0,NULL,1795651973404917,0);
CREATE TABLE metrics (
    name TEXT NOT NULL,
    metric TEXT NOT NULL,
    definition TEXT NOT NULL,       -- JSON
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (name, metric)
);
INSERT INTO "metrics" VALUES('sentiment','clicked','{"name":"clicked","kind":"binary","direction":"up","window_seconds":3600,"lower_bound":null,"upper_bound":null,"missing":"failure"}',1795651973130165);
INSERT INTO "metrics" VALUES('sentiment','score','{"name":"score","kind":"continuous","direction":"up","window_seconds":0,"lower_bound":null,"upper_bound":null,"missing":"excluded"}',1795651973130819);
CREATE TABLE models (
    name TEXT PRIMARY KEY,
    salt TEXT NOT NULL,
    revision INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    fallback INTEGER NOT NULL
);
INSERT INTO "models" VALUES('sentiment','09acc91f0ad7da24f675a2781a336fde',8,2,1);
INSERT INTO "models" VALUES('other','027e2021d73bb3e4046a94c3d70061a6',1,0,1);
CREATE TABLE pending_feedback (
    prediction_order INTEGER NOT NULL,
    random INTEGER NOT NULL,
    metric TEXT NOT NULL,
    value REAL,                     -- null where a label waits for its prediction
    label TEXT,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (prediction_order, random, metric)
) WITHOUT ROWID;
INSERT INTO "pending_feedback" VALUES(6914441455691595,4381636308810498135,'score',1.5,NULL,1795651973417411);
CREATE TABLE predictions (
    prediction_order INTEGER PRIMARY KEY,
    random INTEGER NOT NULL,
    version_key INTEGER NOT NULL,
    served_key INTEGER,             -- who answered
    status INTEGER NOT NULL,        -- 0 ok, 1 fallback, 2 error
    reason INTEGER NOT NULL,        -- 0 weights, 1 pinned, 2 experiment
    epoch INTEGER NOT NULL,
    propensity REAL NOT NULL,
    unit_id TEXT,
    input_kind INTEGER NOT NULL,    -- 0 text, 1 JSON
    input TEXT NOT NULL,
    prediction TEXT,                -- JSON
    confidence REAL,
    latency_ns INTEGER NOT NULL,
    error TEXT,
    experiment_key INTEGER          -- that it takes part in
);
INSERT INTO "predictions" VALUES(7354990482008318,1008975682461587637,1,1,0,0,1,1.0,'u0',0,'good 0','"positive"',7.05473684210526363891e-01,14998209,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482014213,1434632201466216082,1,1,0,0,1,1.0,'u1',0,'good 1','"positive"',7.05473684210526363891e-01,8944,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482017096,36249275165306992,1,1,0,0,1,1.0,'u2',0,'good 2','"positive"',7.05473684210526363891e-01,4577,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482019099,2254730816543586444,1,1,0,0,1,1.0,'u3',0,'good 3','"positive"',7.05473684210526363891e-01,3515,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482020959,4531180171067098316,1,1,0,0,1,1.0,'u4',0,'good 4','"positive"',7.05473684210526363891e-01,2694,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482023924,1943433776575116632,1,1,0,0,1,1.0,'u5',0,'good 5','"positive"',7.05473684210526363891e-01,2914,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482025513,1669050888409218335,1,1,0,0,1,1.0,'u6',0,'good 6','"positive"',7.05473684210526363891e-01,2274,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482027029,23198627070484485,1,1,0,0,1,1.0,'u7',0,'good 7','"positive"',7.05473684210526363891e-01,2284,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482028487,1166588977158702221,1,1,0,0,1,1.0,'u8',0,'good 8','"positive"',7.05473684210526363891e-01,2184,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482029970,1045368283750908462,1,1,0,0,1,1.0,'u0',0,'good 9','"positive"',7.05473684210526363891e-01,2073,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482031412,4428280111341564519,1,1,0,0,1,1.0,'u1',0,'good 10','"positive"',7.05473684210526363891e-01,2123,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482033038,275980467187687171,1,1,0,0,1,1.0,'u2',0,'good 11','"positive"',7.05473684210526363891e-01,2244,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482034570,755487854766630699,1,1,0,0,1,1.0,'u3',0,'good 12','"positive"',7.05473684210526363891e-01,2213,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482036294,288618003024183517,1,1,0,0,1,1.0,'u4',0,'good 13','"positive"',7.05473684210526363891e-01,2053,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482037740,4182385893904845102,1,1,0,0,1,1.0,'u5',0,'good 14','"positive"',7.05473684210526363891e-01,2213,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482039374,3645191270392097509,1,1,0,0,1,1.0,'u6',0,'good 15','"positive"',7.05473684210526363891e-01,2333,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482042209,2569071635444149958,1,1,0,0,1,1.0,'u7',0,'good 16','"positive"',7.05473684210526363891e-01,2384,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482044281,192605073267347128,1,1,0,0,1,1.0,'u8',0,'good 17','"positive"',7.05473684210526363891e-01,2824,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482045879,324459355581165200,1,1,0,0,1,1.0,'u0',0,'good 18','"positive"',7.05473684210526363891e-01,2193,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482047431,1684131302328914130,1,1,0,0,1,1.0,'u1',0,'good 19','"positive"',7.05473684210526363891e-01,2504,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482049045,1283655760704296988,1,1,0,0,1,1.0,'u2',0,'good 20','"positive"',7.05473684210526363891e-01,2504,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482050565,1381267563930412082,1,1,0,0,1,1.0,'u3',0,'good 21','"positive"',7.05473684210526363891e-01,2324,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482051924,2482511730919330725,1,1,0,0,1,1.0,'u4',0,'good 22','"positive"',7.05473684210526363891e-01,2214,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482053342,3344913639569716865,1,1,0,0,1,1.0,'u5',0,'good 23','"positive"',7.05473684210526363891e-01,2814,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482054865,2197975485907752517,1,1,0,0,1,1.0,'u6',0,'good 24','"positive"',7.05473684210526363891e-01,2324,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482056438,394317836138793028,1,1,0,0,1,1.0,'u7',0,'good 25','"positive"',7.05473684210526363891e-01,2454,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482057880,1477287174597135184,1,1,0,0,1,1.0,'u8',0,'good 26','"positive"',7.05473684210526363891e-01,2063,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482059285,4546992121260076941,1,1,0,0,1,1.0,'u0',0,'good 27','"positive"',7.05473684210526363891e-01,2053,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482060829,1978183439448107311,1,1,0,0,1,1.0,'u1',0,'good 28','"positive"',7.05473684210526363891e-01,1993,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482062394,1187763152419364434,1,1,0,0,1,1.0,'u2',0,'good 29','"positive"',7.05473684210526363891e-01,1993,NULL,NULL);
INSERT INTO "predictions" VALUES(7354990482076005,3263273990391603146,1,1,0,2,2,0.7,NULL,0,'not bad at all 0','"positive"',7.00526315789473663642e-01,13961,NULL,1);
INSERT INTO "predictions" VALUES(7354990482078323,2901952080295930439,1,1,0,2,2,0.7,'user-50',0,'not bad at all 1','"positive"',7.00526315789473663642e-01,3936,NULL,1);
INSERT INTO "predictions" VALUES(7354990482080637,3297163760554259650,1,1,0,2,2,0.7,'user-53',0,'good 2','"positive"',7.05473684210526363891e-01,3085,NULL,1);
INSERT INTO "predictions" VALUES(7354990482102490,300958324272763181,2,2,0,2,2,0.3,'user-49',0,'awful 3','"negative"',7.95985492471470879038e-01,4887310,NULL,1);
INSERT INTO "predictions" VALUES(7354990482105484,2060485412638366984,1,1,0,2,2,0.7,NULL,0,'bad 4','"negative"',7.59105263157894727399e-01,7011,NULL,1);
INSERT INTO "predictions" VALUES(7354990482116703,3422873024569205777,2,2,0,2,2,0.3,'user-57',0,'good 5','"positive"',7.95985492471470879038e-01,4808,NULL,1);
INSERT INTO "predictions" VALUES(7354990482118394,2270804979963159421,1,1,0,2,2,0.7,'user-7',0,'bad 6','"negative"',7.59105263157894727399e-01,4087,NULL,1);
INSERT INTO "predictions" VALUES(7354990482119996,3565809489679976416,1,1,0,2,2,0.7,'user-30',0,'not bad at all 7','"positive"',7.00526315789473663642e-01,5167,NULL,1);
INSERT INTO "predictions" VALUES(7354990482121421,2079389723644996575,2,2,0,2,2,0.3,NULL,0,'bad 8','"negative"',7.95985492471470879038e-01,1732,NULL,1);
INSERT INTO "predictions" VALUES(7354990482122937,3173392474662222925,2,2,0,2,2,0.3,'user-34',0,'awful 9','"negative"',7.95985492471470879038e-01,2213,NULL,1);
INSERT INTO "predictions" VALUES(7354990482124383,4144793175506966564,1,1,0,2,2,0.7,'user-36',0,'good 10','"positive"',7.05473684210526363891e-01,3315,NULL,1);
INSERT INTO "predictions" VALUES(7354990482125665,2208630337086169397,1,1,0,2,2,0.7,'user-0',0,'bad 11','"negative"',7.59105263157894727399e-01,2484,NULL,1);
INSERT INTO "predictions" VALUES(7354990482127131,2583236676772308587,1,1,0,2,2,0.7,NULL,0,'bad 12','"negative"',7.59105263157894727399e-01,1873,NULL,1);
INSERT INTO "predictions" VALUES(7354990482128536,3688652604890948672,1,1,0,2,2,0.7,'user-17',0,'awful 13','"negative"',7.15157894736842103533e-01,2974,NULL,1);
INSERT INTO "predictions" VALUES(7354990482129916,3348114762721560235,2,2,0,2,2,0.3,'user-58',0,'bad 14','"negative"',7.95985492471470879038e-01,2153,NULL,1);
INSERT INTO "predictions" VALUES(7354990482131428,382991215745509059,1,1,0,2,2,0.7,'user-10',0,'awful 15','"negative"',7.15157894736842103533e-01,2674,NULL,1);
INSERT INTO "predictions" VALUES(7354990482132800,3798289005257647075,1,1,0,2,2,0.7,NULL,0,'good 16','"positive"',7.05473684210526363891e-01,2063,NULL,1);
INSERT INTO "predictions" VALUES(7354990482142401,2310626937012132121,1,1,0,2,2,0.7,'user-39',0,'bad 17','"negative"',7.59105263157894727399e-01,4096,NULL,1);
INSERT INTO "predictions" VALUES(7354990482143892,81642742542167563,1,1,0,2,2,0.7,'user-8',0,'awful 18','"negative"',7.15157894736842103533e-01,2724,NULL,1);
INSERT INTO "predictions" VALUES(7354990482147943,1064980373640056672,1,1,0,2,2,0.7,'user-0',0,'bad 19','"negative"',7.59105263157894727399e-01,3175,NULL,1);
INSERT INTO "predictions" VALUES(7354990482149610,2291842135112463704,2,2,0,2,2,0.3,NULL,0,'good 20','"positive"',7.95985492471470879038e-01,2013,NULL,1);
INSERT INTO "predictions" VALUES(7354990482151035,2176711566751919988,2,2,0,2,2,0.3,'user-49',0,'bad 21','"negative"',7.95985492471470879038e-01,2083,NULL,1);
INSERT INTO "predictions" VALUES(7354990482152387,2245721396964216948,1,1,0,2,2,0.7,'user-10',0,'bad 22','"negative"',7.59105263157894727399e-01,2504,NULL,1);
INSERT INTO "predictions" VALUES(7354990482153784,3615268934424824244,2,2,0,2,2,0.3,'user-18',0,'bad 23','"negative"',7.95985492471470879038e-01,1702,NULL,1);
INSERT INTO "predictions" VALUES(7354990482158592,404435602662184275,1,1,0,2,2,0.7,NULL,0,'not bad at all 24','"positive"',7.00526315789473663642e-01,5217,NULL,1);
INSERT INTO "predictions" VALUES(7354990482160149,4160245437772366901,2,2,0,2,2,0.3,'user-34',0,'bad 25','"negative"',7.95985492471470879038e-01,2263,NULL,1);
INSERT INTO "predictions" VALUES(7354990482161562,2003685291460337604,1,1,0,2,2,0.7,'user-11',0,'bad 26','"negative"',7.59105263157894727399e-01,2574,NULL,1);
INSERT INTO "predictions" VALUES(7354990482163528,2040174644875625454,2,2,0,2,2,0.3,'user-57',0,'bad 27','"negative"',7.95985492471470879038e-01,1823,NULL,1);
INSERT INTO "predictions" VALUES(7354990482165064,4116579692779211869,2,2,0,2,2,0.3,NULL,0,'awful 28','"negative"',7.95985492471470879038e-01,1322,NULL,1);
INSERT INTO "predictions" VALUES(7354990482166559,783724698985947770,2,2,0,2,2,0.3,'user-1',0,'not bad at all 29','"negative"',7.95985492471470879038e-01,2053,NULL,1);
INSERT INTO "predictions" VALUES(7354990482167931,2656596878764344510,1,1,0,2,2,0.7,'user-26',0,'not bad at all 30','"positive"',7.00526315789473663642e-01,9665,NULL,1);
INSERT INTO "predictions" VALUES(7354990482178651,4028549233151726787,2,2,0,2,2,0.3,'user-59',0,'bad 31','"negative"',7.95985492471470879038e-01,2353,NULL,1);
INSERT INTO "predictions" VALUES(7354990482180477,2402522457293162600,2,2,0,2,2,0.3,NULL,0,'bad 32','"negative"',7.95985492471470879038e-01,1352,NULL,1);
INSERT INTO "predictions" VALUES(7354990482181850,711410353550873766,2,2,0,2,2,0.3,'user-4',0,'not bad at all 33','"negative"',7.95985492471470879038e-01,1893,NULL,1);
INSERT INTO "predictions" VALUES(7354990482183123,2380311082025702532,2,2,0,2,2,0.3,'user-19',0,'not bad at all 34','"negative"',7.95985492471470879038e-01,1732,NULL,1);
INSERT INTO "predictions" VALUES(7354990482184438,4503364536603516720,1,1,0,2,2,0.7,'user-38',0,'good 35','"positive"',7.05473684210526363891e-01,4848,NULL,1);
INSERT INTO "predictions" VALUES(7354990482185667,2208843990785949910,1,1,0,2,2,0.7,NULL,0,'not bad at all 36','"positive"',7.00526315789473663642e-01,4066,NULL,1);
INSERT INTO "predictions" VALUES(7354990482186912,3650262035327087387,2,2,0,2,2,0.3,'user-19',0,'good 37','"positive"',7.95985492471470879038e-01,1683,NULL,1);
INSERT INTO "predictions" VALUES(7354990482188125,1916175502398317909,1,1,0,2,2,0.7,'user-52',0,'not bad at all 38','"positive"',7.00526315789473663642e-01,3536,NULL,1);
INSERT INTO "predictions" VALUES(7354990482189472,3930617334183282114,1,1,0,2,2,0.7,'user-30',0,'not bad at all 39','"positive"',7.00526315789473663642e-01,2664,NULL,1);
INSERT INTO "predictions" VALUES(7354990482190808,1690930756001850710,1,1,0,2,2,0.7,NULL,0,'not bad at all 40','"positive"',7.00526315789473663642e-01,2313,NULL,1);
INSERT INTO "predictions" VALUES(7354990482192098,2678258790525713266,1,1,0,2,2,0.7,'user-30',0,'bad 41','"negative"',7.59105263157894727399e-01,2354,NULL,1);
INSERT INTO "predictions" VALUES(7354990482193531,906309343462433323,1,1,0,2,2,0.7,'user-45',0,'awful 42','"negative"',7.15157894736842103533e-01,2764,NULL,1);
INSERT INTO "predictions" VALUES(7354990482195551,3870691305570391595,1,1,0,2,2,0.7,'user-3',0,'bad 43','"negative"',7.59105263157894727399e-01,3035,NULL,1);
INSERT INTO "predictions" VALUES(7354990482197378,1279922415885771999,1,1,0,2,2,0.7,NULL,0,'not bad at all 44','"positive"',7.00526315789473663642e-01,2974,NULL,1);
INSERT INTO "predictions" VALUES(7354990482198733,2174504439839927995,1,1,0,2,2,0.7,'user-47',0,'good 45','"positive"',7.05473684210526363891e-01,2684,NULL,1);
INSERT INTO "predictions" VALUES(7354990482200826,555634154516080810,2,2,0,2,2,0.3,'user-54',0,'not bad at all 46','"negative"',7.95985492471470879038e-01,2033,NULL,1);
INSERT INTO "predictions" VALUES(7354990482213020,2419476964236483550,2,2,0,2,2,0.3,'user-1',0,'awful 47','"negative"',7.95985492471470879038e-01,2294,NULL,1);
INSERT INTO "predictions" VALUES(7354990482214749,3326374138577798898,2,2,0,2,2,0.3,NULL,0,'awful 48','"negative"',7.95985492471470879038e-01,1161,NULL,1);
INSERT INTO "predictions" VALUES(7354990482216006,642515102082419667,1,1,0,2,2,0.7,'user-24',0,'not bad at all 49','"positive"',7.00526315789473663642e-01,5327,NULL,1);
INSERT INTO "predictions" VALUES(7354990482217260,4195072572927686769,1,1,0,2,2,0.7,'user-28',0,'good 50','"positive"',7.05473684210526363891e-01,3015,NULL,1);
INSERT INTO "predictions" VALUES(7354990482218456,2558406406798840742,1,1,0,2,2,0.7,'user-45',0,'good 51','"positive"',7.05473684210526363891e-01,2133,NULL,1);
INSERT INTO "predictions" VALUES(7354990482219631,1710322758068903752,2,2,0,2,2,0.3,NULL,0,'bad 52','"negative"',7.95985492471470879038e-01,1082,NULL,1);
INSERT INTO "predictions" VALUES(7354990482220782,1949550011779926005,1,1,0,2,2,0.7,'user-7',0,'bad 53','"negative"',7.59105263157894727399e-01,2593,NULL,1);
INSERT INTO "predictions" VALUES(7354990482225669,3048565233821785590,2,2,0,2,2,0.3,'user-59',0,'bad 54','"negative"',7.95985492471470879038e-01,1913,NULL,1);
INSERT INTO "predictions" VALUES(7354990482227086,3826292981855958734,2,2,0,2,2,0.3,'user-22',0,'awful 55','"negative"',7.95985492471470879038e-01,1652,NULL,1);
INSERT INTO "predictions" VALUES(7354990482228347,3632265668921117576,1,1,0,2,2,0.7,NULL,0,'not bad at all 56','"positive"',7.00526315789473663642e-01,3115,NULL,1);
INSERT INTO "predictions" VALUES(7354990482229838,174763928988154159,2,2,0,2,2,0.3,'user-49',0,'not bad at all 57','"negative"',7.95985492471470879038e-01,2443,NULL,1);
INSERT INTO "predictions" VALUES(7354990482232878,4356290251800873897,1,1,0,2,2,0.7,'user-6',0,'awful 58','"negative"',7.15157894736842103533e-01,3545,NULL,1);
INSERT INTO "predictions" VALUES(7354990482234635,834942580255138451,1,1,0,2,2,0.7,'user-55',0,'not bad at all 59','"positive"',7.00526315789473663642e-01,5888,NULL,1);
INSERT INTO "predictions" VALUES(7354990482236228,1960402341804015532,1,1,0,2,2,0.7,NULL,0,'not bad at all 60','"positive"',7.00526315789473663642e-01,2234,NULL,1);
INSERT INTO "predictions" VALUES(7354990482238215,2410258362083390207,1,1,0,2,2,0.7,'user-27',0,'good 61','"positive"',7.05473684210526363891e-01,3445,NULL,1);
INSERT INTO "predictions" VALUES(7354990482239738,3234574800017873871,1,1,0,2,2,0.7,'user-13',0,'good 62','"positive"',7.05473684210526363891e-01,2363,NULL,1);
INSERT INTO "predictions" VALUES(7354990482241762,4343946791383042142,1,1,0,2,2,0.7,'user-32',0,'not bad at all 63','"positive"',7.00526315789473663642e-01,3816,NULL,1);
INSERT INTO "predictions" VALUES(7354990482243372,1203280287436320890,2,2,0,2,2,0.3,NULL,0,'not bad at all 64','"negative"',7.95985492471470879038e-01,2053,NULL,1);
INSERT INTO "predictions" VALUES(7354990482244895,3967466642500991273,2,2,0,2,2,0.3,'user-21',0,'bad 65','"negative"',7.95985492471470879038e-01,2093,NULL,1);
INSERT INTO "predictions" VALUES(7354990482246640,1399047748544846222,2,2,0,2,2,0.3,'user-59',0,'not bad at all 66','"negative"',7.95985492471470879038e-01,1973,NULL,1);
INSERT INTO "predictions" VALUES(7354990482248074,1074936005494802802,2,2,0,2,2,0.3,'user-19',0,'good 67','"positive"',7.95985492471470879038e-01,1792,NULL,1);
INSERT INTO "predictions" VALUES(7354990482250421,720835900182782828,1,1,0,2,2,0.7,NULL,0,'not bad at all 68','"positive"',7.00526315789473663642e-01,3485,NULL,1);
INSERT INTO "predictions" VALUES(7354990482252018,2243587999707033861,1,1,0,2,2,0.7,'user-11',0,'not bad at all 69','"positive"',7.00526315789473663642e-01,3766,NULL,1);
INSERT INTO "predictions" VALUES(7354990482253476,3697557922748748149,1,1,0,2,2,0.7,'user-40',0,'good 70','"positive"',7.05473684210526363891e-01,2855,NULL,1);
INSERT INTO "predictions" VALUES(7354990482254812,1156315728132282509,2,2,0,2,2,0.3,'user-46',0,'bad 71','"negative"',7.95985492471470879038e-01,1793,NULL,1);
INSERT INTO "predictions" VALUES(7354990482256364,3081711382273352179,1,1,0,2,2,0.7,NULL,0,'not bad at all 72','"positive"',7.00526315789473663642e-01,3225,NULL,1);
INSERT INTO "predictions" VALUES(7354990482257736,3090308191735037147,1,1,0,2,2,0.7,'user-10',0,'awful 73','"negative"',7.15157894736842103533e-01,2634,NULL,1);
INSERT INTO "predictions" VALUES(7354990482259071,3045944269133812439,1,1,0,2,2,0.7,'user-5',0,'good 74','"positive"',7.05473684210526363891e-01,2203,NULL,1);
INSERT INTO "predictions" VALUES(7354990482260341,4455618381391285795,1,1,0,2,2,0.7,'user-2',0,'awful 75','"negative"',7.15157894736842103533e-01,2373,NULL,1);
INSERT INTO "predictions" VALUES(7354990482261705,918196320046703427,1,1,0,2,2,0.7,NULL,0,'bad 76','"negative"',7.59105263157894727399e-01,1623,NULL,1);
INSERT INTO "predictions" VALUES(7354990482263434,3451846541909504522,1,1,0,2,2,0.7,'user-52',0,'not bad at all 77','"positive"',7.00526315789473663642e-01,3916,NULL,1);
INSERT INTO "predictions" VALUES(7354990482264753,3113263721489111310,2,2,0,2,2,0.3,'user-29',0,'not bad at all 78','"negative"',7.95985492471470879038e-01,1852,NULL,1);
INSERT INTO "predictions" VALUES(7354990482266104,1681550562647951258,1,1,0,2,2,0.7,'user-9',0,'awful 79','"negative"',7.15157894736842103533e-01,2454,NULL,1);
INSERT INTO "predictions" VALUES(7354990482267423,2095511632631228885,1,1,0,2,2,0.7,NULL,0,'good 80','"positive"',7.05473684210526363891e-01,1713,NULL,1);
INSERT INTO "predictions" VALUES(7354990482268738,2138306315356708107,1,1,0,2,2,0.7,'user-51',0,'good 81','"positive"',7.05473684210526363891e-01,2504,NULL,1);
INSERT INTO "predictions" VALUES(7354990482270000,2882026878493311308,2,2,0,2,2,0.3,'user-21',0,'awful 82','"negative"',7.95985492471470879038e-01,1693,NULL,1);
INSERT INTO "predictions" VALUES(7354990482271347,4419380507692342153,1,1,0,2,2,0.7,'user-8',0,'bad 83','"negative"',7.59105263157894727399e-01,2514,NULL,1);
INSERT INTO "predictions" VALUES(7354990482272842,1416577211726821361,1,1,0,2,2,0.7,NULL,0,'bad 84','"negative"',7.59105263157894727399e-01,1562,NULL,1);
INSERT INTO "predictions" VALUES(7354990482274567,2760439984894172645,1,1,0,2,2,0.7,'user-6',0,'awful 85','"negative"',7.15157894736842103533e-01,3205,NULL,1);
INSERT INTO "predictions" VALUES(7354990482276266,3256690736154470854,1,1,0,2,2,0.7,'user-27',0,'bad 86','"negative"',8.5626315789473683715e-01,4106,NULL,1);
INSERT INTO "predictions" VALUES(7354990482277721,2395836470096246834,1,1,0,2,2,0.7,'user-9',0,'not bad at all 87','"positive"',7.00526315789473663642e-01,4227,NULL,1);
INSERT INTO "predictions" VALUES(7354990482280199,2335604616967563010,2,2,0,2,2,0.3,NULL,0,'good 88','"positive"',7.95985492471470879038e-01,2724,NULL,1);
INSERT INTO "predictions" VALUES(7354990482281837,933692416668033997,2,2,0,2,2,0.3,'user-18',0,'awful 89','"negative"',7.95985492471470879038e-01,2303,NULL,1);
INSERT INTO "predictions" VALUES(7354990482283389,2225240174741335076,2,2,0,2,2,0.3,'user-29',0,'bad 90','"negative"',7.95985492471470879038e-01,1712,NULL,1);
INSERT INTO "predictions" VALUES(7354990482284766,2101485104137248504,1,1,0,2,2,0.7,'user-33',0,'bad 91','"negative"',7.59105263157894727399e-01,3475,NULL,1);
INSERT INTO "predictions" VALUES(7354990482286330,2772826827295900339,1,1,0,2,2,0.7,NULL,0,'awful 92','"negative"',7.15157894736842103533e-01,2994,NULL,1);
INSERT INTO "predictions" VALUES(7354990482288632,4137767587885252050,1,1,0,2,2,0.7,'user-44',0,'awful 93','"negative"',7.15157894736842103533e-01,3295,NULL,1);
INSERT INTO "predictions" VALUES(7354990482295284,3014005759885064567,1,1,0,2,2,0.7,'user-30',0,'not bad at all 94','"positive"',7.00526315789473663642e-01,5808,NULL,1);
INSERT INTO "predictions" VALUES(7354990482297205,1641139032813280876,2,2,0,2,2,0.3,'user-18',0,'not bad at all 95','"negative"',7.95985492471470879038e-01,2844,NULL,1);
INSERT INTO "predictions" VALUES(7354990482299081,1586716911033992280,2,2,0,2,2,0.3,NULL,0,'awful 96','"negative"',7.95985492471470879038e-01,1342,NULL,1);
INSERT INTO "predictions" VALUES(7354990482300609,1808692907901593608,2,2,0,2,2,0.3,'user-57',0,'awful 97','"negative"',7.95985492471470879038e-01,1893,NULL,1);
INSERT INTO "predictions" VALUES(7354990482309317,4497969765152366168,1,1,0,2,2,0.7,'user-7',0,'bad 98','"negative"',7.59105263157894727399e-01,3315,NULL,1);
INSERT INTO "predictions" VALUES(7354990482310857,1999792581131782171,1,1,0,2,2,0.7,'user-52',0,'awful 99','"negative"',7.15157894736842103533e-01,2804,NULL,1);
INSERT INTO "predictions" VALUES(7354990482316796,128448859851928818,2,2,0,2,2,0.3,NULL,0,'bad 100','"negative"',7.95985492471470879038e-01,2244,NULL,1);
INSERT INTO "predictions" VALUES(7354990482321269,3724306401546505724,1,1,0,2,2,0.7,'user-55',0,'awful 101','"negative"',7.15157894736842103533e-01,3365,NULL,1);
INSERT INTO "predictions" VALUES(7354990482323129,3865558082942197814,1,1,0,2,2,0.7,'user-11',0,'not bad at all 102','"positive"',7.00526315789473663642e-01,5037,NULL,1);
INSERT INTO "predictions" VALUES(7354990482324501,777293059146897388,1,1,0,2,2,0.7,'user-31',0,'good 103','"positive"',7.05473684210526363891e-01,2915,NULL,1);
INSERT INTO "predictions" VALUES(7354990482325894,3947879844287214216,1,1,0,2,2,0.7,NULL,0,'not bad at all 104','"positive"',7.00526315789473663642e-01,2533,NULL,1);
INSERT INTO "predictions" VALUES(7354990482327733,3669573779671815637,2,2,0,2,2,0.3,'user-4',0,'not bad at all 105','"negative"',7.95985492471470879038e-01,2344,NULL,1);
INSERT INTO "predictions" VALUES(7354990482331120,1091798633920909381,1,1,0,2,2,0.7,'user-44',0,'not bad at all 106','"positive"',7.00526315789473663642e-01,4597,NULL,1);
INSERT INTO "predictions" VALUES(7354990482333254,1455392799800220937,2,2,0,2,2,0.3,'user-48',0,'good 107','"positive"',7.95985492471470879038e-01,2514,NULL,1);
INSERT INTO "predictions" VALUES(7354990482334888,4139060210575296190,1,1,0,2,2,0.7,NULL,0,'not bad at all 108','"positive"',7.00526315789473663642e-01,3455,NULL,1);
INSERT INTO "predictions" VALUES(7354990482339382,4606191750071768607,1,1,0,2,2,0.7,'user-35',0,'not bad at all 109','"positive"',7.00526315789473663642e-01,3996,NULL,1);
INSERT INTO "predictions" VALUES(7354990482341008,366160351029271910,1,1,0,2,2,0.7,'user-53',0,'not bad at all 110','"positive"',7.00526315789473663642e-01,2894,NULL,1);
INSERT INTO "predictions" VALUES(7354990482348217,561061071196401689,1,1,0,2,2,0.7,'user-16',0,'awful 111','"negative"',7.15157894736842103533e-01,4157,NULL,1);
INSERT INTO "predictions" VALUES(7354990482349925,61488544522476769,1,1,0,2,2,0.7,NULL,0,'not bad at all 112','"positive"',7.00526315789473663642e-01,3185,NULL,1);
INSERT INTO "predictions" VALUES(7354990482351457,2095670993772642892,1,1,0,2,2,0.7,'user-41',0,'not bad at all 113','"positive"',7.00526315789473663642e-01,3155,NULL,1);
INSERT INTO "predictions" VALUES(7354990482352907,1898981578418027332,1,1,0,2,2,0.7,'user-37',0,'bad 114','"negative"',7.59105263157894727399e-01,2503,NULL,1);
INSERT INTO "predictions" VALUES(7354990482354332,625235030474448536,1,1,0,2,2,0.7,'user-30',0,'good 115','"positive"',7.05473684210526363891e-01,3225,NULL,1);
INSERT INTO "predictions" VALUES(7354990482355778,604055859203031628,1,1,0,2,2,0.7,NULL,0,'not bad at all 116','"positive"',7.00526315789473663642e-01,2684,NULL,1);
INSERT INTO "predictions" VALUES(7354990482357191,596886743175507536,1,1,0,2,2,0.7,'user-42',0,'not bad at all 117','"positive"',7.00526315789473663642e-01,2795,NULL,1);
INSERT INTO "predictions" VALUES(7354990482358637,2407816869450847738,2,2,0,2,2,0.3,'user-29',0,'not bad at all 118','"negative"',7.95985492471470879038e-01,2804,NULL,1);
INSERT INTO "predictions" VALUES(7354990482360415,860839417207162407,1,1,0,2,2,0.7,'user-52',0,'not bad at all 119','"positive"',7.00526315789473663642e-01,3405,NULL,1);
INSERT INTO "predictions" VALUES(7354990482364318,209013738080292111,1,1,0,2,2,0.7,NULL,0,'not bad at all 120','"positive"',7.00526315789473663642e-01,3315,NULL,1);
INSERT INTO "predictions" VALUES(7354990482367865,2129391530866669423,1,1,0,2,2,0.7,'user-17',0,'not bad at all 121','"positive"',7.00526315789473663642e-01,3615,NULL,1);
INSERT INTO "predictions" VALUES(7354990482370642,1675254728566648851,1,1,0,2,2,0.7,'user-47',0,'not bad at all 122','"positive"',7.00526315789473663642e-01,3755,NULL,1);
INSERT INTO "predictions" VALUES(7354990482372301,997036823839592492,2,2,0,2,2,0.3,'user-22',0,'awful 123','"negative"',7.95985492471470879038e-01,2213,NULL,1);
INSERT INTO "predictions" VALUES(7354990482373927,3205707121283795248,1,1,0,2,2,0.7,NULL,0,'bad 124','"negative"',7.59105263157894727399e-01,2084,NULL,1);
INSERT INTO "predictions" VALUES(7354990482375549,609259029647690339,1,1,0,2,2,0.7,'user-23',0,'awful 125','"negative"',7.15157894736842103533e-01,3034,NULL,1);
INSERT INTO "predictions" VALUES(7354990482377315,531213489104849454,1,1,0,2,2,0.7,'user-33',0,'not bad at all 126','"positive"',7.00526315789473663642e-01,3485,NULL,1);
INSERT INTO "predictions" VALUES(7354990482383778,171687992139738126,1,1,0,2,2,0.7,'user-33',0,'bad 127','"negative"',7.59105263157894727399e-01,3355,NULL,1);
INSERT INTO "predictions" VALUES(7354990482385445,290620630360323861,1,1,0,2,2,0.7,NULL,0,'bad 128','"negative"',7.59105263157894727399e-01,2253,NULL,1);
INSERT INTO "predictions" VALUES(7354990482386863,3864353232389139054,1,1,0,2,2,0.7,'user-53',0,'bad 129','"negative"',7.59105263157894727399e-01,2574,NULL,1);
INSERT INTO "predictions" VALUES(7354990482388378,2612482964987839525,2,2,0,2,2,0.3,'user-59',0,'not bad at all 130','"negative"',7.95985492471470879038e-01,2554,NULL,1);
INSERT INTO "predictions" VALUES(7354990482389984,193512954790638007,2,2,0,2,2,0.3,'user-18',0,'awful 131','"negative"',7.95985492471470879038e-01,2124,NULL,1);
INSERT INTO "predictions" VALUES(7354990482391458,4562212122130415845,1,1,0,2,2,0.7,NULL,0,'good 132','"positive"',7.05473684210526363891e-01,2694,NULL,1);
INSERT INTO "predictions" VALUES(7354990482393146,2461073318399277793,1,1,0,2,2,0.7,'user-10',0,'awful 133','"negative"',7.15157894736842103533e-01,45668,NULL,1);
INSERT INTO "predictions" VALUES(7354990482394592,1284492768282567233,2,2,0,2,2,0.3,'user-19',0,'awful 134','"negative"',7.95985492471470879038e-01,2153,NULL,1);
INSERT INTO "predictions" VALUES(7354990482398548,1924321230924665289,2,2,0,2,2,0.3,'user-46',0,'not bad at all 135','"negative"',7.95985492471470879038e-01,2523,NULL,1);
INSERT INTO "predictions" VALUES(7354990482400056,409492456017152355,1,1,0,2,2,0.7,NULL,0,'good 136','"positive"',7.05473684210526363891e-01,2343,NULL,1);
INSERT INTO "predictions" VALUES(7354990482404049,1737788260828638678,1,1,0,2,2,0.7,'user-10',0,'bad 137','"negative"',7.59105263157894727399e-01,2795,NULL,1);
INSERT INTO "predictions" VALUES(7354990482405635,2963933821574519800,1,1,0,2,2,0.7,'user-39',0,'awful 138','"negative"',7.15157894736842103533e-01,2714,NULL,1);
INSERT INTO "predictions" VALUES(7354990482407355,728164102212805671,1,1,0,2,2,0.7,'user-14',0,'bad 139','"negative"',7.59105263157894727399e-01,2514,NULL,1);
INSERT INTO "predictions" VALUES(7354990482408977,2185492157682843476,1,1,0,2,2,0.7,NULL,0,'bad 140','"negative"',7.59105263157894727399e-01,28372,NULL,1);
INSERT INTO "predictions" VALUES(7354990482410828,1837748102762672815,1,1,0,2,2,0.7,'user-30',0,'good 141','"positive"',7.05473684210526363891e-01,2884,NULL,1);
INSERT INTO "predictions" VALUES(7354990482412315,1270172012869456643,1,1,0,2,2,0.7,'user-10',0,'bad 142','"negative"',7.59105263157894727399e-01,2303,NULL,1);
INSERT INTO "predictions" VALUES(7354990482413749,4279208048601095952,2,2,0,2,2,0.3,'user-57',0,'good 143','"positive"',7.95985492471470879038e-01,1843,NULL,1);
INSERT INTO "predictions" VALUES(7354990482415883,986013929587046736,2,2,0,2,2,0.3,NULL,0,'bad 144','"negative"',7.95985492471470879038e-01,1572,NULL,1);
INSERT INTO "predictions" VALUES(7354990482417378,1184085976610164759,1,1,0,2,2,0.7,'user-20',0,'good 145','"positive"',7.05473684210526363891e-01,2754,NULL,1);
INSERT INTO "predictions" VALUES(7354990482418836,4280593754719936885,1,1,0,2,2,0.7,'user-30',0,'bad 146','"negative"',7.59105263157894727399e-01,2504,NULL,1);
INSERT INTO "predictions" VALUES(7354990482423370,3376509901497133727,1,1,0,2,2,0.7,'user-35',0,'bad 147','"negative"',7.59105263157894727399e-01,2434,NULL,1);
INSERT INTO "predictions" VALUES(7354990482425287,2377137751577401199,1,1,0,2,2,0.7,NULL,0,'good 148','"positive"',7.05473684210526363891e-01,1833,NULL,1);
INSERT INTO "predictions" VALUES(7354990482426921,939814816699698364,2,2,0,2,2,0.3,'user-29',0,'awful 149','"negative"',7.95985492471470879038e-01,2073,NULL,1);
INSERT INTO "predictions" VALUES(7354990482428392,2225860863664139149,1,1,0,2,2,0.7,'user-24',0,'not bad at all 150','"positive"',7.00526315789473663642e-01,4487,NULL,1);
INSERT INTO "predictions" VALUES(7354990482429850,4574026067522898014,1,1,0,2,2,0.7,'user-37',0,'good 151','"positive"',7.05473684210526363891e-01,2493,NULL,1);
INSERT INTO "predictions" VALUES(7354990482433889,4027379175010743564,1,1,0,2,2,0.7,NULL,0,'bad 152','"negative"',7.59105263157894727399e-01,1893,NULL,1);
INSERT INTO "predictions" VALUES(7354990482435355,1547658012987287091,1,1,0,2,2,0.7,'user-45',0,'bad 153','"negative"',7.59105263157894727399e-01,2584,NULL,1);
INSERT INTO "predictions" VALUES(7354990482436838,3341909179381831642,1,1,0,2,2,0.7,'user-0',0,'not bad at all 154','"positive"',7.00526315789473663642e-01,3486,NULL,1);
INSERT INTO "predictions" VALUES(7354990482438591,2050235093881563682,1,1,0,2,2,0.7,'user-25',0,'not bad at all 155','"positive"',7.00526315789473663642e-01,2754,NULL,1);
INSERT INTO "predictions" VALUES(7354990482440045,3617026387764598397,1,1,0,2,2,0.7,NULL,0,'not bad at all 156','"positive"',7.00526315789473663642e-01,2433,NULL,1);
INSERT INTO "predictions" VALUES(7354990482441544,1701466174857779723,1,1,0,2,2,0.7,'user-55',0,'awful 157','"negative"',7.15157894736842103533e-01,3265,NULL,1);
INSERT INTO "predictions" VALUES(7354990482443215,4371449395761944057,1,1,0,2,2,0.7,'user-44',0,'good 158','"positive"',7.05473684210526363891e-01,2403,NULL,1);
INSERT INTO "predictions" VALUES(7354990482450240,4063028792725242693,1,1,0,2,2,0.7,'user-2',0,'not bad at all 159','"positive"',7.00526315789473663642e-01,3045,NULL,1);
INSERT INTO "predictions" VALUES(7354990482451719,1999475113360308007,1,1,0,2,2,0.7,NULL,0,'not bad at all 160','"positive"',7.00526315789473663642e-01,3004,NULL,1);
INSERT INTO "predictions" VALUES(7354990482464138,3197946296961136487,2,2,0,2,2,0.3,'user-18',0,'good 161','"positive"',7.95985492471470879038e-01,2814,NULL,1);
INSERT INTO "predictions" VALUES(7354990482465776,2481548633974126276,1,1,0,2,2,0.7,'user-37',0,'not bad at all 162','"positive"',7.00526315789473663642e-01,3505,NULL,1);
INSERT INTO "predictions" VALUES(7354990482467402,1546568942649285532,2,2,0,2,2,0.3,'user-22',0,'not bad at all 163','"negative"',7.95985492471470879038e-01,2473,NULL,1);
INSERT INTO "predictions" VALUES(7354990482468922,2728753560550087719,1,1,0,2,2,0.7,NULL,0,'bad 164','"negative"',7.59105263157894727399e-01,2003,NULL,1);
INSERT INTO "predictions" VALUES(7354990482470355,1392230473562569568,1,1,0,2,2,0.7,'user-26',0,'awful 165','"negative"',7.15157894736842103533e-01,2974,NULL,1);
INSERT INTO "predictions" VALUES(7354990482471986,1583467759454291667,2,2,0,2,2,0.3,'user-29',0,'not bad at all 166','"negative"',7.95985492471470879038e-01,1983,NULL,1);
INSERT INTO "predictions" VALUES(7354990482473481,2319018593837254465,1,1,0,2,2,0.7,'user-10',0,'bad 167','"negative"',7.59105263157894727399e-01,2614,NULL,1);
INSERT INTO "predictions" VALUES(7354990482475123,1764935622660037649,1,1,0,2,2,0.7,NULL,0,'awful 168','"negative"',7.15157894736842103533e-01,2083,NULL,1);
INSERT INTO "predictions" VALUES(7354990482476626,355399136908217507,1,1,0,2,2,0.7,'user-12',0,'awful 169','"negative"',7.15157894736842103533e-01,2714,NULL,1);
INSERT INTO "predictions" VALUES(7354990482478203,3987434807829867213,1,1,0,2,2,0.7,'user-38',0,'bad 170','"negative"',7.59105263157894727399e-01,2664,NULL,1);
INSERT INTO "predictions" VALUES(7354990482479657,3837847929366482896,2,2,0,2,2,0.3,'user-22',0,'good 171','"positive"',7.95985492471470879038e-01,1773,NULL,1);
INSERT INTO "predictions" VALUES(7354990482481296,971896653363187751,1,1,0,2,2,0.7,NULL,0,'good 172','"positive"',7.05473684210526363891e-01,2163,NULL,1);
INSERT INTO "predictions" VALUES(7354990482482865,3184562741345358458,1,1,0,2,2,0.7,'user-6',0,'awful 173','"negative"',7.15157894736842103533e-01,2564,NULL,1);
INSERT INTO "predictions" VALUES(7354990482484446,570493110235053288,1,1,0,2,2,0.7,'user-36',0,'not bad at all 174','"positive"',7.00526315789473663642e-01,3545,NULL,1);
INSERT INTO "predictions" VALUES(7354990482486756,300527736013861734,1,1,0,2,2,0.7,'user-20',0,'bad 175','"negative"',7.59105263157894727399e-01,2734,NULL,1);
INSERT INTO "predictions" VALUES(7354990482488251,1690030512988579169,2,2,0,2,2,0.3,NULL,0,'awful 176','"negative"',7.95985492471470879038e-01,1332,NULL,1);
INSERT INTO "predictions" VALUES(7354990482502943,937885157552033894,1,1,0,2,2,0.7,'user-27',0,'awful 177','"negative"',7.15157894736842103533e-01,9454,NULL,1);
INSERT INTO "predictions" VALUES(7354990482506671,3590929892380380937,1,1,0,2,2,0.7,'user-31',0,'bad 178','"negative"',7.59105263157894727399e-01,4837,NULL,1);
INSERT INTO "predictions" VALUES(7354990482508960,4379456375339556663,1,1,0,2,2,0.7,'user-30',0,'not bad at all 179','"positive"',7.00526315789473663642e-01,5419,NULL,1);
INSERT INTO "predictions" VALUES(7354990482517570,1746469547627915403,1,1,0,2,2,0.7,NULL,0,'awful 180','"negative"',7.15157894736842103533e-01,4246,NULL,1);
INSERT INTO "predictions" VALUES(7354990482519192,3908504423208668339,2,2,0,2,2,0.3,'user-54',0,'awful 181','"negative"',7.95985492471470879038e-01,3786,NULL,1);
INSERT INTO "predictions" VALUES(7354990482521347,3567542270081011062,1,1,0,2,2,0.7,'user-38',0,'bad 182','"negative"',9.01368421052631596523e-01,3465,NULL,1);
INSERT INTO "predictions" VALUES(7354990482522870,4462419301897269349,1,1,0,2,2,0.7,'user-47',0,'not bad at all 183','"positive"',7.00526315789473663642e-01,4276,NULL,1);
INSERT INTO "predictions" VALUES(7354990482524898,2311095173209722007,2,2,0,2,2,0.3,NULL,0,'not bad at all 184','"negative"',7.95985492471470879038e-01,1602,NULL,1);
INSERT INTO "predictions" VALUES(7354990482529592,352774919987200212,1,1,0,2,2,0.7,'user-16',0,'awful 185','"negative"',7.15157894736842103533e-01,4507,NULL,1);
INSERT INTO "predictions" VALUES(7354990482531144,4064716164101891491,2,2,0,2,2,0.3,'user-1',0,'awful 186','"negative"',7.95985492471470879038e-01,1772,NULL,1);
INSERT INTO "predictions" VALUES(7354990482538099,1833763372093952044,2,2,0,2,2,0.3,'user-19',0,'not bad at all 187','"negative"',7.95985492471470879038e-01,7612,NULL,1);
INSERT INTO "predictions" VALUES(7354990482539676,1759634402333018003,1,1,0,2,2,0.7,NULL,0,'awful 188','"negative"',7.15157894736842103533e-01,2664,NULL,1);
INSERT INTO "predictions" VALUES(7354990482541642,1570640143186435098,1,1,0,2,2,0.7,'user-9',0,'not bad at all 189','"positive"',7.00526315789473663642e-01,4657,NULL,1);
INSERT INTO "predictions" VALUES(7354990482544141,4382201922962637747,2,2,0,2,2,0.3,'user-1',0,'awful 190','"negative"',7.95985492471470879038e-01,1683,NULL,1);
INSERT INTO "predictions" VALUES(7354990482552185,3093826986753150292,1,1,0,2,2,0.7,'user-42',0,'good 191','"positive"',7.05473684210526363891e-01,3705,NULL,1);
INSERT INTO "predictions" VALUES(7354990482560492,2853874020984594487,1,1,0,2,2,0.7,NULL,0,'awful 192','"negative"',7.15157894736842103533e-01,3355,NULL,1);
INSERT INTO "predictions" VALUES(7354990482564293,2254318921327653099,2,2,0,2,2,0.3,'user-18',0,'bad 193','"negative"',7.95985492471470879038e-01,3926,NULL,1);
INSERT INTO "predictions" VALUES(7354990482565997,51393480411746681,1,1,0,2,2,0.7,'user-50',0,'good 194','"positive"',7.05473684210526363891e-01,2974,NULL,1);
INSERT INTO "predictions" VALUES(7354990482567435,651182209086048560,1,1,0,2,2,0.7,'user-52',0,'bad 195','"negative"',7.59105263157894727399e-01,2053,NULL,1);
INSERT INTO "predictions" VALUES(7354990482569761,3336672135262589432,1,1,0,2,2,0.7,NULL,0,'awful 196','"negative"',7.15157894736842103533e-01,1822,NULL,1);
INSERT INTO "predictions" VALUES(7354990482571154,2951195497861912772,1,1,0,2,2,0.7,'user-30',0,'good 197','"positive"',7.05473684210526363891e-01,2003,NULL,1);
INSERT INTO "predictions" VALUES(7354990482581271,4316094883301306036,2,2,0,2,2,0.3,'user-15',0,'not bad at all 198','"negative"',7.95985492471470879038e-01,3535,NULL,1);
INSERT INTO "predictions" VALUES(7354990482582836,2366789276516664986,1,1,0,2,2,0.7,'user-50',0,'awful 199','"negative"',7.15157894736842103533e-01,3075,NULL,1);
INSERT INTO "predictions" VALUES(7354990482584785,4183971731117736674,2,2,0,2,2,0.3,NULL,0,'good 200','"positive"',7.95985492471470879038e-01,1232,NULL,1);
INSERT INTO "predictions" VALUES(7354990482590413,1544361305559406108,1,1,0,2,2,0.7,'user-31',0,'bad 201','"negative"',7.59105263157894727399e-01,3445,NULL,1);
INSERT INTO "predictions" VALUES(7354990482592412,2966687289660489061,2,2,0,2,2,0.3,'user-54',0,'not bad at all 202','"negative"',7.95985492471470879038e-01,1933,NULL,1);
INSERT INTO "predictions" VALUES(7354990482598212,2594803188627184336,2,2,0,2,2,0.3,'user-46',0,'bad 203','"negative"',7.95985492471470879038e-01,2163,NULL,1);
INSERT INTO "predictions" VALUES(7354990482600289,522737151049168980,1,1,0,2,2,0.7,NULL,0,'not bad at all 204','"positive"',7.00526315789473663642e-01,5869,NULL,1);
INSERT INTO "predictions" VALUES(7354990482602001,1427536133045145980,1,1,0,2,2,0.7,'user-31',0,'not bad at all 205','"positive"',7.00526315789473663642e-01,3215,NULL,1);
INSERT INTO "predictions" VALUES(7354990482604053,4229394074102614400,1,1,0,2,2,0.7,'user-33',0,'awful 206','"negative"',7.15157894736842103533e-01,2454,NULL,1);
INSERT INTO "predictions" VALUES(7354990482606240,4287265870620134070,2,2,0,2,2,0.3,'user-1',0,'good 207','"positive"',7.95985492471470879038e-01,1903,NULL,1);
INSERT INTO "predictions" VALUES(7354990482639676,2319312694984171663,1,1,0,2,2,0.7,NULL,0,'bad 208','"negative"',7.59105263157894727399e-01,11787,NULL,1);
INSERT INTO "predictions" VALUES(7354990482651825,914878911045509740,2,2,0,2,2,0.3,'user-18',0,'not bad at all 209','"negative"',7.95985492471470879038e-01,9314,NULL,1);
INSERT INTO "predictions" VALUES(7354990482654139,1010131614705261639,1,1,0,2,2,0.7,'user-39',0,'not bad at all 210','"positive"',7.00526315789473663642e-01,9203,NULL,1);
INSERT INTO "predictions" VALUES(7354990482656453,3525204325607779420,2,2,0,2,2,0.3,'user-46',0,'not bad at all 211','"negative"',7.95985492471470879038e-01,3355,NULL,1);
INSERT INTO "predictions" VALUES(7354990482658051,2090066394847746566,1,1,0,2,2,0.7,NULL,0,'good 212','"positive"',7.05473684210526363891e-01,3035,NULL,1);
INSERT INTO "predictions" VALUES(7354990482662900,3467756899070555759,2,2,0,2,2,0.3,'user-22',0,'awful 213','"negative"',7.95985492471470879038e-01,2904,NULL,1);
INSERT INTO "predictions" VALUES(7354990482664506,2135466725217931637,2,2,0,2,2,0.3,'user-43',0,'not bad at all 214','"negative"',7.95985492471470879038e-01,1502,NULL,1);
INSERT INTO "predictions" VALUES(7354990482666034,948662588404073340,1,1,0,2,2,0.7,'user-2',0,'bad 215','"negative"',7.59105263157894727399e-01,2994,NULL,1);
INSERT INTO "predictions" VALUES(7354990482667439,155756161663429166,1,1,0,2,2,0.7,NULL,0,'good 216','"positive"',7.05473684210526363891e-01,1642,NULL,1);
INSERT INTO "predictions" VALUES(7354990482688496,1027715733574364320,1,1,0,2,2,0.7,'user-35',0,'not bad at all 217','"positive"',7.00526315789473663642e-01,10196,NULL,1);
INSERT INTO "predictions" VALUES(7354990482737726,1526168943719966819,2,2,0,2,2,0.3,'user-43',0,'awful 218','"negative"',7.95985492471470879038e-01,12047,NULL,1);
INSERT INTO "predictions" VALUES(7354990482752852,1402951669010206688,2,2,0,2,2,0.3,'user-56',0,'good 219','"positive"',7.95985492471470879038e-01,6239,NULL,1);
INSERT INTO "predictions" VALUES(7354990482756908,3318784040306992197,1,1,0,2,2,0.7,NULL,0,'bad 220','"negative"',7.59105263157894727399e-01,7161,NULL,1);
INSERT INTO "predictions" VALUES(7354990482758628,4504148877953189528,1,1,0,2,2,0.7,'user-27',0,'good 221','"positive"',7.05473684210526363891e-01,3856,NULL,1);
INSERT INTO "predictions" VALUES(7354990482760291,2991250165001533270,1,1,0,2,2,0.7,'user-38',0,'awful 222','"negative"',7.15157894736842103533e-01,3074,NULL,1);
INSERT INTO "predictions" VALUES(7354990482761810,1755234991305714088,2,2,0,2,2,0.3,'user-54',0,'awful 223','"negative"',7.95985492471470879038e-01,2444,NULL,1);
INSERT INTO "predictions" VALUES(7354990482763289,524760759300227094,1,1,0,2,2,0.7,NULL,0,'awful 224','"negative"',7.15157894736842103533e-01,2434,NULL,1);
INSERT INTO "predictions" VALUES(7354990482764678,4282828115812492293,1,1,0,2,2,0.7,'user-25',0,'awful 225','"negative"',7.15157894736842103533e-01,2714,NULL,1);
INSERT INTO "predictions" VALUES(7354990482766697,1239134223571631692,2,2,0,2,2,0.3,'user-57',0,'bad 226','"negative"',7.95985492471470879038e-01,2404,NULL,1);
INSERT INTO "predictions" VALUES(7354990482768180,615499029310276835,2,2,0,2,2,0.3,'user-29',0,'not bad at all 227','"negative"',7.95985492471470879038e-01,2073,NULL,1);
INSERT INTO "predictions" VALUES(7354990482769605,763804482561354065,1,1,0,2,2,0.7,NULL,0,'good 228','"positive"',7.05473684210526363891e-01,2484,NULL,1);
INSERT INTO "predictions" VALUES(7354990482771129,1214993657250658263,1,1,0,2,2,0.7,'user-53',0,'not bad at all 229','"positive"',7.00526315789473663642e-01,5689,NULL,1);
INSERT INTO "predictions" VALUES(7354990482772730,4239191014672403674,1,1,0,2,2,0.7,'user-44',0,'good 230','"positive"',7.05473684210526363891e-01,3525,NULL,1);
INSERT INTO "predictions" VALUES(7354990482788205,2976688299563273665,1,1,0,2,2,0.7,'user-37',0,'awful 231','"negative"',7.15157894736842103533e-01,6109,NULL,1);
INSERT INTO "predictions" VALUES(7354990482789970,2167848743220122386,1,1,0,2,2,0.7,NULL,0,'not bad at all 232','"positive"',7.00526315789473663642e-01,4577,NULL,1);
INSERT INTO "predictions" VALUES(7354990482791482,3280344144251294226,2,2,0,2,2,0.3,'user-58',0,'awful 233','"negative"',7.95985492471470879038e-01,2704,NULL,1);
INSERT INTO "predictions" VALUES(7354990482794267,3019677469661355516,1,1,0,2,2,0.7,'user-9',0,'not bad at all 234','"positive"',7.00526315789473663642e-01,4326,NULL,1);
INSERT INTO "predictions" VALUES(7354990482796225,1331697049191088775,1,1,0,2,2,0.7,'user-30',0,'bad 235','"negative"',7.59105263157894727399e-01,2394,NULL,1);
INSERT INTO "predictions" VALUES(7354990482797753,94704026372611038,1,1,0,2,2,0.7,NULL,0,'awful 236','"negative"',7.15157894736842103533e-01,2013,NULL,1);
INSERT INTO "predictions" VALUES(7354990482799084,3170985274901189528,2,2,0,2,2,0.3,'user-34',0,'not bad at all 237','"negative"',7.95985492471470879038e-01,2584,NULL,1);
INSERT INTO "predictions" VALUES(7354990482800587,1201433117352080383,1,1,0,2,2,0.7,'user-27',0,'bad 238','"negative"',7.59105263157894727399e-01,2354,NULL,1);
INSERT INTO "predictions" VALUES(7354990482802013,3619674599777825015,2,2,0,2,2,0.3,'user-4',0,'good 239','"positive"',7.95985492471470879038e-01,1712,NULL,1);
INSERT INTO "predictions" VALUES(7354990482803475,468271977359083445,1,1,0,2,2,0.7,NULL,0,'bad 240','"negative"',7.59105263157894727399e-01,1662,NULL,1);
INSERT INTO "predictions" VALUES(7354990482804847,3573290243390283462,1,1,0,2,2,0.7,'user-52',0,'not bad at all 241','"positive"',7.00526315789473663642e-01,3966,NULL,1);
INSERT INTO "predictions" VALUES(7354990482806178,466502113616449291,1,1,0,2,2,0.7,'user-50',0,'good 242','"positive"',7.05473684210526363891e-01,2764,NULL,1);
INSERT INTO "predictions" VALUES(7354990482807493,980228063822626188,1,1,0,2,2,0.7,'user-42',0,'good 243','"positive"',7.05473684210526363891e-01,2073,NULL,1);
INSERT INTO "predictions" VALUES(7354990482836329,2826986899688282545,1,1,0,2,2,0.7,NULL,0,'good 244','"positive"',7.05473684210526363891e-01,11107,NULL,1);
INSERT INTO "predictions" VALUES(7354990482839118,1892420477000763414,2,2,0,2,2,0.3,'user-46',0,'not bad at all 245','"negative"',7.95985492471470879038e-01,6239,NULL,1);
INSERT INTO "predictions" VALUES(7354990482840994,3044991569602767427,2,2,0,2,2,0.3,'user-4',0,'awful 246','"negative"',7.95985492471470879038e-01,2493,NULL,1);
INSERT INTO "predictions" VALUES(7354990482842739,687179453608739372,1,1,0,2,2,0.7,'user-44',0,'awful 247','"negative"',7.15157894736842103533e-01,4377,NULL,1);
INSERT INTO "predictions" VALUES(7354990482844128,1119189338606458394,1,1,0,2,2,0.7,NULL,0,'awful 248','"negative"',7.15157894736842103533e-01,2554,NULL,1);
INSERT INTO "predictions" VALUES(7354990482845402,3574118047990714353,1,1,0,2,2,0.7,'user-7',0,'good 249','"positive"',7.05473684210526363891e-01,2884,NULL,1);
INSERT INTO "predictions" VALUES(7354990482846933,2395306615788208556,1,1,0,2,2,0.7,'user-14',0,'good 250','"positive"',7.05473684210526363891e-01,2513,NULL,1);
INSERT INTO "predictions" VALUES(7354990482869351,4598805758152804464,1,1,0,2,2,0.7,'user-45',0,'good 251','"positive"',7.05473684210526363891e-01,14782,NULL,1);
INSERT INTO "predictions" VALUES(7354990482872828,365515488802095910,2,2,0,2,2,0.3,NULL,0,'bad 252','"negative"',7.95985492471470879038e-01,4146,NULL,1);
INSERT INTO "predictions" VALUES(7354990482875032,2067748934659575864,1,1,0,2,2,0.7,'user-45',0,'not bad at all 253','"positive"',7.00526315789473663642e-01,8683,NULL,1);
INSERT INTO "predictions" VALUES(7354990482877015,2670262650969718394,1,1,0,2,2,0.7,'user-9',0,'awful 254','"negative"',7.15157894736842103533e-01,4466,NULL,1);
INSERT INTO "predictions" VALUES(7354990482878903,3952827873072120766,1,1,0,2,2,0.7,'user-39',0,'bad 255','"negative"',7.59105263157894727399e-01,3455,NULL,1);
INSERT INTO "predictions" VALUES(7354990482880680,4381689268320054884,1,1,0,2,2,0.7,NULL,0,'bad 256','"negative"',7.59105263157894727399e-01,2193,NULL,1);
INSERT INTO "predictions" VALUES(7354990482882278,1681116940388907622,1,1,0,2,2,0.7,'user-51',0,'awful 257','"negative"',7.15157894736842103533e-01,3255,NULL,1);
INSERT INTO "predictions" VALUES(7354990482883892,1778295444144568572,2,2,0,2,2,0.3,'user-4',0,'bad 258','"negative"',7.95985492471470879038e-01,2624,NULL,1);
INSERT INTO "predictions" VALUES(7354990482885854,1932407707626734314,1,1,0,2,2,0.7,'user-2',0,'bad 259','"negative"',7.59105263157894727399e-01,3215,NULL,1);
INSERT INTO "predictions" VALUES(7354990482887549,1527112837045309158,1,1,0,2,2,0.7,NULL,0,'good 260','"positive"',7.05473684210526363891e-01,2644,NULL,1);
INSERT INTO "predictions" VALUES(7354990482889315,846314431307086357,1,1,0,2,2,0.7,'user-47',0,'awful 261','"negative"',7.15157894736842103533e-01,2894,NULL,1);
INSERT INTO "predictions" VALUES(7354990482890789,3654593161653437586,1,1,0,2,2,0.7,'user-17',0,'good 262','"positive"',7.05473684210526363891e-01,2373,NULL,1);
INSERT INTO "predictions" VALUES(7354990482892276,1358468088412588600,1,1,0,2,2,0.7,'user-36',0,'good 263','"positive"',7.05473684210526363891e-01,2584,NULL,1);
INSERT INTO "predictions" VALUES(7354990482893808,2297890861764336241,1,1,0,2,2,0.7,NULL,0,'good 264','"positive"',7.05473684210526363891e-01,1852,NULL,1);
INSERT INTO "predictions" VALUES(7354990482896126,4486156452102650307,2,2,0,2,2,0.3,'user-56',0,'awful 265','"negative"',7.95985492471470879038e-01,2895,NULL,1);
INSERT INTO "predictions" VALUES(7354990482897769,2580439893938769122,1,1,0,2,2,0.7,'user-0',0,'bad 266','"negative"',7.59105263157894727399e-01,2604,NULL,1);
INSERT INTO "predictions" VALUES(7354990482899293,358196886908408167,1,1,0,2,2,0.7,'user-5',0,'awful 267','"negative"',7.15157894736842103533e-01,2604,NULL,1);
INSERT INTO "predictions" VALUES(7354990482901197,1166550235557478166,1,1,0,2,2,0.7,NULL,0,'not bad at all 268','"positive"',7.00526315789473663642e-01,4777,NULL,1);
INSERT INTO "predictions" VALUES(7354990482902828,2978688629286333964,1,1,0,2,2,0.7,'user-31',0,'awful 269','"negative"',7.15157894736842103533e-01,2884,NULL,1);
INSERT INTO "predictions" VALUES(7354990482904376,3715360424225656947,1,1,0,2,2,0.7,'user-41',0,'not bad at all 270','"positive"',7.00526315789473663642e-01,3696,NULL,1);
INSERT INTO "predictions" VALUES(7354990482905846,2536410045508228714,2,2,0,2,2,0.3,'user-58',0,'not bad at all 271','"negative"',7.95985492471470879038e-01,2864,NULL,1);
INSERT INTO "predictions" VALUES(7354990482907444,3122642215632533231,1,1,0,2,2,0.7,NULL,0,'good 272','"positive"',7.05473684210526363891e-01,2253,NULL,1);
INSERT INTO "predictions" VALUES(7354990482908910,3245784686604891194,1,1,0,2,2,0.7,'user-44',0,'bad 273','"negative"',7.59105263157894727399e-01,2644,NULL,1);
INSERT INTO "predictions" VALUES(7354990482910532,998563585847902269,1,1,0,2,2,0.7,'user-9',0,'not bad at all 274','"positive"',7.00526315789473663642e-01,3816,NULL,1);
INSERT INTO "predictions" VALUES(7354990482912039,4027316437147017115,2,2,0,2,2,0.3,'user-58',0,'not bad at all 275','"negative"',7.95985492471470879038e-01,2614,NULL,1);
INSERT INTO "predictions" VALUES(7354990482913530,2251555631092716739,2,2,0,2,2,0.3,NULL,0,'bad 276','"negative"',7.95985492471470879038e-01,1292,NULL,1);
INSERT INTO "predictions" VALUES(7354990482915042,1830529133985496074,2,2,0,2,2,0.3,'user-4',0,'not bad at all 277','"negative"',7.95985492471470879038e-01,2264,NULL,1);
INSERT INTO "predictions" VALUES(7354990482916606,3837615071201130446,1,1,0,2,2,0.7,'user-16',0,'bad 278','"negative"',7.59105263157894727399e-01,2674,NULL,1);
INSERT INTO "predictions" VALUES(7354990482923635,3286520295089382150,1,1,0,2,2,0.7,'user-33',0,'not bad at all 279','"positive"',7.00526315789473663642e-01,6160,NULL,1);
INSERT INTO "predictions" VALUES(7354990482925990,2720124486401854728,1,1,0,2,2,0.7,NULL,0,'bad 280','"negative"',7.59105263157894727399e-01,2163,NULL,1);
INSERT INTO "predictions" VALUES(7354990482953012,4446101541248956822,1,1,0,2,2,0.7,'user-55',0,'bad 281','"negative"',7.59105263157894727399e-01,13461,NULL,1);
INSERT INTO "predictions" VALUES(7354990482955310,715014999841052602,2,2,0,2,2,0.3,'user-29',0,'not bad at all 282','"negative"',7.95985492471470879038e-01,4998,NULL,1);
INSERT INTO "predictions" VALUES(7354990482957104,3807908937836760570,1,1,0,2,2,0.7,'user-11',0,'awful 283','"negative"',7.15157894736842103533e-01,4456,NULL,1);
INSERT INTO "predictions" VALUES(7354990482959614,1634287183335333757,2,2,0,2,2,0.3,NULL,0,'bad 284','"negative"',7.95985492471470879038e-01,1883,NULL,1);
INSERT INTO "predictions" VALUES(7354990482966885,3565476662439466274,1,1,0,2,2,0.7,'user-41',0,'good 285','"positive"',7.05473684210526363891e-01,4647,NULL,1);
INSERT INTO "predictions" VALUES(7354990482968724,3131954114988609884,1,1,0,2,2,0.7,'user-5',0,'not bad at all 286','"positive"',7.00526315789473663642e-01,5969,NULL,1);
INSERT INTO "predictions" VALUES(7354990482970211,3231189849747701744,1,1,0,2,2,0.7,'user-5',0,'good 287','"positive"',7.05473684210526363891e-01,2374,NULL,1);
INSERT INTO "predictions" VALUES(7354990482971595,657970050827277459,1,1,0,2,2,0.7,NULL,0,'good 288','"positive"',7.05473684210526363891e-01,1642,NULL,1);
INSERT INTO "predictions" VALUES(7354990482972951,2102206276241023400,2,2,0,2,2,0.3,'user-15',0,'awful 289','"negative"',7.95985492471470879038e-01,2214,NULL,1);
INSERT INTO "predictions" VALUES(7354990482974295,2111930901609834247,2,2,0,2,2,0.3,'user-56',0,'awful 290','"negative"',7.95985492471470879038e-01,1312,NULL,1);
INSERT INTO "predictions" VALUES(7354990482975708,2679495693231916979,1,1,0,2,2,0.7,'user-30',0,'awful 291','"negative"',7.15157894736842103533e-01,3125,NULL,1);
INSERT INTO "predictions" VALUES(7354990482977551,1128145144063158116,1,1,0,2,2,0.7,NULL,0,'not bad at all 292','"positive"',7.00526315789473663642e-01,6530,NULL,1);
INSERT INTO "predictions" VALUES(7354990482979423,2516304158254661473,1,1,0,2,2,0.7,'user-50',0,'good 293','"positive"',7.05473684210526363891e-01,2614,NULL,1);
INSERT INTO "predictions" VALUES(7354990482981204,3014234994965852781,2,2,0,2,2,0.3,'user-34',0,'good 294','"positive"',7.95985492471470879038e-01,2974,NULL,1);
INSERT INTO "predictions" VALUES(7354990483032806,36586045792452484,1,1,0,2,2,0.7,'user-3',0,'awful 295','"negative"',7.15157894736842103533e-01,16114,NULL,1);
INSERT INTO "predictions" VALUES(7354990483046089,3838625268132142428,1,1,0,2,2,0.7,NULL,0,'bad 296','"negative"',7.59105263157894727399e-01,10436,NULL,1);
INSERT INTO "predictions" VALUES(7354990483050484,1657348188065680917,2,2,0,2,2,0.3,'user-43',0,'awful 297','"negative"',7.95985492471470879038e-01,5769,NULL,1);
INSERT INTO "predictions" VALUES(7354990483060327,4421411575919177499,1,1,0,2,2,0.7,'user-47',0,'bad 298','"negative"',7.59105263157894727399e-01,6610,NULL,1);
INSERT INTO "predictions" VALUES(7354990483062424,3105903114202431137,1,1,0,2,2,0.7,'user-5',0,'good 299','"positive"',7.05473684210526363891e-01,3705,NULL,1);
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
    UNIQUE (tier, start, version_key, epoch)
);
INSERT INTO "rollups" VALUES(1,0,0,1,1,30,0,0,30,2.11642105263157951364e+01,1.49307935734072110283e+01,15075488,2.24946527773069959721e+02,X'8003020204010102050101010201030101020101020301030201010A010D012201F70201',0,0);
INSERT INTO "rollups" VALUES(2,1,1795651200,1,1,30,0,0,30,2.11642105263157951364e+01,1.49307935734072110283e+01,15075488,2.24946527773069959721e+02,X'8003020204010102050101010201030101020101020301030201010A010D012201F70201',0,0);
INSERT INTO "rollups" VALUES(3,2,1795651200,1,1,30,0,0,30,2.11642105263157951364e+01,1.49307935734072110283e+01,15075488,2.24946527773069959721e+02,X'8003020204010102050101010201030101020101020301030201010A010D012201F70201',0,0);
INSERT INTO "rollups" VALUES(4,3,1795651920,1,1,30,0,0,30,2.11642105263157951364e+01,1.49307935734072110283e+01,15075488,2.24946527773069959721e+02,X'8003020204010102050101010201030101020101020301030201010A010D012201F70201',0,0);
INSERT INTO "rollups" VALUES(5,0,0,1,2,208,0,0,208,1.50003105263157920034e+02,1.08342737886426675685e+02,839262,6.81914685999999731907e-03,X'F40201020301010201030301010101020201010105020301020103010101020107010401050108010701070108010701050101010601040107010401030107010201060102010901050101010301020103010101030102010301020102010101040102010201010102020101010101010101010201010101020101010203010101030101010901030102010101030101010301030107010101030105011C011801',34,16);
INSERT INTO "rollups" VALUES(6,1,1795651200,1,2,208,0,0,208,1.50003105263157920034e+02,1.08342737886426675685e+02,839262,6.81914685999999731907e-03,X'F40201020301010201030301010101020201010105020301020103010101020107010401050108010701070108010701050101010601040107010401030107010201060102010901050101010301020103010101030102010301020102010101040102010201010102020101010101010101010201010101020101010203010101030101010901030102010101030101010301030107010101030105011C011801',34,16);
INSERT INTO "rollups" VALUES(7,2,1795651200,1,2,208,0,0,208,1.50003105263157920034e+02,1.08342737886426675685e+02,839262,6.81914685999999731907e-03,X'F40201020301010201030301010101020201010105020301020103010101020107010401050108010701070108010701050101010601040107010401030107010201060102010901050101010301020103010101030102010301020102010101040102010201010102020101010101010101010201010101020101010203010101030101010901030102010101030101010301030107010101030105011C011801',34,16);
INSERT INTO "rollups" VALUES(8,3,1795651920,1,2,208,0,0,208,1.50003105263157920034e+02,1.08342737886426675685e+02,839262,6.81914685999999731907e-03,X'F40201020301010201030301010101020201010105020301020103010101020107010401050108010701070108010701050101010601040107010401030107010201060102010901050101010301020103010101030102010301020102010101040102010201010102020101010101010101010201010101020101010203010101030101010901030102010101030101010301030107010101030105011C011801',34,16);
INSERT INTO "rollups" VALUES(9,0,0,2,2,92,0,0,92,7.32306653073754318947e+01,5.82905471887044939176e+01,5123479,23.886665165415,X'E10201040103010201010201020101050102010101020101060102010201020103010101040101010201020105010201030103010101040101010101030102010201020102020201010103010201010601030104010101030108010201070104020A010A010D01AF0201',9,2);
INSERT INTO "rollups" VALUES(10,1,1795651200,2,2,92,0,0,92,7.32306653073754318947e+01,5.82905471887044939176e+01,5123479,23.886665165415,X'E10201040103010201010201020101050102010101020101060102010201020103010101040101010201020105010201030103010101040101010101030102010201020102020201010103010201010601030104010101030108010201070104020A010A010D01AF0201',9,2);
INSERT INTO "rollups" VALUES(11,2,1795651200,2,2,92,0,0,92,7.32306653073754318947e+01,5.82905471887044939176e+01,5123479,23.886665165415,X'E10201040103010201010201020101050102010101020101060102010201020103010101040101010201020105010201030103010101040101010101030102010201020102020201010103010201010601030104010101030108010201070104020A010A010D01AF0201',9,2);
INSERT INTO "rollups" VALUES(12,3,1795651920,2,2,92,0,0,92,7.32306653073754318947e+01,5.82905471887044939176e+01,5123479,23.886665165415,X'E10201040103010201010201020101050102010101020101060102010201020103010101040101010201020105010201030103010101040101010101030102010201020102020201010103010201010601030104010101030108010201070104020A010A010D01AF0201',9,2);
CREATE TABLE state (
    minute_horizon INTEGER NOT NULL,
    probes INTEGER NOT NULL,
    feedback_dropped INTEGER NOT NULL DEFAULT 0
);
INSERT INTO "state" VALUES(1795392000,0,0);
CREATE TABLE unit_journal (
    seq INTEGER PRIMARY KEY,
    units BLOB NOT NULL
);
INSERT INTO "unit_journal" VALUES(1,X'02EAC781F6E1EFF6F62A04020500000001000178B3092AB66AE63F010001000146D26EF4311F703F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(2,X'02AB93EADFF4FBBDFA7004020500000001000153EE3B8C3D93E63F0100010001F60B76C3B645693F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(3,X'02D88DA3F59A92E0F9300404050000000100016A2C4891B678E93F0100010001B1A71DFE9A8C134001000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(4,X'02D2B6F2AAFEE388AA130404050000000100016A2C4891B678E93F0100010001588D25AC8DB1733F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(5,X'028AEDBBB681C5C0A0120402050000000100011A82EF1E974AE83F010001000138876BB587BD703F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(6,X'02D1A1BEF7DEF8E3BF6904020500000001000178B3092AB66AE63F01000100015A7F4B00FE29753F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(7,X'028DFC858FE4FBC7AEBB010404050000000100016A2C4891B678E93F0100010001D1950854FF20623F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(8,X'02BCC1DAE3A7FDC9D0C90104020500000001000153EE3B8C3D93E63F0100010001637AC2120F286B3F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(9,X'02EEA48D84A093B5ADFF010402050000000100011A82EF1E974AE83F0100010001A0A86C585359643F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(10,X'02B3AEC29AB7D3A8DDC401040205000000010001CDDE2BCF92E2E63F0100010001B62FA017EE5C683F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(11,X'02A2E2E493D4DFEFF5B7010404050000000100016A2C4891B678E93F01000100015B41D3122BA3613F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(12,X'02B1AF9BF5A5A897D436040205000000010001CDDE2BCF92E2E63F01000100016A8995D1C8E7653F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(13,X'0284D9F9B5C99DC693B8010402050000000100011A82EF1E974AE83F01000100018DEDB5A0F7C6703F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(14,X'0294C1B9C8B0FDADC89801040205000000010001CDDE2BCF92E2E63F010001000176FA415DA450663F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(15,X'02EEA48D84A093B5ADFF010402050000000100021A82EF1E974AF83F0100010002A359D93EE42D773F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(16,X'02D88DA3F59A92E0F9300404050000000100026A2C4891B678F93F0100010002522AE109BD8E134001000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(17,X'02B1AF9BF5A5A897D43604020500000001000274B00DF79496F73F01000100026EFC89CA8635753F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(18,X'02B7A093E0FBE9F6ED040404050000000100016A2C4891B678E93F010001000156629E95B4E25B3F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(19,X'028DFC858FE4FBC7AEBB010404050000000100026A2C4891B678F93F010001000257CEDE196D55723F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(20,X'02F4EC91E8AC92E2C0F8010402050000000100011A82EF1E974AE83F010001000150A73CBA1116653F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(21,X'02D2B6F2AAFEE388AA130404050000000100026A2C4891B678F93F0100010002C2853C821B297B3F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(22,X'029BE99F96EC86BBBD720404050000000100016A2C4891B678E93F0100010001425F7AFB73D1603F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(23,X'0289B7948DFBFBFB814304020500000001000178B3092AB66AE63F0100010001ECA353573ECB833F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(24,X'02D28393B1AFC584E5A9010404050000000100016A2C4891B678E93F01000100018E0585419946633F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(25,X'02C78FD2A6DCFDF3CD82010404050000000100016A2C4891B678E93F01000100016551D845D1035F3F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(26,X'02A089EAD189F8F592660404050000000100016A2C4891B678E93F0100010001CCB6D3D688605C3F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(27,X'02EBABBCF4F0D7E0CBE90104020500000001000153EE3B8C3D93E63F01000100012A5437177FDB733F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(28,X'02A089EAD189F8F592660404050000000100026A2C4891B678F93F01000100027D5C1B2AC6F96B3F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(29,X'02A2DBD6D9DBF193D41604020500000001000178B3092AB66AE63F0100010001261C7A8B87F76C3F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(30,X'02D1A1BEF7DEF8E3BF6904020500000001000278B3092AB66AF63F01000100022DE92807B309803F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(31,X'02D1A1BEF7DEF8E3BF6904020500000001000342BAC0DC0048014001000100034030478FDFDB843F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(32,X'02DCDA9BD183FCEEDD9E01040205000000010001CDDE2BCF92E2E63F01000100011A88653387A4663F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(33,X'02CFC7E4B7EFD7E2CFDB010402050000000100011A82EF1E974AE83F0100010001E99AC937DBDC683F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(34,X'02DD91D2AA848195826204020500000001000153EE3B8C3D93E63F0100010001D36C1E87C1FC653F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(35,X'029FC0C6AA9A86D4E1DE010404050000000100016A2C4891B678E93F01000100017098689082A7603F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(36,X'029BE99F96EC86BBBD720404050000000100026A2C4891B678F93F01000100028C135FED28CE713F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(37,X'02B9C7EFBBF88794B81C04020500000001000178B3092AB66AE63F0100010001A29A92ACC3D1753F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(38,X'028681B2D6DF87CEB20C04020500000001000153EE3B8C3D93E63F010001000117D4B7CCE9B2683F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(39,X'02DCDA9BD183FCEEDD9E0104020500000001000290E6B32DE8BAF63F01000100025281936DE00E743F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(40,X'028AEDBBB681C5C0A0120402050000000100021A82EF1E974AF83F0100010002EAB298D87C5C7B3F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(41,X'02D28393B1AFC584E5A9010404050000000100026A2C4891B678F93F0100010002897AC1A73979713F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(42,X'02D592D4F6ED86E6D8540404050000000100016A2C4891B678E93F01000100013D80457EFD105B3F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(43,X'02D88DA3F59A92E0F9300404050000000100035021F6EC881A03400100010003F394D5743D91134001000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(44,X'028C99A3CC818CD7CCE401040205000000010001CDDE2BCF92E2E63F0100010001D1E80E62670A6D3F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(45,X'02F8E4D0D191FAA8C21604020500000001000178B3092AB66AE63F01000100017B8505F7031E783F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(46,X'028DDF8ED4F5D3FDCB3104020500000001000153EE3B8C3D93E63F0100010001B806B64AB0386C3F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(47,X'02E8B0EFE0AEC598BFFB0104020500000001000153EE3B8C3D93E63F0100010001F7E80DF7915B633F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(48,X'02EBA9A1FF88C2C1E12104020500000001000178B3092AB66AE63F0100010001A0FB7266BB426F3F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(49,X'02BCAEEBC3CBD9E8F7180404050000000100016A2C4891B678E93F0100010001E5EC9DD15625613F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(50,X'02D28393B1AFC584E5A9010404050000000100035021F6EC881A03400100010003861C5BCF108E793F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(51,X'02A089EAD189F8F592660404050000000100035021F6EC881A034001000100032C465D6BEF53753F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(52,X'02F4EC91E8AC92E2C0F801040205000000010002C99A7CA4A65AF73F0100010002F29881CAF8F7793F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(53,X'02F1DBB4CCDFAEFDE7B40104020500000001000153EE3B8C3D93E63F0100010001889D29745E63673F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(54,X'0291D498ABF09CF3FBBF010404050000000100016A2C4891B678E93F0100010001338D261763605D3F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(55,X'02B1AF9BF5A5A897D436040205000000010003EDCF512FEF830140010001000351FA42C879FF7F3F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(56,X'02A0BC8FF994A696E5BA0104020500000001000153EE3B8C3D93E63F010001000168B27F9E060C623F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(57,X'02A9CD98FD888CCBD44D040205000000010001CDDE2BCF92E2E63F010001000160CC96AC8A70633F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(58,X'02A2DBD6D9DBF193D41604020500000001000278B3092AB66AF63F0100010002F0FCA204FD857E3F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(59,X'02A3E792A195849F8497010404050000000100016A2C4891B678E93F0100010001A208A9DBD9575E3F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(60,X'0286AFFBF8C2D4BF8129040205000000010001CDDE2BCF92E2E63F010001000165FED137691A643F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(61,X'02E0C4F1C3DA96A5F4FF0104020500000001000153EE3B8C3D93E63F0100010001726F7EC34483643F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(62,X'02BCAEEBC3CBD9E8F7180404050000000100026A2C4891B678F93F01000100026551D845D1036F3F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(63,X'0294C1B9C8B0FDADC8980104020500000001000274B00DF79496F73F0100010002A8A624EB7074753F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(64,X'028C99A3CC818CD7CCE401040205000000010002CDDE2BCF92E2F63F0100010002D9CEF753E3A57B3F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(65,X'028DDF8ED4F5D3FDCB3104020500000001000286CE5CC5DFFCF83F01000100029E62D520CCED7E3F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(66,X'0286AFFBF8C2D4BF812904020500000001000222C99A7CA4A6F63F010001000248BE1248895D7B3F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(67,X'02B7A093E0FBE9F6ED040404050000000100026A2C4891B678F93F0100010002D6E253008C67703F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(68,X'02A3E792A195849F8497010404050000000100026A2C4891B678F93F0100010002E5982CEE3F326D3F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(69,X'02B0DCEADBB8E38FA87C0402050000000100011A82EF1E974AE83F0100010001F2B0506B9A776C3F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(70,X'02D4E89AA2EEA1CDCB49040205000000010001CDDE2BCF92E2E63F010001000192B3B0A71DFE6A3F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(71,X'02D1A1BEF7DEF8E3BF6904020500000001000420274367AEE2064001000100041616DC0F7860903F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(72,X'02B7A093E0FBE9F6ED040404050000000100035021F6EC881A0340010001000387342A70B20D7C3F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(73,X'02D2B6F2AAFEE388AA130404050000000100035021F6EC881A034001000100030E4DD9E90775813F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(74,X'028AEDBBB681C5C0A01204020500000001000394A13357F137024001000100030EF8FC304278843F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(75,X'02A2DBD6D9DBF193D4160402050000000100036FD1CFC8FFED00400100010003E8C3B3041901853F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(76,X'02F8E4D0D191FAA8C21604020500000001000222C99A7CA4A6F63F01000100029A7D1EA33CF3823F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(77,X'02F4EC91E8AC92E2C0F80104020500000001000342BAC0DC00480140010001000311A96917D34C873F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(78,X'0291C6B59E9FF5CEB7F10104020500000001000153EE3B8C3D93E63F0100010001FEF15EB532E1673F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(79,X'02C78FD2A6DCFDF3CD82010404050000000100026A2C4891B678F93F0100010002CB30EE06D15A713F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(80,X'02D4E89AA2EEA1CDCB4904020500000001000222C99A7CA4A6F63F0100010002FA43334FAE29803F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(81,X'0296A0E794C8B19DE482010404050000000100016A2C4891B678E93F0100010001DB5207793D98643F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(82,X'02DFA997E2B1D8F1BCFF0104020500000001000178B3092AB66AE63F0100010001817C09151C5E703F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(83,X'02AB93EADFF4FBBDFA70040205000000010002E6D022DBF97EF63F0100010002329067976F7D783F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(84,X'02D4858DC6B6F7C1C429040205000000010001CDDE2BCF92E2E63F010001000127A3CA30EE06713F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(85,X'02C694AEDBC095B6C3920104020500000001000178B3092AB66AE63F0100010001D44334BA83D8693F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(86,X'02C3CCB1BBDAC8AAD5A7010402050000000100011A82EF1E974AE83F0100010001B4588AE42B81643F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(87,X'02D1A1BEF7DEF8E3BF69040205000000010005B52252CA7D870C4001000100058C65FA25E2AD933F01000100050000000000000000010001C0E4BBB00D0500000000000000000000');
INSERT INTO "unit_journal" VALUES(88,X'02929581E8FDA8A589DB0104020500000001000178B3092AB66AE63F01000100011349F4328AE5663F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(89,X'02A3E792A195849F8497010404050000000100035021F6EC881A0340010001000352D7DAFB54157A3F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(90,X'02A2DBD6D9DBF193D4160402050000000100044D3E5253AD88064001000100042D62D8614CFA8B3F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(91,X'02B3AEC29AB7D3A8DDC40104020500000001000222C99A7CA4A6F63F010001000233A8363811FD7A3F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(92,X'02DD91D2AA8481958262040205000000010002E6D022DBF97EF63F0100010002A0FEB3E6C75F7A3F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(93,X'02D592D4F6ED86E6D8540404050000000100026A2C4891B678F93F0100010002F0552B137EA96F3F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(94,X'028D9E83F7FAE9D7D3AF01040205000000010001CDDE2BCF92E2E63F01000100012B84D558C2DA683F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(95,X'02B0DCEADBB8E38FA87C040205000000010002C99A7CA4A65AF73F0100010002A62215C616827C3F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(96,X'02B0DCEADBB8E38FA87C040205000000010003EB2DFA19F9BF01400100010003551344DD0720853F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(97,X'02AB93EADFF4FBBDFA70040205000000010003FA484DB5225201400100010003EDF1423A3C84813F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(98,X'02D28393B1AFC584E5A9010404050000000100046A2C4891B678094001000100046246787B1002823F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(99,X'02B7A093E0FBE9F6ED040404050000000100046A2C4891B67809400100010004BB4560AC6F60823F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(100,X'02B1AF9BF5A5A897D436040205000000010004A0C71CE3933C07400100010004C4EBFA05BB61AB3F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(101,X'02A089EAD189F8F592660404050000000100046A2C4891B67809400100010004DAE6C6F484257E3F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(102,X'0291D498ABF09CF3FBBF010404050000000100026A2C4891B678F93F010001000210B3976DA7AD713F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(103,X'02B1AF9BF5A5A897D43604020500000001000526A8D8AA394F0D40010001000555302AA913D0AC3F01000100050000000000000000010001C0E4BBB00D0500000000000000000000');
INSERT INTO "unit_journal" VALUES(104,X'0284D9F9B5C99DC693B80104020500000001000274B00DF79496F73F010001000214799274CDE47B3F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(105,X'028EBEF7ADF5E3BBA5290402050000000100011A82EF1E974AE83F0100010001DB5207793D98643F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(106,X'02D1A1BEF7DEF8E3BF69040205000000010006258FB096261611400100010006AD6BB41CE8A1963F01000100060000000000000000010001C0E4BBB00D0600000000000000000000');
INSERT INTO "unit_journal" VALUES(107,X'02B1AF9BF5A5A897D43604020500000001000656444AB9EFB0114001000100069DB98784EFFDAD3F01000100060000000000000000010001C0E4BBB00D0600000000000000000000');
INSERT INTO "unit_journal" VALUES(108,X'02D2B6F2AAFEE388AA130404050000000100046A2C4891B67809400100010004F83AA92F4B3B853F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(109,X'02EBA7C3DCECE5F2C9BA0104020500000001000153EE3B8C3D93E63F0100010001B1A4DC7D8E8F663F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(110,X'02D1A1BEF7DEF8E3BF69040205000000010007687F8E7A791F144001000100079B3924B55032993F01000100070000000000000000010001C0E4BBB00D0700000000000000000000');
INSERT INTO "unit_journal" VALUES(111,X'02DFA997E2B1D8F1BCFF01040205000000010002C99A7CA4A65AF73F01000100024A9869FB57567A3F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(112,X'02A3E792A195849F8497010404050000000100046A2C4891B678094001000100042E7590D78349813F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(113,X'02B9C7EFBBF88794B81C04020500000001000278B3092AB66AF63F010001000206F357C85C19843F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(114,X'02C3CCB1BBDAC8AAD5A70104020500000001000236B89555EA6EF73F010001000200E7C589AF76743F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(115,X'02DCDA9BD183FCEEDD9E01040205000000010003CED395DE197001400100010003AE4676A565A47E3F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(116,X'02EEA48D84A093B5ADFF01040205000000010003EB2DFA19F9BF014001000100039817601F9DBA823F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(117,X'0292D9AEAD9BCBC7B05104020500000001000178B3092AB66AE63F0100010001B1A4DC7D8E8F663F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(118,X'02F8E4D0D191FAA8C216040205000000010003445C18F2F60B01400100010003F0FFE38409A3893F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(119,X'02D4E89AA2EEA1CDCB4904020500000001000326605CA121F800400100010003A1A17F828B15853F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(120,X'02A9CD98FD888CCBD44D04020500000001000222C99A7CA4A6F63F010001000259A5F44C2F31763F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(121,X'02B7A093E0FBE9F6ED0404040500000001000584379A35E4D60F40010001000505C4245CC823883F01000100050000000000000000010001C0E4BBB00D0500000000000000000000');
INSERT INTO "unit_journal" VALUES(122,X'02C3CCB1BBDAC8AAD5A701040205000000010003F9484DB52252014001000100034BCADDE7F868813F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(123,X'02D592D4F6ED86E6D8540404050000000100035021F6EC881A0340010001000334828DEBDFF5793F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(124,X'0289B7948DFBFBFB814304020500000001000222C99A7CA4A6F63F0100010002DAAF3BDD79E2893F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(125,X'02A3E792A195849F84970104040500000001000584379A35E4D60F400100010005077FBF982D59853F01000100050000000000000000010001C0E4BBB00D0500000000000000000000');
INSERT INTO "unit_journal" VALUES(126,X'02B1AF9BF5A5A897D4360402050000000100079934289D42BA14400100010007ECBC8DCD8E54AF3F01000100070000000000000000010001C0E4BBB00D0700000000000000000000');
INSERT INTO "unit_journal" VALUES(127,X'02D582B4B2D9C1D8DA5B040205000000010001CDDE2BCF92E2E63F01000100010D17B9A7AB3B663F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(128,X'02EBABBCF4F0D7E0CBE90104020500000001000236B89555EA6EF73F01000100022AA73D25E7C47E3F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(129,X'02D592D4F6ED86E6D8540404050000000100046A2C4891B678094001000100040C21E7FD7F9C803F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(130,X'028C99A3CC818CD7CCE4010402050000000100031AE7601BEE290140010001000366D828EB3713833F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(131,X'02BCC1DAE3A7FDC9D0C901040205000000010002E6D022DBF97EF63F01000100029AB1683A3B197C3F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(132,X'02EBA7C3DCECE5F2C9BA0104020500000001000236B89555EA6EF73F010001000248C153C8957A763F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(133,X'028DDF8ED4F5D3FDCB31040205000000010003F65E7996143702400100010003D252793BC269913F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(134,X'0291C6B59E9FF5CEB7F10104020500000001000236B89555EA6EF73F01000100021650A8A78FC07F3F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(135,X'02D1A1BEF7DEF8E3BF69040205000000010008D7B5CF3FD0EC16400100010008C9E53FA4DFBE9E3F01000100080000000000000000010001C0E4BBB00D0800000000000000000000');
INSERT INTO "unit_journal" VALUES(136,X'029FC0C6AA9A86D4E1DE010404050000000100026A2C4891B678F93F0100010002EA7420EBA9D5773F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(137,X'02EBABBCF4F0D7E0CBE901040205000000010003CD675BD075ED02400100010003F8C610001C7B863F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(138,X'02DD91D2AA848195826204020500000001000351D513782ADA004001000100036FF59CF4BEF1853F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(139,X'02D4858DC6B6F7C1C429040205000000010002CDDE2BCF92E2F63F0100010002FD6838656EBE813F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(140,X'029BE99F96EC86BBBD720404050000000100035021F6EC881A0340010001000311C8258E3C10793F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(141,X'02A089EAD189F8F5926604040500000001000584379A35E4D60F400100010005887FD8D2A3A98E3F01000100050000000000000000010001C0E4BBB00D0500000000000000000000');
INSERT INTO "unit_journal" VALUES(142,X'0286AFFBF8C2D4BF81290402050000000100036FD1CFC8FFED0040010001000357CB9D996038873F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(143,X'029BE99F96EC86BBBD720404050000000100046A2C4891B678094001000100049C887E6DFDF47F3F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(144,X'02929581E8FDA8A589DB01040205000000010002E6D022DBF97EF63F01000100023AB4C876BE9F7A3F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(145,X'02B7A093E0FBE9F6ED040404050000000100064F21F6EC881A1340010001000627FA7C941117903F01000100060000000000000000010001C0E4BBB00D0600000000000000000000');
INSERT INTO "unit_journal" VALUES(146,X'02EAC781F6E1EFF6F62A040205000000010002E6D022DBF97EF63F010001000221EA3E00A94D7C3F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(147,X'02A2DBD6D9DBF193D416040205000000010005D41E0E1B539B0C400100010005FF7C5BB05417903F01000100050000000000000000010001C0E4BBB00D0500000000000000000000');
INSERT INTO "unit_journal" VALUES(148,X'02D1A1BEF7DEF8E3BF69040205000000010009A13357F137BF19400100010009C8D11C59F965A03F01000100090000000000000000010001C0E4BBB00D0900000000000000000000');
INSERT INTO "unit_journal" VALUES(149,X'02A89CE8EBC8A391D11C0404050000000100016A2C4891B678E93F0100010001680586AC6EF56C3F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(150,X'02EAC781F6E1EFF6F62A04020500000001000326605CA121F80040010001000334BF9A030473843F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(151,X'0291C6B59E9FF5CEB7F101040205000000010003A2BC86F21ACA01400100010003B9A981E673EE863F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(152,X'029FC0C6AA9A86D4E1DE010404050000000100035021F6EC881A034001000100031550A8A78FC07F3F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(153,X'0291D498ABF09CF3FBBF010404050000000100035021F6EC881A0340010001000372C5C551B9897A3F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(154,X'0291C6B59E9FF5CEB7F1010402050000000100048029097DC86407400100010004CC0F5CE509848D3F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(155,X'02B0DCEADBB8E38FA87C0402050000000100049E25C5CD9D7807400100010004EE92382BA2268A3F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(156,X'029BE99F96EC86BBBD7204040500000001000584379A35E4D60F4001000100055587DC0C37E0833F01000100050000000000000000010001C0E4BBB00D0500000000000000000000');
INSERT INTO "unit_journal" VALUES(157,X'02B7A093E0FBE9F6ED04040405000000010007DC261FBF9F49164001000100075A66118AADA0993F01000100070000000000000000010001C0E4BBB00D0700000000000000000000');
INSERT INTO "unit_journal" VALUES(158,X'0284D9F9B5C99DC693B80104020500000001000318450906F86501400100010003F04E3E3DB665903F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(159,X'0291D498ABF09CF3FBBF010404050000000100046A2C4891B67809400100010004BB641C23D923843F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(160,X'02D592D4F6ED86E6D85404040500000001000584379A35E4D60F400100010005029F1F46088F863F01000100050000000000000000010001C0E4BBB00D0500000000000000000000');
INSERT INTO "unit_journal" VALUES(161,X'029BAEEEF0F9ECBAFAF4010404050000000100016A2C4891B678E93F0100010001F1D93A38D89B583F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(162,X'02A9CD98FD888CCBD44D04020500000001000318450906F865014001000100034ED026874F3A813F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(163,X'02DFA997E2B1D8F1BCFF0104020500000001000342BAC0DC004801400100010003789D0DF96706913F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(164,X'029BAEEEF0F9ECBAFAF4010404050000000100026A2C4891B678F93F01000100026DE525FF93BF8B3F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(165,X'028DC1A4969DE9CEF0620404050000000100016A2C4891B678E93F0100010001861C5BCF108E793F01000100010000000000000000010001C0E4BBB00D0100000000000000000000');
INSERT INTO "unit_journal" VALUES(166,X'028DDF8ED4F5D3FDCB310402050000000100048B5A88F9E3DB07400100010004FA230C03965C953F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(167,X'02EBABBCF4F0D7E0CBE901040205000000010004805F26841AA6084001000100046C0BCF4BC5C68C3F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(168,X'029FC0C6AA9A86D4E1DE010404050000000100046A2C4891B67809400100010004CA6E66F4A3E1843F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(169,X'0292D9AEAD9BCBC7B05104020500000001000222C99A7CA4A6F63F0100010002DFDDCA129D65763F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(170,X'02D2B6F2AAFEE388AA1304040500000001000584379A35E4D60F4001000100054E9EB29AAE278A3F01000100050000000000000000010001C0E4BBB00D0500000000000000000000');
INSERT INTO "unit_journal" VALUES(171,X'02A3E792A195849F8497010404050000000100064F21F6EC881A134001000100068C8862F20698893F01000100060000000000000000010001C0E4BBB00D0600000000000000000000');
INSERT INTO "unit_journal" VALUES(172,X'02AB93EADFF4FBBDFA70040205000000010004D8B5CF3FD0EC064001000100044D49D6E1E82A8D3F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(173,X'02D4E89AA2EEA1CDCB49040205000000010004BB5B6B04F19C0640010001000421EA3E00A94D8C3F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(174,X'02C3CCB1BBDAC8AAD5A701040205000000010004AC401869C70A0740010001000479758E01D9EB8D3F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(175,X'02A2E2E493D4DFEFF5B7010404050000000100026A2C4891B678F93F010001000280BA8102EFE4733F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(176,X'0286AFFBF8C2D4BF81290402050000000100044D3E5253AD8806400100010004DCEEE53E390A903F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(177,X'02D1A1BEF7DEF8E3BF6904020500000001000AE42335D58AC81C40010001000A679C86A8C29FA13F010001000A0000000000000000010001C0E4BBB00D0A00000000000000000000');
INSERT INTO "unit_journal" VALUES(178,X'028DFC858FE4FBC7AEBB010404050000000100035021F6EC881A03400100010003B493C151F2EA7C3F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(179,X'028DDF8ED4F5D3FDCB31040205000000010005123B44C189EE0D40010001000584471B47ACC5973F01000100050000000000000000010001C0E4BBB00D0500000000000000000000');
INSERT INTO "unit_journal" VALUES(180,X'02C78FD2A6DCFDF3CD82010404050000000100035021F6EC881A03400100010003153B1A87FA5D783F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(181,X'02A2DBD6D9DBF193D416040205000000010006D945C852001B11400100010006D8868A71FE26943F01000100060000000000000000010001C0E4BBB00D0600000000000000000000');
INSERT INTO "unit_journal" VALUES(182,X'02EAC781F6E1EFF6F62A040205000000010004BB5B6B04F19C064001000100043A2174D0251C8A3F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(183,X'02929581E8FDA8A589DB010402050000000100030864A0504CE400400100010003A2630795B88E813F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(184,X'0291D498ABF09CF3FBBF0104040500000001000584379A35E4D60F4001000100057FF964C57075903F01000100050000000000000000010001C0E4BBB00D0500000000000000000000');
INSERT INTO "unit_journal" VALUES(185,X'02C78FD2A6DCFDF3CD82010404050000000100046A2C4891B67809400100010004DD7A4D0F0A4A813F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(186,X'02D4E89AA2EEA1CDCB490402050000000100056E5336B895550C4001000100053B8F8AFF3BA2923F01000100050000000000000000010001C0E4BBB00D0500000000000000000000');
INSERT INTO "unit_journal" VALUES(187,X'028AEDBBB681C5C0A012040205000000010004299D42BAC0DC074001000100044F04711E4E608A3F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(188,X'028EBEF7ADF5E3BBA52904020500000001000236B89555EA6EF73F01000100027C478D093197743F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(189,X'02DCDA9BD183FCEEDD9E0104020500000001000463CFA441E9140740010001000456B5A4A31CCC963F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(190,X'02DCDA9BD183FCEEDD9E01040205000000010005413C27CC96AF0C400100010005D79FC4E74EB09F3F01000100050000000000000000010001C0E4BBB00D0500000000000000000000');
INSERT INTO "unit_journal" VALUES(191,X'0286AFFBF8C2D4BF812904020500000001000500361D0752410C4001000100050586AC6EF59C943F01000100050000000000000000010001C0E4BBB00D0500000000000000000000');
INSERT INTO "unit_journal" VALUES(192,X'0284D9F9B5C99DC693B8010402050000000100049E25C5CD9D7807400100010004342C465D6BEF933F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(193,X'02E0C4F1C3DA96A5F4FF0104020500000001000290E6B32DE8BAF63F0100010002B0CA85CABF96773F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(194,X'02C78FD2A6DCFDF3CD820104040500000001000584379A35E4D60F400100010005F4C0C760C5A9863F01000100050000000000000000010001C0E4BBB00D0500000000000000000000');
INSERT INTO "unit_journal" VALUES(195,X'02A9CD98FD888CCBD44D0402050000000100049E25C5CD9D780740010001000460360186E5CF873F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(196,X'02DD91D2AA848195826204020500000001000404CDDE2BCF92064001000100048A3A730F09DF8B3F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(197,X'02B3AEC29AB7D3A8DDC40104020500000001000326605CA121F80040010001000332074147AB5A823F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(198,X'02BCC1DAE3A7FDC9D0C9010402050000000100030864A0504CE4004001000100037BBB25396057833F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(199,X'028DC1A4969DE9CEF0620404050000000100026A2C4891B678F93F01000100020ED940BAD8B4823F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(200,X'02EEA48D84A093B5ADFF01040205000000010004720EB6E19ED207400100010004FBEB1516DC0F883F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(201,X'02A0BC8FF994A696E5BA0104020500000001000290E6B32DE8BAF63F0100010002FA81AB3C81B0733F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(202,X'0291C6B59E9FF5CEB7F1010402050000000100053321D4306D1D0D400100010005070E68E90AB6913F01000100050000000000000000010001C0E4BBB00D0500000000000000000000');
INSERT INTO "unit_journal" VALUES(203,X'02C694AEDBC095B6C3920104020500000001000278B3092AB66AF63F0100010002444B1E4FCB0F7C3F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(204,X'02A2E2E493D4DFEFF5B7010404050000000100035021F6EC881A034001000100039AEFE0270EA07F3F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(205,X'02D4E89AA2EEA1CDCB49040205000000010006FA19F9BF1D341140010001000621EBA9D55757953F01000100060000000000000000010001C0E4BBB00D0600000000000000000000');
INSERT INTO "unit_journal" VALUES(206,X'0286AFFBF8C2D4BF81290402050000000100066FD1CFC8FFED1040010001000679E57ADB4C85983F01000100060000000000000000010001C0E4BBB00D0600000000000000000000');
INSERT INTO "unit_journal" VALUES(207,X'02A2E2E493D4DFEFF5B7010404050000000100046A2C4891B678094001000100040A850838842A853F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(208,X'02C78FD2A6DCFDF3CD82010404050000000100064F21F6EC881A134001000100065B087250C24C8B3F01000100060000000000000000010001C0E4BBB00D0600000000000000000000');
INSERT INTO "unit_journal" VALUES(209,X'02D4858DC6B6F7C1C429040205000000010003EDCF512FEF830140010001000358CB9D996038873F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(210,X'02B0DCEADBB8E38FA87C0402050000000100057C9247584B130D40010001000507B0C8AF1F62933F01000100050000000000000000010001C0E4BBB00D0500000000000000000000');
INSERT INTO "unit_journal" VALUES(211,X'02F8E4D0D191FAA8C216040205000000010004CA3CD4B99C1E0740010001000488F8872D3D9A9A3F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(212,X'02A3E792A195849F849701040405000000010007DC261FBF9F4916400100010007B5C35F9335EA913F01000100070000000000000000010001C0E4BBB00D0700000000000000000000');
INSERT INTO "unit_journal" VALUES(213,X'02F4EC91E8AC92E2C0F801040205000000010004F5B18B90A50007400100010004444FCAA48636903F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(214,X'02C694AEDBC095B6C3920104020500000001000351D513782ADA00400100010003FB58C16F438C873F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(215,X'02A0BC8FF994A696E5BA0104020500000001000326605CA121F8004001000100033C50A73CBA11863F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(216,X'02A0BC8FF994A696E5BA01040205000000010004BB5B6B04F19C0640010001000403098A1F63EE8A3F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(217,X'02A89CE8EBC8A391D11C0404050000000100026A2C4891B678F93F0100010002FB58C16F438C773F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(218,X'028DC1A4969DE9CEF0620404050000000100035021F6EC881A034001000100031AFCFD62B664853F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(219,X'02D1A1BEF7DEF8E3BF6904020500000001000BBE9F1A2FDDA41F40010001000B013620425C39A33F010001000B0000000000000000010001C0E4BBB00D0B00000000000000000000');
INSERT INTO "unit_journal" VALUES(220,X'02EAC781F6E1EFF6F62A04020500000001000550577A67C0410C400100010005772E8CF4A2768F3F01000100050000000000000000010001C0E4BBB00D0500000000000000000000');
INSERT INTO "unit_journal" VALUES(221,X'028DFC858FE4FBC7AEBB010404050000000100046A2C4891B67809400100010004C8D5C8AEB48C843F01000100040000000000000000010001C0E4BBB00D0400000000000000000000');
INSERT INTO "unit_journal" VALUES(222,X'02CFC7E4B7EFD7E2CFDB0104020500000001000274B00DF79496F73F0100010002682101A3CB9B933F01000100020000000000000000010001C0E4BBB00D0200000000000000000000');
INSERT INTO "unit_journal" VALUES(223,X'029BAEEEF0F9ECBAFAF4010404050000000100035021F6EC881A03400100010003D081E50819C8933F01000100030000000000000000010001C0E4BBB00D0300000000000000000000');
INSERT INTO "unit_journal" VALUES(224,X'02DD91D2AA84819582620402050000000100058AAD9AF374A50C4001000100050403081F4AB4943F01000100050000000000000000010001C0E4BBB00D0500000000000000000000');
INSERT INTO "unit_journal" VALUES(225,X'02A0BC8FF994A696E5BA0104020500000001000550577A67C0410C4001000100056EA818E76F42913F01000100050000000000000000010001C0E4BBB00D0500000000000000000000');
INSERT INTO "unit_journal" VALUES(226,X'02D88DA3F59A92E0F9300404050000000100035021F6EC881A03400100010003F394D5743D91134001000100030000000000000000010001C0E4BBB00D030000000000000840010002D2B6F2AAFEE388AA13040405010001B833D465F868FA3F010001000584379A35E4D60F4001000100054E9EB29AAE278A3F01000100050000000000000000010001C0E4BBB00D05000000000000F03F0100028AEDBBB681C5C0A012040205000000010004299D42BAC0DC074001000100044F04711E4E608A3F01000100040000000000000000010001C0E4BBB00D04000000000000F03F0101028DFC858FE4FBC7AEBB01040405010001B29D4873F14FF7BF01000100046A2C4891B67809400100010004C8D5C8AEB48C843F01000100040000000000000000010001C0E4BBB00D040000000000000040010102BCC1DAE3A7FDC9D0C90104020501000138711D50CFA5094001000100030864A0504CE4004001000100037BBB25396057833F01000100030000000000000000010001C0E4BBB00D030000000000000000010102B1AF9BF5A5A897D436040205010001CE2FFCB49BD10CC001000100079934289D42BA14400100010007ECBC8DCD8E54AF3F01000100070000000000000000010001C0E4BBB00D07000000000000F03F01000294C1B9C8B0FDADC8980104020500000001000274B00DF79496F73F0100010002A8A624EB7074753F01000100020000000000000000010001C0E4BBB00D02000000000000000001010289B7948DFBFBFB81430402050100029F90DEF32AE80AC0010001000222C99A7CA4A6F63F0100010002DAAF3BDD79E2893F01000100020000000000000000010001C0E4BBB00D02000000000000F03F010102C78FD2A6DCFDF3CD8201040405010001BEFFBB1EEAB7F0BF01000100064F21F6EC881A134001000100065B087250C24C8B3F01000100060000000000000000010001C0E4BBB00D060000000000000040010102EBABBCF4F0D7E0CBE901040205010002DB5B1338C91700C00100010004805F26841AA6084001000100046C0BCF4BC5C68C3F01000100040000000000000000010001C0E4BBB00D040000000000000000010102D1A1BEF7DEF8E3BF69040205010002E0249622566413C0010001000BBE9F1A2FDDA41F40010001000B013620425C39A33F010001000B0000000000000000010001C0E4BBB00D0B0000000000000840010002DCDA9BD183FCEEDD9E01040205000000010005413C27CC96AF0C400100010005D79FC4E74EB09F3F01000100050000000000000000010001C0E4BBB00D050000000000000040010102DD91D2AA8481958262040205010001804414D06736F8BF01000100058AAD9AF374A50C4001000100050403081F4AB4943F01000100050000000000000000010001C0E4BBB00D0500000000000008400100028681B2D6DF87CEB20C040205010001CCED6F94C347F2BF010001000153EE3B8C3D93E63F010001000117D4B7CCE9B2683F01000100010000000000000000010001C0E4BBB00D010000000000000000000002D28393B1AFC584E5A90104040501000178055F1DFE230F4001000100046A2C4891B678094001000100046246787B1002823F01000100040000000000000000010001C0E4BBB00D040000000000000000010102D592D4F6ED86E6D85404040501000192D4C5FA01160DC0010001000584379A35E4D60F400100010005029F1F46088F863F01000100050000000000000000010001C0E4BBB00D050000000000000840010002EBA9A1FF88C2C1E12104020500000001000178B3092AB66AE63F0100010001A0FB7266BB426F3F01000100010000000000000000010001C0E4BBB00D01000000000000F03F010002BCAEEBC3CBD9E8F7180404050100019412EBE18FA9F73F01000100026A2C4891B678F93F01000100026551D845D1036F3F01000100020000000000000000010001C0E4BBB00D020000000000000000000002F4EC91E8AC92E2C0F801040205000000010004F5B18B90A50007400100010004444FCAA48636903F01000100040000000000000000010001C0E4BBB00D04000000000000F03F010102F1DBB4CCDFAEFDE7B401040205010001803B50A8395C0840010001000153EE3B8C3D93E63F0100010001889D29745E63673F01000100010000000000000000010001C0E4BBB00D010000000000000000000002A9CD98FD888CCBD44D0402050100025C0934C2472207C001000100049E25C5CD9D780740010001000460360186E5CF873F01000100040000000000000000010001C0E4BBB00D040000000000000040010002A3E792A195849F849701040405010001800CB9FFFCA3ED3F0100010007DC261FBF9F4916400100010007B5C35F9335EA913F01000100070000000000000000010001C0E4BBB00D070000000000000000010102E0C4F1C3DA96A5F4FF0104020500000001000290E6B32DE8BAF63F0100010002B0CA85CABF96773F01000100020000000000000000010001C0E4BBB00D02000000000000F03F0100028C99A3CC818CD7CCE40104020501000180EBD0658563C63F01000100031AE7601BEE290140010001000366D828EB3713833F01000100030000000000000000010001C0E4BBB00D03000000000000000000000286AFFBF8C2D4BF81290402050000000100066FD1CFC8FFED1040010001000679E57ADB4C85983F01000100060000000000000000010001C0E4BBB00D060000000000000040010102D4E89AA2EEA1CDCB49040205010001D020AB79C32F05C00100010006FA19F9BF1D341140010001000621EBA9D55757953F01000100060000000000000000010001C0E4BBB00D060000000000000040010002B7A093E0FBE9F6ED04040405010001406198205571E73F0100010007DC261FBF9F49164001000100075A66118AADA0993F01000100070000000000000000010001C0E4BBB00D070000000000000000000002A2DBD6D9DBF193D416040205010001D0259F36784BF2BF0100010006D945C852001B11400100010006D8868A71FE26943F01000100060000000000000000010001C0E4BBB00D060000000000000040010002AB93EADFF4FBBDFA700402050100015982D097BB1E10C00100010004D8B5CF3FD0EC064001000100044D49D6E1E82A8D3F01000100040000000000000000010001C0E4BBB00D04000000000000F03F010002D4858DC6B6F7C1C429040205010001A1C049FDD6460BC00100010003EDCF512FEF830140010001000358CB9D996038873F01000100030000000000000000010001C0E4BBB00D03000000000000F03F010002C3CCB1BBDAC8AAD5A701040205000000010004AC401869C70A0740010001000479758E01D9EB8D3F01000100040000000000000000010001C0E4BBB00D04000000000000F03F010102929581E8FDA8A589DB010402050000000100030864A0504CE400400100010003A2630795B88E813F01000100030000000000000000010001C0E4BBB00D0300000000000000400100028D9E83F7FAE9D7D3AF0104020501000140C38C06006C12C00100010001CDDE2BCF92E2E63F01000100012B84D558C2DA683F01000100010000000000000000010001C0E4BBB00D010000000000000000000002B0DCEADBB8E38FA87C0402050000000100057C9247584B130D40010001000507B0C8AF1F62933F01000100050000000000000000010001C0E4BBB00D05000000000000F03F01010291D498ABF09CF3FBBF0104040501000253F4102071381040010001000584379A35E4D60F4001000100057FF964C57075903F01000100050000000000000000010001C0E4BBB00D05000000000000F03F01000284D9F9B5C99DC693B801040205010002B4F261E3B1B8FE3F01000100049E25C5CD9D7807400100010004342C465D6BEF933F01000100040000000000000000010001C0E4BBB00D04000000000000F03F010102EBA7C3DCECE5F2C9BA01040205010002481A747A09FF21C0010001000236B89555EA6EF73F010001000248C153C8957A763F01000100020000000000000000010001C0E4BBB00D020000000000000000000002DFA997E2B1D8F1BCFF0104020500000001000342BAC0DC004801400100010003789D0DF96706913F01000100030000000000000000010001C0E4BBB00D03000000000000F03F010002B9C7EFBBF88794B81C04020501000160CEF427A214D3BF010001000278B3092AB66AF63F010001000206F357C85C19843F01000100020000000000000000010001C0E4BBB00D02000000000000000001010292D9AEAD9BCBC7B0510402050100020AC0215CF34AFC3F010001000222C99A7CA4A6F63F0100010002DFDDCA129D65763F01000100020000000000000000010001C0E4BBB00D02000000000000F03F0100028DDF8ED4F5D3FDCB31040205000000010005123B44C189EE0D40010001000584471B47ACC5973F01000100050000000000000000010001C0E4BBB00D05000000000000F03F0100029BE99F96EC86BBBD7204040501000140609ECEFC0EF4BF010001000584379A35E4D60F4001000100055587DC0C37E0833F01000100050000000000000000010001C0E4BBB00D05000000000000F03F010102A89CE8EBC8A391D11C0404050000000100026A2C4891B678F93F0100010002FB58C16F438C773F01000100020000000000000000010001C0E4BBB00D02000000000000000001010291C6B59E9FF5CEB7F101040205010001F4B77AFAB4D40BC001000100053321D4306D1D0D400100010005070E68E90AB6913F01000100050000000000000000010001C0E4BBB00D05000000000000F03F0100028DC1A4969DE9CEF062040405010002E03528476C74D6BF01000100035021F6EC881A034001000100031AFCFD62B664853F01000100030000000000000000010001C0E4BBB00D03000000000000F03F0100028EBEF7ADF5E3BBA52904020501000170BFADD111F7F4BF010001000236B89555EA6EF73F01000100027C478D093197743F01000100020000000000000000010001C0E4BBB00D020000000000000000000002A0BC8FF994A696E5BA0104020500000001000550577A67C0410C4001000100056EA818E76F42913F01000100050000000000000000010001C0E4BBB00D05000000000000F03F010002C694AEDBC095B6C39201040205010002083676E79272F63F010001000351D513782ADA00400100010003FB58C16F438C873F01000100030000000000000000010001C0E4BBB00D03000000000000F03F010102A2E2E493D4DFEFF5B7010404050100010EA4C7D7F0D0114001000100046A2C4891B678094001000100040A850838842A853F01000100040000000000000000010001C0E4BBB00D040000000000000000000002CFC7E4B7EFD7E2CFDB01040205010001F089CC701AEAFB3F010001000274B00DF79496F73F0100010002682101A3CB9B933F01000100020000000000000000010001C0E4BBB00D0200000000000000000000029BAEEEF0F9ECBAFAF4010404050000000100035021F6EC881A03400100010003D081E50819C8933F01000100030000000000000000010001C0E4BBB00D03000000000000F03F0100');
INSERT INTO "unit_journal" VALUES(227,X'02BCC1DAE3A7FDC9D0C9010402050100016228AAFD13F10AC001000100030864A0504CE4004001000100037BBB25396057833F01000100030000000000000000010001C0E4BBB00D03000000000000000001010289B7948DFBFBFB8143040205010002649682EC63DB15C0010001000222C99A7CA4A6F63F0100010002DAAF3BDD79E2893F01000100020000000000000000010001C0E4BBB00D02000000000000F03F0101028681B2D6DF87CEB20C040205010001E67EE9AC32DF10C0010001000153EE3B8C3D93E63F010001000117D4B7CCE9B2683F01000100010000000000000000010001C0E4BBB00D010000000000000000000002F1DBB4CCDFAEFDE7B401040205010001869788A09AF11240010001000153EE3B8C3D93E63F0100010001889D29745E63673F01000100010000000000000000010001C0E4BBB00D010000000000000000000002A3E792A195849F849701040405010001587B4FCC0F1BFEBF0100010007DC261FBF9F4916400100010007B5C35F9335EA913F01000100070000000000000000010001C0E4BBB00D070000000000000000010102AB93EADFF4FBBDFA7004020501000166CA54233A5901C00100010004D8B5CF3FD0EC064001000100044D49D6E1E82A8D3F01000100040000000000000000010001C0E4BBB00D04000000000000F03F010002D28393B1AFC584E5A901040405010001602DAE702C6F014001000100046A2C4891B678094001000100046246787B1002823F01000100040000000000000000010001C0E4BBB00D040000000000000000010102B9C7EFBBF88794B81C040205010001FC583E82E1C104C0010001000278B3092AB66AF63F010001000206F357C85C19843F01000100020000000000000000010001C0E4BBB00D020000000000000000010102EBABBCF4F0D7E0CBE901040205010002D19EBEFD55E605400100010004805F26841AA6084001000100046C0BCF4BC5C68C3F01000100040000000000000000010001C0E4BBB00D0400000000000000000101029BE99F96EC86BBBD72040405010001A86FF1B25131E6BF010001000584379A35E4D60F4001000100055587DC0C37E0833F01000100050000000000000000010001C0E4BBB00D05000000000000F03F01010284D9F9B5C99DC693B80104020501000230ED2ACBEDD9E1BF01000100049E25C5CD9D7807400100010004342C465D6BEF933F01000100040000000000000000010001C0E4BBB00D04000000000000F03F010102D4E89AA2EEA1CDCB490402050100019E32D00C505706400100010006FA19F9BF1D341140010001000621EBA9D55757953F01000100060000000000000000010001C0E4BBB00D0600000000000000400100028EBEF7ADF5E3BBA529040205010001346AD5A9BA3312C0010001000236B89555EA6EF73F01000100027C478D093197743F01000100020000000000000000010001C0E4BBB00D020000000000000000000002C694AEDBC095B6C3920104020501000218CBCEE1AB531A40010001000351D513782ADA00400100010003FB58C16F438C873F01000100030000000000000000010001C0E4BBB00D03000000000000F03F0101028DC1A4969DE9CEF06204040501000280D5621FA57FCE3F01000100035021F6EC881A034001000100031AFCFD62B664853F01000100030000000000000000010001C0E4BBB00D03000000000000F03F0100');
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
INSERT INTO "versions" VALUES(1,'model-ffb95ae1efd8','sentiment','1.0.0','',0.8,'{}','{"type":"sentiment","method":"vader"}','active',70.0,1795651973117380,1795651973129120,NULL,NULL);
INSERT INTO "versions" VALUES(2,'model-dc589a6a19b6','sentiment','2.0.0','',0.8,'{}','{"type":"sentiment","method":"afinn"}','active',30.0,1795651973119555,1795651973161608,NULL,NULL);
INSERT INTO "versions" VALUES(3,'model-228ac1fd4246','sentiment','3.0.0','',0.8,'{}','{"type":"sentiment","method":"vader"}','inactive',0.0,1795651973120815,NULL,NULL,NULL);
INSERT INTO "versions" VALUES(4,'model-702735a1e194','other','1','',0.8,'{}','{"type":"sentiment","method":"vader"}','inactive',0.0,1795651973127502,NULL,NULL,NULL);
INSERT INTO "versions" VALUES(5,'model-d370087ec89c','sentiment','unreachable','',0.8,'{}','{"type":"http","url":"http://model:99999/","body":"json","prediction_pointer":"/prediction","connect_timeout_ms":1000,"timeout_ms":10000,"max_reply_bytes":1048576,"probe":"This is a probe."}','inactive',0.0,1795651973417844,NULL,NULL,NULL);
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
INSERT INTO "webhooks" VALUES(1,'hook-7b8295f8216e',NULL,'https://example.com/hook','whsec_MgRpDOkZi8rOyVXjYSHFZAdLTpj8Iq/5d5zBwrpm514=',1795651973426859,11,0,0,NULL,0);
CREATE UNIQUE INDEX versions_by_name ON versions (name, version) WHERE deleted_at IS NULL;
CREATE INDEX audit_by_name ON audit (name, id);
CREATE INDEX audit_by_experiment ON audit (experiment_key, id) WHERE experiment_key IS NOT NULL;
CREATE TRIGGER audit_is_never_updated BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE INDEX rollups_by_version ON rollups (version_key);
CREATE UNIQUE INDEX one_experiment_runs ON experiments (name) WHERE status = 'running';
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('versions',5);
INSERT INTO "sqlite_sequence" VALUES('audit',12);
INSERT INTO "sqlite_sequence" VALUES('experiments',1);
INSERT INTO "sqlite_sequence" VALUES('webhooks',1);
COMMIT;
PRAGMA user_version = 4;
