-- The layout of an export's files.
ALTER TABLE tillroll.exports
  ADD COLUMN format text NOT NULL DEFAULT 'json' CHECK (format IN ('json', 'jsonl')),
  ADD COLUMN objects_per_file integer NOT NULL DEFAULT 1000 CHECK (objects_per_file BETWEEN 1000 AND 1000000),
  -- Objects that the current attempt has read; once DONE, those that all files hold.
  ADD COLUMN objects bigint NOT NULL DEFAULT 0,
  -- Control totals as an answer shows them: text, because its integers may exceed 2^53.
  ADD COLUMN totals text,
  -- The moment of the database that all files show, epoch milliseconds.
  ADD COLUMN snapshot_time bigint;
ALTER TABLE tillroll.exports ALTER COLUMN totals SET STORAGE EXTERNAL;

-- The first answers to creates that had an Idempotency-Key, for 24 hours.
CREATE TABLE tillroll.idempotency_keys (
  merchant_id text COLLATE "C" NOT NULL,
  app_id text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  body_hash bytea NOT NULL,
  answer text NOT NULL,
  created_time bigint NOT NULL,
  PRIMARY KEY (merchant_id, app_id, key)
);
CREATE INDEX idempotency_keys_by_created ON tillroll.idempotency_keys (created_time);

-- Tells processes that requests wait in of every change that a poll would show.
CREATE FUNCTION tillroll.tell_of_export() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  PERFORM pg_notify('tillroll_exports', OLD.id);
  RETURN NULL;
END $$;
CREATE TRIGGER tell_of_export AFTER UPDATE ON tillroll.exports FOR EACH ROW
  WHEN (OLD.modified_time IS DISTINCT FROM NEW.modified_time OR OLD.status IS DISTINCT FROM NEW.status)
  EXECUTE FUNCTION tillroll.tell_of_export();

CREATE OR REPLACE FUNCTION tillroll.read_export(of_install text, of_export text) RETURNS json
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
BEGIN
  RETURN (
    SELECT json_build_object(
      'install', json_build_object(
        'id', i.id, 'merchantId', i.merchant_id, 'appId', i.app_id, 'permissions', i.permissions,
        'revokedTime', i.revoked_time, 'secretHash', encode(i.secret_hash, 'hex')),
      'export', CASE WHEN e.id IS NOT NULL THEN json_build_object(
        'id', e.id, 'merchantId', e.merchant_id, 'appId', e.app_id, 'type', e.type, 'status', e.status,
        'percentComplete', e.percent_complete, 'startTime', e.start_time, 'endTime', e.end_time,
        'createdTime', e.created_time, 'modifiedTime', e.modified_time,
        'availableUntil', e.available_until, 'attempt', e.attempt, 'failureCode', e.failure_code,
        'filesDeleted', e.files_deleted, 'format', e.format, 'objectsPerFile', e.objects_per_file,
        'snapshotTime', e.snapshot_time, 'totals', e.totals, 'files', e.files, 'now', tillroll.now_ms()) END)
    FROM tillroll.installs i
    LEFT JOIN tillroll.exports e
      ON e.id = of_export AND e.merchant_id = i.merchant_id AND e.app_id = i.app_id
    WHERE i.id = of_install);
END $$;
