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
