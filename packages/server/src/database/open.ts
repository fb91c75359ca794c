/** Opens the database of this process: the platform's, or an embedded PostgreSQL. */
import { findErrorCode } from '../errors.ts';
import { describeConnection, parseDatabaseUrl } from './connection.ts';
import { openEmbeddedPostgres } from '@tillroll/postgres';
import { createPool, WrongEncoding, type Connection, type Pool, type PoolOptions } from './pool.ts';

/** The database of this process, the platform's or our own. */
export interface Database {
  readonly connection: Connection;
  readonly pool: Pool;
  /** Its address or directory for people, never with a password. */
  readonly location: string;
  close(): Promise<void>;
}

export interface DatabaseSettings extends PoolOptions {
  /** Null: start, or join, an embedded PostgreSQL in `dataDir`. */
  databaseUrl: string | null;
  dataDir: string;
  /** Connections at once. */
  poolSize: number;
  onError: (error: Error) => void;
  signal: AbortSignal;
}

/**
 * Opens the database; nothing is migrated yet.
 * @throws when it cannot be reached, or its encoding is not UTF-8.
 */
export async function openDatabase(settings: DatabaseSettings): Promise<Database> {
  const { databaseUrl, dataDir, poolSize, onError, signal } = settings;
  if (databaseUrl !== null) {
    const connection = parseDatabaseUrl(databaseUrl, process.env);
    const pool = createPool(connection, poolSize, onError, settings);
    try {
      (await pool.connect()).release();
    } catch (error) {
      await pool.end();
      throw explain(error, connection);
    }
    const location = `PostgreSQL, ${describeConnection(connection)}`;
    return { connection, pool, location, close: () => pool.end() };
  }
  const embedded = await openEmbeddedPostgres({ dataDir, signal });
  const pool = createPool(embedded.connection, poolSize, onError, settings);
  return {
    connection: embedded.connection,
    pool,
    location: embedded.notice ?? `embedded PostgreSQL in ${embedded.home}`,
    async close() {
      await pool.end();
      await embedded[Symbol.asyncDispose]();
    },
  };
}

const WRONG_PASSWORD = '28P01';

/** Adds what to do about a database that refuses the connection. */
function explain(error: unknown, connection: Connection): unknown {
  if (error instanceof WrongEncoding) return error;
  const hint =
    findErrorCode(error) === WRONG_PASSWORD
      ? '; if the password has a %, write it as %25 in DATABASE_URL'
      : '';
  return new Error(`cannot use ${describeConnection(connection)}${hint}`, { cause: error });
}
