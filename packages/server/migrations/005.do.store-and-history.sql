-- The store of files that belongs to this database. `bound` says that the store has the id, too: until
-- then the row is only what the first process is about to write there.
CREATE TABLE tillroll.store (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  id text NOT NULL,
  bound boolean NOT NULL
);

-- Who runs, or last ran, an attempt: host, process and worker. For the log of the next attempt.
ALTER TABLE tillroll.exports ADD COLUMN worker text;

-- Finished exports by age, for the sweep that forgets them.
CREATE INDEX exports_ended ON tillroll.exports (modified_time)
  WHERE status IN ('DONE', 'FAILED', 'CANCELED');
