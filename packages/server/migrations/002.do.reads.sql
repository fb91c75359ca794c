-- What a finished export shows of its files: a rendering of tillroll.export_files, made by the statement
-- that inserts those rows. Neither changes afterwards. A poll returns it as it is.
ALTER TABLE tillroll.exports ADD COLUMN files json;
-- Digests hardly compress; stored as they are, a poll does not inflate them.
ALTER TABLE tillroll.exports ALTER COLUMN files SET STORAGE EXTERNAL;
UPDATE tillroll.exports e SET files = coalesce((
    SELECT json_agg(json_build_object('objects', f.objects, 'bytes', f.bytes, 'sha256', f.sha256)
                    ORDER BY f.position)
    FROM tillroll.export_files f WHERE f.export_id = e.id), '[]')
  WHERE status = 'DONE';

-- A body that is bound now, not when it is called: whatever a role's search_path finds first.
CREATE OR REPLACE FUNCTION tillroll.now_ms() RETURNS bigint LANGUAGE sql VOLATILE
  RETURN floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint;

-- What a poll asks: the install that a token names, and the export if it belongs to that install's
-- merchant and app. The caller compares the secret. A function, because its plan is kept for as long as
-- the session without a named statement, which connection poolers do not allow: measured, planning the
-- same join anew took three quarters of a poll's time in PostgreSQL.
CREATE FUNCTION tillroll.read_export(of_install text, of_export text) RETURNS json
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
        'filesDeleted', e.files_deleted, 'files', e.files, 'now', tillroll.now_ms()) END)
    FROM tillroll.installs i
    LEFT JOIN tillroll.exports e
      ON e.id = of_export AND e.merchant_id = i.merchant_id AND e.app_id = i.app_id
    WHERE i.id = of_install);
END $$;

-- What creating an export counts: the open ones of a merchant, of an app and of all.
DROP INDEX tillroll.exports_open;
CREATE INDEX exports_open ON tillroll.exports (merchant_id, app_id)
  WHERE status IN ('PENDING', 'IN_PROGRESS');
-- Whether more than one app is installed: the first and the last of them.
CREATE INDEX installs_active ON tillroll.installs (app_id) WHERE revoked_time IS NULL;
