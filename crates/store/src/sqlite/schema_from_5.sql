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
