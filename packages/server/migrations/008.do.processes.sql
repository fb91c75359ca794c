-- The processes that serve or work, each with a row of its own. A process writes it at its start and then every two
-- seconds, which is also the proof that it can write: the table of one row that it wrote for that goes.
CREATE TABLE tillroll.processes (
  id uuid PRIMARY KEY,
  role text NOT NULL,
  host text NOT NULL,
  pid integer NOT NULL,
  version text NOT NULL,
  started_time bigint NOT NULL,
  beat_time bigint NOT NULL
) WITH (fillfactor = 50);
DROP TABLE tillroll.pulse;

-- The last error that ended an attempt, for the operator: `failure_code` is set only once an export is FAILED.
ALTER TABLE tillroll.exports
  ADD COLUMN last_error_code text,
  ADD COLUMN last_error text,
  ADD COLUMN last_error_time bigint;

-- `exports list`, newest first.
CREATE INDEX exports_by_created ON tillroll.exports (created_time DESC, sequence DESC);
-- The last failures, for `status`.
CREATE INDEX exports_failed ON tillroll.exports (modified_time DESC) WHERE status = 'FAILED';

-- Programs of version 7 write `tillroll.pulse`.
UPDATE tillroll.schema_compatibility SET lowest_version = 8;
