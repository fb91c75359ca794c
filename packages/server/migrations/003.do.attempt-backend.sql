-- The server's side of the statement that the current, or the last, attempt reads with: the worker that takes
-- the export over, or cancels it, ends that first. Null once it is known to have ended.
ALTER TABLE tillroll.exports
  ADD COLUMN source_pid integer,
  -- The start of its transaction, microseconds: a pooler's session outlives ours.
  ADD COLUMN source_started bigint;

-- Written every few seconds by every process: the proof that a session can write.
CREATE TABLE tillroll.pulse (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  beats bigint NOT NULL
);
INSERT INTO tillroll.pulse (beats) VALUES (0);
