import { Pool, types, type ClientBase, type PoolClient } from 'pg';
import { codeOf } from '../errors.ts';

export type { ClientBase, Pool, PoolClient };

/** How to reach the database: an address, or the parts of one. */
export type Connection =
  | { connectionString: string }
  | { host: string; port: number; user: string; password: string; database: string };

/** Anything that runs a statement: the pool, or a client in a transaction. */
export type Queryable = Pick<Pool, 'query'> | Pick<ClientBase, 'query'>;

const INT8_OID = 20;

/**
 * `bigint` columns hold times and money: integers that ECMAScript's numbers hold exactly. One that
 * does not fit is an error, never a rounded amount.
 */
function parseInt8(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`bigint ${text} does not fit a number`);
  return value;
}

/** A pool whose every wait is bounded. @param waitMs how long to wait for a free connection. */
export function createPool(
  connection: Connection,
  max: number,
  onError: (error: Error) => void,
  waitMs = 10_000,
): Pool {
  const pool = new Pool({
    ...connection,
    max,
    application_name: 'tillroll',
    connectionTimeoutMillis: waitMs,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    // Otherwise the system asks a silent peer for the first time after two hours.
    keepAliveInitialDelayMillis: 10_000,
    types: {
      getTypeParser: (oid, format) =>
        // pg's own declaration leaves the parser untyped.
        oid === INT8_OID && format !== 'binary' ? parseInt8 : types.getTypeParser(oid, format),
    },
  });
  pool.on('error', onError);
  // The pool listens to idle connections alone: one that breaks while it is lent out would end the
  // process. Whoever holds it learns of it from the statement under way.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/**
 * Serialization failure, deadlock, a key that somebody else inserted first: the transaction did
 * nothing, and run again it sees what the other one did.
 */
const RETRYABLE = new Set(['40001', '40P01', '23505']);
const TRANSACTION_ATTEMPTS = 5;

/**
 * Runs `work` in one transaction. A conflict with another transaction runs it again, five times at the
 * most, so `work` must be repeatable.
 */
export async function inTransaction<T>(
  pool: Pool,
  work: (client: PoolClient) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const client = await pool.connect();
    let broken: Error | undefined;
    try {
      await client.query('BEGIN');
      const result = await work(client);
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch((cause: unknown) => {
        // A connection that cannot even roll back must not return to the pool.
        broken = cause instanceof Error ? cause : new Error(String(cause));
      });
      if (attempt >= TRANSACTION_ATTEMPTS || !RETRYABLE.has(codeOf(error) ?? '')) throw error;
    } finally {
      client.release(broken);
    }
  }
}

const LINK_CODES = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

/** What pg and its pool say without a code. */
const LINK_MESSAGE =
  /Connection terminated|connection timeout|timeout exceeded when trying to connect|Client has encountered a connection error/i;

/** No connection, or one that is gone, or a server that is going away: not the fault of what was asked. */
export function isConnectionLoss(error: unknown): boolean {
  const code = codeOf(error) ?? '';
  return (
    /^(08...|57P0[123]|53300)$/.test(code) ||
    LINK_CODES.has(code) ||
    (error instanceof Error && LINK_MESSAGE.test(error.message))
  );
}
