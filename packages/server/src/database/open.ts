/** Opens the database of this process: the platform's, or an embedded PostgreSQL. */
import { setTimeout as delay } from 'node:timers/promises';
import { openEmbeddedPostgres } from '@tillroll/postgres';
import { Deadline } from '../deadline.ts';
import { findErrorCode, oneLine } from '../errors.ts';
import { describeConnection, parseDatabaseUrl } from './connection.ts';
import { isConnectionLoss } from './faults.ts';
import { createPool, WrongEncoding, type Connection, type Pool, type PoolOptions } from './pool.ts';

/** The database of this process, the platform's or our own. */
export interface Database {
  readonly connection: Connection;
  readonly pool: Pool;
  /** Its address or directory for people, never with a password. */
  readonly location: string;
  close(): Promise<void>;
}

/** The longest wait for a database that cannot be reached. */
export interface Patience {
  ms: number;
  /** Called once, when the wait begins, with the database's address and the reason. */
  onWait: (location: string, reason: string) => void;
}

export interface DatabaseSettings extends PoolOptions {
  /** Null: start, or join, an embedded PostgreSQL in `dataDir`. */
  databaseUrl: string | null;
  dataDir: string;
  /** Connections at once. */
  poolSize: number;
  /** Absent: a database that cannot be reached is an error at once. An embedded PostgreSQL has its own limits. */
  patience?: Patience;
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
      await connectPatiently(pool, connection, settings);
    } catch (error) {
      await pool.end();
      throw error;
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

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 2_000;

/**
 * Makes the first connection. Tries again for as long as `patience` says while the server cannot be reached, or is
 * starting, full or read-only. Nothing else, such as a wrong password, passes by itself.
 * @throws with the address and the reason; the signal's reason.
 */
async function connectPatiently(
  pool: Pool,
  connection: Connection,
  { patience, signal }: DatabaseSettings,
): Promise<void> {
  const { ms = 0, onWait } = patience ?? {};
  const deadline = new Deadline(ms);
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    try {
      (await pool.connect()).release();
      return;
    } catch (error) {
      signal.throwIfAborted();
      const isWaiting = isConnectionLoss(error);
      if (!isWaiting || deadline.remainingMs() === 0) {
        throw explain(error, connection, isWaiting ? ms : 0);
      }
      if (pause === FIRST_PAUSE_MS) onWait?.(describeConnection(connection), oneLine(error));
    }
    const left = Math.min(pause, deadline.remainingMs());
    await delay(left, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

const WRONG_PASSWORD = '28P01';

/** Adds what to do about a database that refuses the connection. @param waitedMs the wait that was in vain. */
function explain(error: unknown, connection: Connection, waitedMs: number): unknown {
  if (error instanceof WrongEncoding) return error;
  const hint =
    findErrorCode(error) === WRONG_PASSWORD
      ? '; if the password has a %, write it as %25 in DATABASE_URL'
      : '';
  const waited = waitedMs > 0 ? ` after ${waitedMs / 1000} s (TILLROLL_WAIT)` : '';
  return new Error(`cannot use ${describeConnection(connection)}${waited}${hint}`, {
    cause: error,
  });
}
