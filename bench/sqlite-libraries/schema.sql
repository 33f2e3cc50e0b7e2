CREATE TABLE predictions (
    prediction_order INTEGER PRIMARY KEY, random INTEGER NOT NULL, version_key INTEGER NOT NULL,
    served_key INTEGER, status INTEGER NOT NULL, reason INTEGER NOT NULL, epoch INTEGER NOT NULL,
    propensity REAL NOT NULL, unit_id TEXT, input_kind INTEGER NOT NULL, input TEXT NOT NULL,
    prediction TEXT, confidence REAL, latency_ns INTEGER NOT NULL, error TEXT
);
