/** The SQL of exports, as pure text. Parameters are named in each docstring. */
import type { ExportEvent } from './lifecycle.ts';
import { transition } from './lifecycle.ts';

const RECORD = `
  e.id, e.merchant_id AS "merchantId", e.app_id AS "appId", e.type, e.status,
  e.percent_complete AS "percentComplete", e.start_time AS "startTime", e.end_time AS "endTime",
  e.created_time AS "createdTime", e.modified_time AS "modifiedTime",
  e.available_until AS "availableUntil", e.attempt, e.failure_code AS "failureCode",
  e.files_deleted AS "filesDeleted", e.format, e.objects_per_file AS "objectsPerFile",
  e.snapshot_time AS "snapshotTime", e.since_number AS "sinceNumber", e.cursor, tillroll.now_ms() AS now`;

const STATEMENT = 'e.source_pid AS "sourcePid", e.source_started AS "sourceStarted"';

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

/** $1 installs[], $2 exports[]: for each pair what `read_export` finds, in their order. */
export const poll = `
  SELECT tillroll.read_export(asked.install, asked.export) AS found
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked(install, export, n) ORDER BY asked.n`;

/** $1 export, $2 position: one file, for a caller whom a signed URL has authorised already. */
export const readFile = `
  SELECT e.merchant_id AS "merchantId", e.app_id AS "appId", e.status, e.attempt,
    e.available_until AS "availableUntil", e.files_deleted AS "filesDeleted", e.format,
    tillroll.now_ms() AS now,
    f.objects, f.bytes, f.compressed_bytes AS "compressedBytes", f.sha256,
    f.stored_etag AS "storedEtag"
  FROM tillroll.exports e
  JOIN tillroll.export_files f ON f.export_id = e.id AND f.position = $2
  WHERE e.id = $1`;

/** $1 merchant, $2 app or null for all: the last moment at which one of their files can be downloaded. */
export const lastAvailable = `
  SELECT max(available_until) AS until FROM tillroll.exports
  WHERE merchant_id = $1 AND ($2::text IS NULL OR app_id = $2)
    AND status = 'DONE' AND NOT files_deleted AND available_until > tillroll.now_ms()`;

/** $1 exports[]: what decides whether those who wait for them are answered. */
export const readStates = `
  SELECT e.id, e.status, e.percent_complete AS "percentComplete", e.modified_time AS "modifiedTime",
    e.attempt, e.available_until AS "availableUntil", e.files_deleted AS "filesDeleted", e.objects,
    tillroll.now_ms() AS now
  FROM tillroll.exports e WHERE e.id = ANY ($1)`;

/** $1 export, which is open: its place and its pace, with what the pace of others was lately. */
export const readProgress = `
  SELECT e.status, e.objects, e.percent_complete AS "percentComplete",
    tillroll.now_ms() - e.started_time AS "elapsedMs", tillroll.now_ms() AS now,
    (SELECT count(*) FROM tillroll.exports o
     WHERE e.status = 'PENDING' AND o.status = 'PENDING'
       AND (o.turn_time, o.sequence) < (e.turn_time, e.sequence))::int AS "queuePosition",
    (SELECT count(*) FROM tillroll.exports o WHERE o.status = 'IN_PROGRESS')::int AS running,
    (SELECT avg(d.took) FROM (
       SELECT o.modified_time - o.started_time AS took FROM tillroll.exports o
       WHERE o.status = 'DONE' ORDER BY o.created_time DESC, o.sequence DESC LIMIT 20) d)::float AS "usualMs"
  FROM tillroll.exports e WHERE e.id = $1 AND e.status IN ('PENDING', 'IN_PROGRESS')`;

/** Objects a millisecond of the last exports that had many. */
export const readPace = `
  SELECT sum(objects) / nullif(sum(took), 0)::float AS pace FROM (
    SELECT o.objects, o.modified_time - o.started_time AS took FROM tillroll.exports o
    WHERE o.status = 'DONE' AND o.objects >= 1000
    ORDER BY o.created_time DESC, o.sequence DESC LIMIT 20) last`;

/**
 * $1 merchant, $2 app, $3 types, $4 limit, $5 offset; each null for all: $6 status, $7 created since, $8 created before
 */
export const list = `
  SELECT ${RECORD} FROM tillroll.exports e
  WHERE e.merchant_id = $1 AND e.app_id = $2 AND e.type = ANY ($3)
    AND ($6::text IS NULL OR e.status = $6)
    AND ($7::bigint IS NULL OR e.created_time >= $7) AND ($8::bigint IS NULL OR e.created_time < $8)
  ORDER BY e.created_time DESC, e.sequence DESC LIMIT $4 OFFSET $5`;

/**
 * $1 merchant, $2 app. Under the create lock the counts are exact. Both sides read a partial index: of
 * the open exports, whose number is bounded, and the ends of the apps that are installed.
 */
export const countOpen = `
  SELECT count(*)::int AS total,
    (count(*) FILTER (WHERE merchant_id = $1))::int AS "ofMerchant",
    (count(*) FILTER (WHERE app_id = $2))::int AS "ofApp",
    (SELECT min(app_id) FROM tillroll.installs WHERE revoked_time IS NULL) <
      (SELECT max(app_id) FROM tillroll.installs WHERE revoked_time IS NULL) AS "hasSeveralApps",
    tillroll.now_ms() AS now
  FROM tillroll.exports WHERE status IN ('PENDING', 'IN_PROGRESS')`;

/** The open exports of all, from a partial index of those alone. */
export const measureOpen = `
  SELECT (count(*) FILTER (WHERE status = 'PENDING'))::int AS pending,
    (count(*) FILTER (WHERE status = 'IN_PROGRESS'))::int AS "inProgress",
    coalesce(tillroll.now_ms() - min(created_time), 0) AS "oldestMs"
  FROM tillroll.exports WHERE status IN ('PENDING', 'IN_PROGRESS')`;

/** $1 merchant or null for all, $2 app or null for all: how far the running exports are. */
export const openProgress = `
  SELECT percent_complete AS "percentComplete", tillroll.now_ms() - started_time AS "elapsedMs"
  FROM tillroll.exports
  WHERE status = 'IN_PROGRESS' AND started_time IS NOT NULL
    AND ($1::text IS NULL OR merchant_id = $1) AND ($2::text IS NULL OR app_id = $2)`;

/** The turn of an export of a merchant that is about to be open, `clock.now` being the time. */
function nextTurn(merchant: string, turnMs: string): string {
  return `greatest(clock.now, (
      SELECT max(turn_time) + ${turnMs}::bigint FROM tillroll.exports
      WHERE merchant_id = ${merchant} AND status IN ('PENDING', 'IN_PROGRESS')))`;
}

/**
 * $1 id, $2 merchant, $3 app, $4 type, $5 start, $6 end, $7 job, $8 time between the turns of a merchant in ms, $9 format,
 * $10 objects per file, $11 for changes the number after which they are; then $5 and $6 count for nothing
 */
export const insert = `
  INSERT INTO tillroll.exports AS e
    (id, merchant_id, app_id, type, status, start_time, end_time, created_time, modified_time, job_id, turn_time,
     format, objects_per_file, since_number)
  SELECT $1, $2, $3, $4, 'PENDING', $5, CASE WHEN $11::bigint IS NULL THEN $6 ELSE clock.now END,
    clock.now, clock.now, $7, ${nextTurn('$2', '$8')}, $9, $10, $11
  FROM (SELECT tillroll.now_ms() AS now) clock
  RETURNING e.turn_time AS "turnTime", ${RECORD}`;

/**
 * $1 id, $2 job, $3 worker. A take-over of an attempt that never ended counts as a loss. The statement
 * of the attempt before stays recorded until it is known to have ended.
 */
export const claim = `
  UPDATE tillroll.exports e SET
    status = ${target('claim')}, attempt = e.attempt + 1, worker = $3,
    interruptions = e.interruptions + (e.status = 'IN_PROGRESS')::int, objects = 0,
    started_time = tillroll.now_ms(), modified_time = tillroll.now_ms()
  FROM (SELECT worker FROM tillroll.exports WHERE id = $1 FOR UPDATE) before
  WHERE e.id = $1 AND e.job_id = $2 AND e.status IN ${states('claim')}
  RETURNING e.interruptions, before.worker AS "takenOverFrom", ${STATEMENT}, ${RECORD}`;

/** Tells whether a copy of the database has the table, and lets this role read it; null without the table. */
export const canReadExports = `
  SELECT pg_catalog.has_table_privilege(c.oid, 'SELECT') AS readable
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = 'tillroll' AND c.relname = 'exports'
    AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')`;

/** $1 id: whether a copy of the database has the export by now. */
export const hasExport = `
  SELECT EXISTS (SELECT FROM tillroll.exports WHERE id = $1) AS found`;

/** $1 id, $2 attempt. The position at the first call stays. */
export const recordWalPosition = `
  UPDATE tillroll.exports e SET wal_position = coalesce(wal_position, pg_current_wal_insert_lsn())
  WHERE ${current('complete')} RETURNING wal_position::text AS position`;

/** $1 id, $2 attempt, $3 pid, $4 start: what the current attempt is about to read with. */
export const recordStatement = `
  UPDATE tillroll.exports e SET source_pid = $3, source_started = $4
  WHERE ${current('complete')}`;

/** $1 id, $2 pid, $3 start: that statement has ended. Of a newer one it says nothing. */
export const forgetStatement = `
  UPDATE tillroll.exports SET source_pid = NULL, source_started = NULL
  WHERE id = $1 AND source_pid = $2 AND source_started = $3`;

/** Statements of exports that nobody runs any more. */
export const leftStatements = `
  SELECT e.id AS "exportId", ${STATEMENT} FROM tillroll.exports e
  WHERE e.source_pid IS NOT NULL AND e.status <> 'IN_PROGRESS' LIMIT 1000`;

/** $1 id, $2 attempt, $3 percent, $4 objects */
export const progress = `
  UPDATE tillroll.exports e SET
    percent_complete = greatest(percent_complete, $3), objects = $4,
    modified_time = CASE WHEN percent_complete < $3 THEN tillroll.now_ms() ELSE modified_time END
  WHERE ${current('complete')}`;

/**
 * $1 id, $2 attempt, $3 retention in ms, $4 what a poll shows of the files, JSON, $5 objects, $6 totals, $7 time of the
 * snapshot, $8 cursor
 */
export const complete = `
  UPDATE tillroll.exports e SET
    status = ${target('complete')}, percent_complete = 100, source_pid = NULL, source_started = NULL,
    modified_time = clock.now, available_until = clock.now + $3::bigint, files = $4::json,
    objects = $5, totals = $6, snapshot_time = $7, cursor = $8
  FROM (SELECT tillroll.now_ms() AS now) clock
  WHERE ${current('complete')}
  RETURNING available_until AS "availableUntil"`;

/**
 * $1 id, $2 objects[], $3 bytes[], $4 compressed[], $5 sha256[], $6 the store's ETags[], $7 kinds[]; empty where
 * there is none, because a role may read NULL in an array as a text (array_nulls).
 */
export const insertFiles = `
  INSERT INTO tillroll.export_files
    (export_id, position, objects, bytes, compressed_bytes, sha256, stored_etag, kind)
  SELECT $1, f.position - 1, f.objects, f.bytes, f.compressed, f.sha256, nullif(f.etag, ''), nullif(f.kind, '')
  FROM unnest($2::int[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[])
    WITH ORDINALITY AS f(objects, bytes, compressed, sha256, etag, kind, position)`;

/** $1 id, $2 attempt, $3 the next job, $4 code of the error, $5 the error */
export const retry = `
  UPDATE tillroll.exports e SET
    status = ${target('retry')}, errors = errors + 1, job_id = $3, last_error_code = $4, last_error = $5,
    last_error_time = tillroll.now_ms(), modified_time = tillroll.now_ms()
  WHERE ${current('retry')} RETURNING errors AS count, turn_time AS "turnTime"`;

/** $1 id, $2 attempt, $3 the next job */
export const release = `
  UPDATE tillroll.exports e SET
    status = ${target('release')}, interruptions = interruptions + 1, job_id = $3, modified_time = tillroll.now_ms()
  WHERE ${current('release')} RETURNING interruptions AS count, turn_time AS "turnTime"`;

/** $1 id, $2 attempt, $3 code */
export const fail = `
  UPDATE tillroll.exports e SET
    status = ${target('fail')}, failure_code = $3, modified_time = tillroll.now_ms()
  WHERE ${current('fail')}`;

/** $1 id */
export const cancel = `
  UPDATE tillroll.exports e SET status = ${target('cancel')}, modified_time = tillroll.now_ms()
  WHERE e.id = $1 AND e.status IN ${states('cancel')}
  RETURNING e.id AS "exportId", ${STATEMENT}`;

/** $1 id: its files are to go now, and nothing can be downloaded any more. */
export const endAvailability = `
  UPDATE tillroll.exports e SET available_until = clock.now, modified_time = clock.now
  FROM (SELECT tillroll.now_ms() AS now) clock
  WHERE e.id = $1 AND e.status IN ${states('delete')} AND e.available_until > clock.now
  RETURNING e.attempt`;

/**
 * $1 id, $2 the next job, $3 time between the turns of a merchant in ms. Errors and interruptions are counted from 0 again. The number of the attempt goes on, and
 * with it the names of the files. The percentage stays: clients were told that it never goes down.
 */
export const reopen = `
  UPDATE tillroll.exports e SET
    status = ${target('reopen')}, errors = 0, interruptions = 0, failure_code = NULL, job_id = $2,
    modified_time = clock.now, turn_time = ${nextTurn('e.merchant_id', '$3')}
  FROM (SELECT tillroll.now_ms() AS now) clock
  WHERE e.id = $1 AND e.status IN ${states('reopen')}
  RETURNING turn_time AS "turnTime"`;

/** $1 id. Only after the files are gone, and only once the moment has come. */
export const expire = `
  UPDATE tillroll.exports e SET files_deleted = true
  WHERE e.id = $1 AND e.status IN ${states('expire')} AND e.available_until <= tillroll.now_ms()`;

/** $1 id: attempt whose files must stay, if any. */
export const findRetainedAttempt = `
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
  WHERE e.merchant_id = $1 AND e.status IN ${states('cancel')}
  RETURNING e.id AS "exportId", ${STATEMENT}`;

/** $1 merchant */
export const listMerchantExports =
  'SELECT id, job_id AS "jobId" FROM tillroll.exports WHERE merchant_id = $1';

/** $1 ids[] */
export const deleteExports = 'DELETE FROM tillroll.exports WHERE id = ANY($1)';

/** $1 age in ms: exports that ended so long ago, and whose files are gone if they had any. */
export const forgettable = `
  SELECT id FROM tillroll.exports
  WHERE status IN ('DONE', 'FAILED', 'CANCELED') AND (status <> 'DONE' OR files_deleted)
    AND modified_time <= tillroll.now_ms() - $1::bigint
  ORDER BY modified_time LIMIT 100`;

/** $1 id. The row of an export that has ended, and its manifest. */
export const forget = `
  DELETE FROM tillroll.exports WHERE id = $1 AND status IN ('DONE', 'FAILED', 'CANCELED')`;

/** All files of finished exports are given up: their store is gone. */
export const giveUpFiles = `
  UPDATE tillroll.exports SET
    files_deleted = true, available_until = least(available_until, tillroll.now_ms())
  WHERE status = 'DONE' AND NOT files_deleted`;
