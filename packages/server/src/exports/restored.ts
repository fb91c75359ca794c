/** Continues, or gives up, the exports of a restored database. */
import type { Pool, PoolClient } from '../database/pool.ts';
import { write } from '../database/transaction.ts';
import { MAX_ERRORS, MAX_INTERRUPTIONS } from './lifecycle.ts';
import * as sql from './operator-sql.ts';
import type { ExportQueue } from './queue.ts';

/** More attempts than an export may have had between a backup and the loss of its database. */
const MISSING_ATTEMPTS = MAX_ERRORS + MAX_INTERRUPTIONS + 2;

/**
 * Releases the exports that were open when a backup was taken, each with a new job, in the caller's
 * transaction: the queue is not in a backup. They count no interruption for it.
 * @returns how many.
 */
export async function releaseRestored(client: PoolClient, queue: ExportQueue): Promise<number> {
  const { rows } = await client.query<{ exportId: string; jobId: string; turnTime: number }>(
    sql.releaseRestored,
    [MISSING_ATTEMPTS],
  );
  await client.query(sql.forgetServer);
  for (const job of rows) await queue.enqueueRun(client, { ...job, requestId: null, delayMs: 0 });
  return rows.length;
}

/**
 * Has finished exports read as expired whose files are not in the store.
 * @param stored the attempts that have files there. @returns how many were given up.
 */
export async function giveUpMissingFiles(
  pool: Pool,
  stored: readonly { exportId: string; attempt: number }[],
): Promise<number> {
  const { rowCount } = await write(pool, sql.giveUpMissing, [
    stored.map(({ exportId }) => exportId),
    stored.map(({ attempt }) => attempt),
  ]);
  return rowCount ?? 0;
}
