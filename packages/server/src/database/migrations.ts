/** Runs the migrations, and checks the version of the schema. */
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findErrorCode } from '../errors.ts';
import { withoutLimit } from './client.ts';
import { LOCKS } from './locks.ts';
import type { Pool, PoolClient, Queryable } from './pool.ts';
import { inTransaction } from './transaction.ts';

const DIRECTORY = fileURLToPath(new URL('../../migrations/', import.meta.url));
const VERSION_TABLE = 'tillroll.schema_version';

/** The version that this program needs: the number of the newest migration. */
export const SCHEMA_VERSION = 12;

/** Interval at which a process asks again while another one migrates. */
const ASK_AGAIN_MS = 200;

/** The schema's version, as a database states it. */
export interface Schema {
  /** The number of the newest migration; 0 when nothing was ever migrated. */
  readonly version: number;
  /** The lowest version whose programs can run on it. */
  readonly lowestVersion: number;
}

export async function readSchema(database: Queryable): Promise<Schema> {
  const exists = await database.query<{ found: boolean }>(
    `SELECT to_regclass('${VERSION_TABLE}') IS NOT NULL AS found`,
  );
  if (!exists.rows[0]?.found) return { version: 0, lowestVersion: 0 };
  const versions = await database.query<{ version: number }>(
    `SELECT coalesce(max(version), 0)::int AS version FROM ${VERSION_TABLE}`,
  );
  const version = versions.rows[0]?.version ?? 0;
  // Only a newer schema can know more than this program does.
  if (version <= SCHEMA_VERSION) return { version, lowestVersion: version };
  const compatibility = await database.query<{ lowestVersion: number }>(
    'SELECT lowest_version AS "lowestVersion" FROM tillroll.schema_compatibility',
  );
  return { version, lowestVersion: compatibility.rows[0]?.lowestVersion ?? version };
}

/** The reason why a schema does not fit this program, or null when it does. */
function explainSchema({ version, lowestVersion }: Schema): string | null {
  if (version < SCHEMA_VERSION) {
    return `the schema is at version ${version} and this program needs ${SCHEMA_VERSION}: run "tillroll-server migrate"`;
  }
  return lowestVersion <= SCHEMA_VERSION
    ? null
    : `the schema is at version ${version}, made by a newer Tillroll; this program knows ${SCHEMA_VERSION}: upgrade it`;
}

/** Reads the reason why the schema does not fit this program; null when it does. */
export async function schemaFault(database: Queryable): Promise<string | null> {
  return explainSchema(await readSchema(database));
}

const PERMISSION_DENIED = '42501';

/**
 * Brings the schema up to date. One process does so, all of it in one transaction; others that start meanwhile wait for
 * it, and hold no connection. Does nothing, and needs no rights, when the schema is up to date, or newer and fit for
 * this program.
 * @returns the schema. It is newer than this program when `version` is above `SCHEMA_VERSION`.
 * @throws when the schema is too new, or this role may not change it; the signal's reason.
 */
export async function migrate(
  pool: Pool,
  signal: AbortSignal = new AbortController().signal,
): Promise<Schema> {
  for (;;) {
    const found = await readSchema(pool);
    if (found.version >= SCHEMA_VERSION) {
      const fault = explainSchema(found);
      if (fault === null) return found;
      throw new Error(fault);
    }
    try {
      if (await migrateUnlessOther(pool)) continue;
    } catch (error) {
      if (findErrorCode(error) !== PERMISSION_DENIED) throw error;
      throw new Error(`${explainSchema(found)} as a role that may create schemas`, {
        cause: error,
      });
    }
    await delay(ASK_AGAIN_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** @returns false when another process is migrating at this moment. */
function migrateUnlessOther(pool: Pool): Promise<boolean> {
  return inTransaction(pool, async (client) => {
    const { rows } = await client.query<{ locked: boolean }>(
      'SELECT pg_try_advisory_xact_lock($1) AS locked',
      [LOCKS.MIGRATE],
    );
    if (!rows[0]?.locked) return false;
    const { version } = await readSchema(client);
    if (version < SCHEMA_VERSION) await migrateTo(client, SCHEMA_VERSION);
    return true;
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
  // An index on a big table takes its time.
  await client.query('SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0');
  await client.query('CREATE SCHEMA IF NOT EXISTS tillroll');
  // Loaded when used: nearly every start finds the schema up to date.
  const { default: Postgrator } = await import('postgrator');
  const postgrator = new Postgrator({
    migrationPattern: `${DIRECTORY}*.sql`,
    driver: 'pg',
    schemaTable: VERSION_TABLE,
    execQuery: (sql) => client.query(withoutLimit(sql)),
  });
  await postgrator.migrate(String(version));
}
