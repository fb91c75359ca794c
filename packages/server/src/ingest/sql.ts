/** The SQL of loading and purging, as pure text. Table and column names come from `relations.ts` alone. */
import { IDS, type Relation } from './relations.ts';

/** Lives as long as the transaction: behind a pooler, the next one may be another client's. */
export function createStaging(relation: Relation): string {
  const columns = relation.columns.map(
    ({ name, kind }) => `${name} ${kind === 'text' ? 'text' : 'bigint'},`,
  );
  return `CREATE TEMP TABLE ${nameStagingTable(relation)} (
    line bigint NOT NULL, id text COLLATE "C" NOT NULL,
    created_time bigint NOT NULL, modified_time bigint NOT NULL,
    ${columns.join(' ')} object text NOT NULL
  ) ON COMMIT DROP`;
}

export function copyIntoStaging(relation: Relation): string {
  return `COPY ${nameStagingTable(relation)} FROM STDIN (FORMAT binary)`;
}

/** $1 lock, $2 table, $3 merchant */
export const lockMerge = "SELECT pg_advisory_xact_lock($1, hashtext($2 || ' ' || $3))";
export const tryLockMerge =
  "SELECT pg_try_advisory_xact_lock($1, hashtext($2 || ' ' || $3)) AS locked";

/** $1 merchant */
export const purgedTime =
  'SELECT purged_time AS "purgedTime" FROM tillroll.purges WHERE merchant_id = $1';

/** $1 merchant: PostgreSQL's clock, and the last purge that an upload which begins now has seen. */
export const beginLoad = `
  SELECT tillroll.now_ms() AS now,
    (SELECT purged_time FROM tillroll.purges WHERE merchant_id = $1) AS "purgedTime"`;

/** $1 merchant. A purge in the same millisecond as the one before is told apart from it. */
export const recordPurge = `
  INSERT INTO tillroll.purges AS p (merchant_id, purged_time) VALUES ($1, tillroll.now_ms())
  ON CONFLICT (merchant_id) DO UPDATE
  SET purged_time = greatest(excluded.purged_time, p.purged_time + 1)`;

/** $1 install: found, and kept from being revoked until the commit, or not found. */
export const holdInstall =
  'SELECT 1 FROM tillroll.installs WHERE id = $1 AND revoked_time IS NULL FOR SHARE';

/** Sorting whole objects to disk is what the planner picks for lack of statistics; a hash keeps their order. */
export const mergeSettings = "SET LOCAL enable_mergejoin = off; SET LOCAL work_mem = '64MB'";

/** $1 merchant, $2 type. Under the merge lock: the next number, which lasts with the transaction. */
export const nextNumber = `
  WITH head AS (
    INSERT INTO tillroll.change_heads AS h (merchant_id, type, last_number) VALUES ($1, $2, 1)
    ON CONFLICT (merchant_id, type) DO UPDATE SET last_number = h.last_number + 1
    RETURNING last_number
  ), marked AS (
    INSERT INTO tillroll.loads (merchant_id, type, number, mark, created_time)
    SELECT $1, $2, last_number, gen_random_uuid(), tillroll.now_ms() FROM head
  )
  SELECT last_number AS number FROM head`;

/**
 * $1 merchant, $2 type, $3 number. Each of these ids that is stored is deleted, and leaves a tombstone. Returns how many.
 */
export function deleteListed(relation: Relation): string {
  return `
  WITH deleted AS (
    DELETE FROM ${relation.table} t
    USING (SELECT DISTINCT id FROM ${nameStagingTable(IDS)}) s
    WHERE t.merchant_id = $1 AND t.id = s.id RETURNING t.id
  ), told AS (
    INSERT INTO tillroll.tombstones (merchant_id, type, id, load_number, deleted_time)
    SELECT $1, $2, id, $3, tillroll.now_ms() FROM deleted
  )
  SELECT count(*) AS deleted FROM deleted`;
}

/** $1 merchant, $2 type: after a purge, all cursors of before have missed deletions. */
export const raiseFloor = `
  UPDATE tillroll.change_heads SET floor_number = last_number WHERE merchant_id = $1 AND type = $2`;

/** $1 merchant */
export const deleteTombstones = 'DELETE FROM tillroll.tombstones WHERE merchant_id = $1';

/**
 * $1 merchant, $2 type, $3 number of this load. Inside one request the highest modifiedTime wins, on a tie the later line. A stored row
 * is replaced by one that is at least as new and differs. Returns one row of counts. Runs under the
 * merge lock, so that judging and writing see the same rows. An object that comes back takes its tombstone away.
 */
export function merge(relation: Relation): string {
  const { table } = relation;
  const staging = nameStagingTable(relation);
  const names = [
    'id',
    'created_time',
    'modified_time',
    ...relation.columns.map(({ name }) => name),
    'object',
  ];
  const replaced = names.filter((name) => name !== 'id');
  return `
  WITH winner AS (
    SELECT DISTINCT ON (id) line FROM ${staging} ORDER BY id, modified_time DESC, line DESC
  ), judged AS (
    SELECT s.line,
      CASE WHEN t.id IS NULL THEN 'inserted'
           WHEN s.modified_time < t.modified_time THEN 'stale'
           WHEN s.object = t.object THEN 'unchanged'
           ELSE 'updated' END AS verdict
    FROM winner
    JOIN ${staging} s USING (line)
    LEFT JOIN ${table} t ON t.merchant_id = $1 AND t.id = s.id
  ), inserted AS (
    INSERT INTO ${table} (merchant_id, load_number, ${names.join(', ')})
    SELECT $1, $3, ${names.map((name) => `s.${name}`).join(', ')}
    FROM ${staging} s JOIN judged USING (line) WHERE verdict = 'inserted'
    RETURNING id
  ), revived AS (
    DELETE FROM tillroll.tombstones d USING inserted i
    WHERE d.merchant_id = $1 AND d.type = $2 AND d.id = i.id
  ), updated AS (
    UPDATE ${table} t SET load_number = $3, ${replaced.map((name) => `${name} = s.${name}`).join(', ')}
    FROM ${staging} s JOIN judged USING (line)
    WHERE verdict = 'updated' AND t.merchant_id = $1 AND t.id = s.id
  )
  SELECT count(*) FILTER (WHERE verdict = 'inserted') AS inserted,
         count(*) FILTER (WHERE verdict = 'updated') AS updated,
         count(*) FILTER (WHERE verdict = 'unchanged') AS unchanged,
         count(*) FILTER (WHERE verdict = 'stale') AS stale
  FROM judged`;
}

function nameStagingTable(relation: Relation): string {
  return `pg_temp.${relation.table.replace('.', '_')}_staging`;
}

/** $1 merchant */
export function deleteObjects(relation: Relation): string {
  return `DELETE FROM ${relation.table} WHERE merchant_id = $1`;
}
