/** Runs the migrations, and checks the version of the schema. */
import { fileURLToPath } from 'node:url';
import { findErrorCode } from '../errors.ts';
import { LOCKS } from './locks.ts';
import type { Pool, PoolClient, Queryable } from './pool.ts';
import { inTransaction } from './transaction.ts';

const DIRECTORY = fileURLToPath(new URL('../../migrations/', import.meta.url));
const VERSION_TABLE = 'tillroll.schema_version';

/** The version that this program needs: the number of the newest migration. */
export const SCHEMA_VERSION = 9;

/** The version that the database has; 0 when nothing was ever migrated. */
export async function schemaVersion(database: Queryable): Promise<number> {
  const exists = await database.query<{ found: boolean }>(
    `SELECT to_regclass('${VERSION_TABLE}') IS NOT NULL AS found`,
  );
  if (!exists.rows[0]?.found) return 0;
  const result = await database.query<{ version: number }>(
    `SELECT coalesce(max(version), 0)::int AS version FROM ${VERSION_TABLE}`,
  );
  return result.rows[0]?.version ?? 0;
}

/** Why a schema of this version does not fit this program, or null when it does. */
function explainVersion(version: number): string | null {
  if (version === SCHEMA_VERSION) return null;
  return version < SCHEMA_VERSION
    ? `the schema is at version ${version} and this program needs ${SCHEMA_VERSION}: run "tillroll-server migrate"`
    : `the schema is at version ${version}, made by a newer Tillroll; this program knows ${SCHEMA_VERSION}: upgrade it`;
}

/** Why the schema does not fit this program, or null when it does. */
export async function schemaFault(database: Queryable): Promise<string | null> {
  return explainVersion(await schemaVersion(database));
}

const PERMISSION_DENIED = '42501';

/**
 * Brings the schema up to date, all of it in one transaction under one lock, so that processes which
 * start together do not meet half a schema. Does nothing, and needs no rights, when it is up to date.
 * @throws when the schema is newer, or this role may not change it.
 */
export async function migrate(pool: Pool): Promise<void> {
  const found = await schemaVersion(pool);
  if (found === SCHEMA_VERSION) return;
  if (found > SCHEMA_VERSION) throw new Error(explainVersion(found) ?? '');
  try {
    await migrateUnderLock(pool);
  } catch (error) {
    if (findErrorCode(error) !== PERMISSION_DENIED) throw error;
    throw new Error(`${explainVersion(found)} as a role that may create schemas`, { cause: error });
  }
}

async function migrateUnderLock(pool: Pool): Promise<void> {
  await inTransaction(pool, async (client) => {
    // An index on a big table takes its time.
    await client.query('SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0');
    await lockMigrations(client);
    const found = await schemaVersion(client);
    if (found > SCHEMA_VERSION) throw new Error(explainVersion(found) ?? '');
    await migrateTo(client, SCHEMA_VERSION);
  });
}

/** Keeps every other process from migrating until the transaction ends. */
export async function lockMigrations(client: PoolClient): Promise<void> {
  await client.query('SELECT pg_advisory_xact_lock($1)', [LOCKS.MIGRATE]);
}

/**
 * Brings the schema to a version that is not below the present one, within the caller's transaction and under
 * `lockMigrations`.
 */
export async function migrateTo(client: PoolClient, version: number): Promise<void> {
  await client.query('CREATE SCHEMA IF NOT EXISTS tillroll');
  // Loaded when used: nearly every start finds the schema up to date.
  const { default: Postgrator } = await import('postgrator');
  const postgrator = new Postgrator({
    migrationPattern: `${DIRECTORY}*.sql`,
    driver: 'pg',
    schemaTable: VERSION_TABLE,
    execQuery: (sql) => client.query(sql),
  });
  await postgrator.migrate(String(version));
}
