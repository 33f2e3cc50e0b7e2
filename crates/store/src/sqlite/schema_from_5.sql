-- Commands are decided on the state of a model, by how many changes it has had. Each change has one event, which
-- says which change it was; entries of releases before have no number, and are not replayed.
ALTER TABLE models ADD COLUMN changes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit ADD COLUMN change INTEGER;
