-- Numbers of loads, by which changes are found. Every load of a merchant and type gets the next number under the lock
-- that lets one load run at a time, until its commit: numbers are without gaps and in commit order.
CREATE TABLE tillroll.change_heads (
  merchant_id text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL CHECK (type IN ('ORDERS', 'PAYMENTS')),
  -- The number of the last load, delete or purge.
  last_number bigint NOT NULL,
  -- Cursors below it may have missed a deletion: tombstones were dropped, or the objects purged without any.
  floor_number bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (merchant_id, type)
);

-- A random mark for each number. After a restore, or a failover to a server that lags, the same number is given again
-- with another mark: a cursor of before is noticed.
CREATE TABLE tillroll.loads (
  merchant_id text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  number bigint NOT NULL,
  mark uuid NOT NULL,
  created_time bigint NOT NULL,
  PRIMARY KEY (merchant_id, type, number)
);
CREATE INDEX loads_by_created ON tillroll.loads (created_time);

-- Objects that were deleted, so that those who follow changes hear of it.
CREATE TABLE tillroll.tombstones (
  merchant_id text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  load_number bigint NOT NULL,
  deleted_time bigint NOT NULL,
  PRIMARY KEY (merchant_id, type, id)
);
CREATE INDEX tombstones_by_load ON tillroll.tombstones (merchant_id, type, load_number, id);
CREATE INDEX tombstones_by_deleted ON tillroll.tombstones (deleted_time);

-- Of each object the last load that inserted or altered it; 0: one before there were numbers. A platform may have
-- views in the place of the tables: changes are then not offered.
DO $$
DECLARE
  relation text;
BEGIN
  FOREACH relation IN ARRAY ARRAY['orders', 'payments'] LOOP
    IF EXISTS (SELECT FROM pg_catalog.pg_class
               WHERE relnamespace = 'tillroll'::regnamespace AND relname = relation AND relkind IN ('r', 'p')) THEN
      EXECUTE format('ALTER TABLE tillroll.%I ADD COLUMN load_number bigint NOT NULL DEFAULT 0', relation);
      EXECUTE format('CREATE INDEX %I ON tillroll.%I (merchant_id, load_number, created_time, id)',
                     relation || '_by_load', relation);
    END IF;
  END LOOP;
END $$;

ALTER TABLE tillroll.exports
  -- Changes above this number; null for an export of a range of time.
  ADD COLUMN since_number bigint,
  -- For the next export of changes, once it is DONE.
  ADD COLUMN cursor text;

ALTER TABLE tillroll.export_files
  -- `deletions` for tombstones; null for objects.
  ADD COLUMN kind text CHECK (kind IN ('deletions'));

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
        'snapshotTime', e.snapshot_time, 'sinceNumber', e.since_number, 'cursor', e.cursor,
        'totals', e.totals, 'files', e.files, 'now', tillroll.now_ms()) END)
    FROM tillroll.installs i
    LEFT JOIN tillroll.exports e
      ON e.id = of_export AND e.merchant_id = i.merchant_id AND e.app_id = i.app_id
    WHERE i.id = of_install);
END $$;

-- Programs of a lower version load objects without a number: nobody would hear of them.
UPDATE tillroll.schema_compatibility SET lowest_version = 11;
