/** The SQL with which an operator reads all merchants' exports, as pure text. Parameters are named in each docstring. */

const OVERVIEW = `
  e.id, e.merchant_id AS "merchantId", e.app_id AS "appId", e.type, e.status,
  e.percent_complete AS "percentComplete", e.start_time AS "startTime", e.end_time AS "endTime",
  e.created_time AS "createdTime", e.started_time AS "startedTime", e.modified_time AS "modifiedTime",
  e.available_until AS "availableUntil", e.files_deleted AS "filesDeleted", e.attempt, e.errors, e.interruptions,
  e.worker, e.job_id AS "jobId", e.failure_code AS "failureCode", e.last_error_code AS "lastErrorCode",
  e.last_error AS "lastError", e.last_error_time AS "lastErrorTime", tillroll.now_ms() AS now`;

/** $1 merchant, $2 app, $3 status, each null for all; $4 limit. Newest first. */
export const list = `
  SELECT ${OVERVIEW} FROM tillroll.exports e
  WHERE ($1::text IS NULL OR e.merchant_id = $1) AND ($2::text IS NULL OR e.app_id = $2)
    AND ($3::text IS NULL OR e.status = $3)
  ORDER BY e.created_time DESC, e.sequence DESC LIMIT $4`;

/** $1 id */
export const read = `SELECT ${OVERVIEW} FROM tillroll.exports e WHERE e.id = $1`;

/** $1 id: totals of the files. */
export const readTotals = `
  SELECT count(*)::int AS files, coalesce(sum(objects), 0)::bigint AS objects,
    coalesce(sum(bytes), 0)::bigint AS bytes, coalesce(sum(compressed_bytes), 0)::bigint AS "storedBytes"
  FROM tillroll.export_files WHERE export_id = $1`;

/** $1 limit: open exports, those that run first, then the oldest. */
export const listOpen = `
  SELECT ${OVERVIEW} FROM tillroll.exports e
  WHERE e.status IN ('PENDING', 'IN_PROGRESS')
  ORDER BY e.status, e.created_time, e.sequence LIMIT $1`;

/** One row for each export that runs, with its worker. */
export const listRunning = `
  SELECT id, worker FROM tillroll.exports WHERE status = 'IN_PROGRESS' ORDER BY created_time, sequence`;

/** $1 limit: exports that are FAILED, the last one first. */
export const listFailed = `
  SELECT ${OVERVIEW} FROM tillroll.exports e
  WHERE e.status = 'FAILED' ORDER BY e.modified_time DESC LIMIT $1`;

/**
 * $1 number of attempts that may be missing. For exports of a backup: those that were open are released, and the next
 * attempt has a number that none had after the backup. Statements and workers are those of another server.
 */
export const releaseRestored = `
  UPDATE tillroll.exports SET
    status = 'PENDING', job_id = gen_random_uuid(), attempt = attempt + $1, worker = NULL,
    source_pid = NULL, source_started = NULL, modified_time = tillroll.now_ms()
  WHERE status IN ('PENDING', 'IN_PROGRESS')
  RETURNING id AS "exportId", job_id AS "jobId", turn_time AS "turnTime"`;

/** Statements, and positions in the write-ahead log, are those of another server, also of exports that ended. */
export const forgetServer = `
  UPDATE tillroll.exports SET source_pid = NULL, source_started = NULL, wal_position = NULL
  WHERE source_pid IS NOT NULL OR wal_position IS NOT NULL`;

/** $1 exports[], $2 attempts[] that the store has: DONE exports that have files, none of them there. */
export const giveUpMissing = `
  UPDATE tillroll.exports e SET
    files_deleted = true, available_until = least(available_until, tillroll.now_ms())
  WHERE e.status = 'DONE' AND NOT e.files_deleted
    AND EXISTS (SELECT FROM tillroll.export_files f WHERE f.export_id = e.id)
    AND NOT EXISTS (
      SELECT FROM unnest($1::text[], $2::int[]) AS stored(id, attempt)
      WHERE stored.id = e.id AND stored.attempt = e.attempt)`;

/** Numbers of open exports. */
export const countOpen = `
  SELECT count(*) FILTER (WHERE status = 'PENDING')::int AS pending,
    count(*) FILTER (WHERE status = 'IN_PROGRESS')::int AS "inProgress",
    count(*) FILTER (WHERE errors > 0)::int AS "withErrors"
  FROM tillroll.exports WHERE status IN ('PENDING', 'IN_PROGRESS')`;
