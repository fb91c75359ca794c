/** Runs work in a transaction, and again after a conflict. */
import type { QueryResult, QueryResultRow } from 'pg';
import { brief } from './client.ts';
import { isConnectionLoss, leavesCommitOpen } from './faults.ts';
import type { Pool, PoolClient } from './pool.ts';

/**
 * Runs `work` in one transaction that writes. A conflict with another transaction runs it again, five
 * times at the most, and so does a connection that is lost before COMMIT was sent, so `work` must be
 * repeatable. When the answer to COMMIT is lost, nobody knows whether it held: the error says so.
 */
export async function inTransaction<T>(
  pool: Pool,
  work: (client: PoolClient) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const client = await pool.connect();
    let isCommitting = false;
    try {
      await client.query(brief(pool.makeHead(client)));
      const result = await work(client);
      isCommitting = true;
      const { command } = await client.query('COMMIT');
      if (command === 'ROLLBACK') throw new Error('the transaction had failed before its COMMIT');
      client.release();
      return result;
    } catch (error) {
      await rollBack(pool, client, error);
      if (isCommitting && leavesCommitOpen(error)) throw error;
      if (!(await pool.shouldRepeat(attempt, error))) throw error;
    }
  }
}

/** A connection that cannot even roll back, or does not answer, does not return to the pool. */
async function rollBack(pool: Pool, client: PoolClient, error: unknown): Promise<void> {
  if (!isConnectionLoss(error)) {
    try {
      await client.query(brief('ROLLBACK'));
    } catch {
      client.release(true);
      return;
    }
  }
  pool.discard(client, error);
}

/** Runs one statement that writes, in a transaction of its own. */
export function write<R extends QueryResultRow = QueryResultRow>(
  pool: Pool,
  text: string,
  values?: unknown[],
): Promise<QueryResult<R>> {
  return inTransaction(pool, (client) => client.query<R>(text, values));
}
