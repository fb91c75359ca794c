/** What an operator reads of all merchants' exports, as pure text. Parameters are named in each docstring. */

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

/** Who runs what: one row for each export that runs. */
export const listRunning = `
  SELECT id, worker FROM tillroll.exports WHERE status = 'IN_PROGRESS' ORDER BY created_time, sequence`;

/** $1 limit: exports that are FAILED, the last one first. */
export const listFailed = `
  SELECT ${OVERVIEW} FROM tillroll.exports e
  WHERE e.status = 'FAILED' ORDER BY e.modified_time DESC LIMIT $1`;

/** Numbers of open exports. */
export const countOpen = `
  SELECT count(*) FILTER (WHERE status = 'PENDING')::int AS pending,
    count(*) FILTER (WHERE status = 'IN_PROGRESS')::int AS "inProgress",
    count(*) FILTER (WHERE errors > 0)::int AS "withErrors"
  FROM tillroll.exports WHERE status IN ('PENDING', 'IN_PROGRESS')`;
