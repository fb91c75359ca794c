import type { ExportEvent } from './lifecycle.ts';
import { transition } from './lifecycle.ts';

/** The statements of the `exports` family, as pure text. Parameters are named in each docstring. */

const RECORD = `
  e.id, e.merchant_id AS "merchantId", e.app_id AS "appId", e.type, e.status,
  e.percent_complete AS "percentComplete", e.start_time AS "startTime", e.end_time AS "endTime",
  e.created_time AS "createdTime", e.modified_time AS "modifiedTime",
  e.available_until AS "availableUntil", e.attempt, e.failure_code AS "failureCode",
  e.files_deleted AS "filesDeleted", tillroll.now_ms() AS now,
  coalesce((
    SELECT json_agg(json_build_object('objects', f.objects, 'bytes', f.bytes,
                                      'compressedBytes', f.compressed_bytes, 'sha256', f.sha256)
                    ORDER BY f.position)
    FROM tillroll.export_files f WHERE f.export_id = e.id
  ), '[]') AS files`;

function states(event: ExportEvent): string {
  return `(${transition(event)
    .from.map((status) => `'${status}'`)
    .join(', ')})`;
}

function target(event: ExportEvent): string {
  return `'${transition(event).to}'`;
}

/** Only the current attempt, and only while the event applies: $1 id, $2 attempt. */
function current(event: ExportEvent): string {
  return `e.id = $1 AND e.attempt = $2 AND e.status IN ${states(event)}`;
}

/** $1 merchant, $2 app, $3 id */
export const readByInstall = `
  SELECT ${RECORD} FROM tillroll.exports e
  WHERE e.merchant_id = $1 AND e.app_id = $2 AND e.id = $3`;

/** $1 id; for a caller whom a signed URL has authorised already. */
export const readById = `SELECT ${RECORD} FROM tillroll.exports e WHERE e.id = $1`;

/** $1 merchant, $2 app, $3 types, $4 limit, $5 offset */
export const list = `
  SELECT ${RECORD} FROM tillroll.exports e
  WHERE e.merchant_id = $1 AND e.app_id = $2 AND e.type = ANY ($3)
  ORDER BY e.created_time DESC, e.sequence DESC LIMIT $4 OFFSET $5`;

/** $1 merchant. Under the create lock the counts are exact. */
export const countOpen = `
  SELECT count(*)::int AS total, (count(*) FILTER (WHERE merchant_id = $1))::int AS "ofMerchant"
  FROM tillroll.exports WHERE status IN ('PENDING', 'IN_PROGRESS')`;

/** $1 merchant, or null for all: how far the running exports are. */
export const openProgress = `
  SELECT percent_complete AS "percentComplete", tillroll.now_ms() - started_time AS "elapsedMs"
  FROM tillroll.exports
  WHERE status = 'IN_PROGRESS' AND started_time IS NOT NULL AND ($1::text IS NULL OR merchant_id = $1)`;

/** $1 id, $2 merchant, $3 app, $4 type, $5 start, $6 end, $7 job */
export const insert = `
  INSERT INTO tillroll.exports AS e
    (id, merchant_id, app_id, type, status, start_time, end_time, created_time, modified_time, job_id)
  SELECT $1, $2, $3, $4, 'PENDING', $5, $6, clock.now, clock.now, $7
  FROM (SELECT tillroll.now_ms() AS now) clock
  RETURNING ${RECORD}`;

/** $1 id, $2 job. A take-over of an attempt that never ended counts as a loss. */
export const take = `
  UPDATE tillroll.exports e SET
    status = ${target('take')}, attempt = attempt + 1,
    losses = losses + (status = 'IN_PROGRESS')::int,
    started_time = tillroll.now_ms(), modified_time = tillroll.now_ms()
  WHERE e.id = $1 AND e.job_id = $2 AND e.status IN ${states('take')}
  RETURNING e.losses, ${RECORD}`;

/** $1 id, $2 attempt, $3 percent */
export const progress = `
  UPDATE tillroll.exports e SET
    percent_complete = greatest(percent_complete, $3),
    modified_time = CASE WHEN percent_complete < $3 THEN tillroll.now_ms() ELSE modified_time END
  WHERE ${current('complete')}`;

/** $1 id, $2 attempt, $3 retention in ms */
export const complete = `
  UPDATE tillroll.exports e SET
    status = ${target('complete')}, percent_complete = 100,
    modified_time = clock.now, available_until = clock.now + $3::bigint
  FROM (SELECT tillroll.now_ms() AS now) clock
  WHERE ${current('complete')}
  RETURNING available_until AS "availableUntil"`;

/** $1 id, $2 objects[], $3 bytes[], $4 compressed[], $5 sha256[] */
export const insertFiles = `
  INSERT INTO tillroll.export_files (export_id, position, objects, bytes, compressed_bytes, sha256)
  SELECT $1, f.position - 1, f.objects, f.bytes, f.compressed, f.sha256
  FROM unnest($2::int[], $3::bigint[], $4::bigint[], $5::text[])
    WITH ORDINALITY AS f(objects, bytes, compressed, sha256, position)`;

/** $1 id, $2 attempt, $3 the next job */
export const retry = `
  UPDATE tillroll.exports e SET
    status = ${target('retry')}, errors = errors + 1, job_id = $3, modified_time = tillroll.now_ms()
  WHERE ${current('retry')} RETURNING errors`;

/** $1 id, $2 attempt, $3 the next job */
export const handBack = `
  UPDATE tillroll.exports e SET
    status = ${target('handBack')}, losses = losses + 1, job_id = $3, modified_time = tillroll.now_ms()
  WHERE ${current('handBack')} RETURNING losses`;

/** $1 id, $2 attempt, $3 code */
export const fail = `
  UPDATE tillroll.exports e SET
    status = ${target('fail')}, failure_code = $3, modified_time = tillroll.now_ms()
  WHERE ${current('fail')}`;

/** $1 id */
export const cancel = `
  UPDATE tillroll.exports e SET status = ${target('cancel')}, modified_time = tillroll.now_ms()
  WHERE e.id = $1 AND e.status IN ${states('cancel')}`;

/** $1 id. Only after the files are gone, and only once the moment has come. */
export const expire = `
  UPDATE tillroll.exports e SET files_deleted = true
  WHERE e.id = $1 AND e.status IN ${states('expire')} AND e.available_until <= tillroll.now_ms()`;

/** $1 id: attempt whose files must stay, if any. */
export const keptAttempt = `
  SELECT attempt FROM tillroll.exports
  WHERE id = $1 AND (status = 'IN_PROGRESS' OR (status = 'DONE' AND available_until > tillroll.now_ms()))`;

/** Exports that are due but whose files were not deleted. */
export const overdue = `
  SELECT id FROM tillroll.exports
  WHERE status = 'DONE' AND NOT files_deleted AND available_until <= tillroll.now_ms() LIMIT 1000`;

/** $1 age in ms: open exports that nobody touched for so long. */
export const idle = `
  SELECT id, attempt, job_id AS "jobId" FROM tillroll.exports
  WHERE status IN ('PENDING', 'IN_PROGRESS') AND modified_time <= tillroll.now_ms() - $1::bigint LIMIT 1000`;

/** $1 merchant: ends what is open, so that a purge does not race with a worker. */
export const cancelMerchant = `
  UPDATE tillroll.exports e SET status = ${target('cancel')}, modified_time = tillroll.now_ms()
  WHERE e.merchant_id = $1 AND e.status IN ${states('cancel')}`;

/** $1 merchant */
export const exportsOfMerchant =
  'SELECT id, job_id AS "jobId" FROM tillroll.exports WHERE merchant_id = $1';

/** $1 ids[] */
export const deleteExports = 'DELETE FROM tillroll.exports WHERE id = ANY($1)';
