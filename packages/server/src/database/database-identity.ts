import type { Queryable } from './pool.ts';

/**
 * Identifies the database of a session: a primary and its standbys have the same identity, and so has a
 * standby that was promoted. Two clusters never have, nor two databases of one cluster.
 */
export async function readDatabaseIdentity(database: Queryable): Promise<string> {
  const { rows } = await database.query<{ identity: string }>(
    `SELECT (pg_control_system()).system_identifier::text || '/' || oid AS identity
     FROM pg_database WHERE datname = current_database()`,
  );
  const [row] = rows;
  if (!row) throw new Error('the database said nothing of itself');
  return row.identity;
}
