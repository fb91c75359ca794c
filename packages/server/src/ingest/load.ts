import { pipeline } from 'node:stream/promises';
import type { ExportType, LoadCounts } from '@tillroll/contract';
import { from as copyFrom } from 'pg-copy-streams';
import { LOCKS } from '../database/locks.ts';
import { inTransaction, write, type Pool } from '../database/pool.ts';
import { readLines } from './lines.ts';
import { RELATIONS, type Relation } from './relations.ts';
import { parseRow } from './row.ts';
import { Spool } from './spool.ts';
import * as sql from './sql.ts';

export interface LoadTarget {
  merchantId: string;
  type: ExportType;
  /** PostgreSQL's clock when the load began, epoch milliseconds. */
  now: number;
}

/**
 * Loads a body of NDJSON: all of it is checked while it goes to disk, and only then does a connection
 * take it into the tables, in one transaction. Loading the same body twice changes nothing.
 * @param body inflated bytes.
 * @throws BadLine, TooLarge: nothing was stored.
 */
export async function load(
  pool: Pool,
  spoolDirectory: string,
  target: LoadTarget,
  body: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<LoadCounts> {
  const relation = RELATIONS[target.type];
  const spool = await Spool.create(spoolDirectory);
  try {
    for await (const lines of readLines(body)) {
      signal.throwIfAborted();
      for (const line of lines) await spool.add(parseRow(relation, line, target.now));
    }
    if (spool.rows === 0) return { received: 0, inserted: 0, updated: 0, unchanged: 0, stale: 0 };
    await spool.finish();
    return await mergeSpool(pool, relation, target.merchantId, spool, signal);
  } finally {
    await spool.close();
  }
}

async function mergeSpool(
  pool: Pool,
  relation: Relation,
  merchantId: string,
  spool: Spool,
  signal: AbortSignal,
): Promise<LoadCounts> {
  return inTransaction(pool, async (client) => {
    await client.query(sql.mergeSettings);
    await client.query(sql.createStaging(relation));
    await pipeline(spool.read(), client.query(copyFrom(sql.copyIntoStaging(relation))), { signal });
    // One merge at a time for a merchant's relation: overlapping loads wait here and cannot deadlock.
    await client.query(sql.lockMerge, [LOCKS.MERGE, relation.table, merchantId]);
    const { rows } = await client.query<Omit<LoadCounts, 'received'>>(sql.merge(relation), [
      merchantId,
    ]);
    const [counts] = rows;
    if (!counts) throw new Error('the merge returned no counts');
    const { inserted, updated, unchanged, stale } = counts;
    // What another line of the same request superseded was never the newest: it counts as stale.
    const superseded = spool.rows - inserted - updated - unchanged - stale;
    return { received: spool.rows, inserted, updated, unchanged, stale: stale + superseded };
  });
}

/** Deletes all of a merchant's orders and payments. @returns how many. */
export async function deleteMerchantObjects(pool: Pool, merchantId: string): Promise<number> {
  let deleted = 0;
  for (const relation of Object.values(RELATIONS)) {
    deleted += (await write(pool, sql.deleteObjects(relation), [merchantId])).rowCount ?? 0;
  }
  return deleted;
}
