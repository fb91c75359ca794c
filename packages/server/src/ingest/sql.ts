/** The SQL of loading and purging, as pure text. Table and column names come from `relations.ts` alone. */
import type { Relation } from './relations.ts';

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

/**
 * $1 merchant. Inside one request the highest modifiedTime wins, on a tie the later line. A stored row
 * is replaced by one that is at least as new and differs. Returns one row of counts. Runs under the
 * merge lock, so that judging and writing see the same rows.
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
    INSERT INTO ${table} (merchant_id, ${names.join(', ')})
    SELECT $1, ${names.map((name) => `s.${name}`).join(', ')}
    FROM ${staging} s JOIN judged USING (line) WHERE verdict = 'inserted'
  ), updated AS (
    UPDATE ${table} t SET ${replaced.map((name) => `${name} = s.${name}`).join(', ')}
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
