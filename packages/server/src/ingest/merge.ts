/** Merges a spool into the tables, and deletes a merchant's objects. */
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { ExportType, LoadCounts } from '@tillroll/contract';
import { from as copyFrom } from 'pg-copy-streams';
import { LOCKS } from '../database/locks.ts';
import type { ClientBase, Pool } from '../database/pool.ts';
import { inTransaction } from '../database/transaction.ts';
import { InstallRevoked, NoRoom, Purged } from './errors.ts';
import { RELATIONS, type Relation } from './relations.ts';
import type { Spool } from './spool.ts';
import * as sql from './sql.ts';

export interface Merge {
  merchantId: string;
  type: ExportType;
  /** The install on whose behalf it is loaded; null for the operator. */
  installId: string | null;
  /** The merchant's last purge when the upload began. */
  purgedTime: number | null;
}

/** Another process merges into the same relation of the merchant: it is asked again after a pause. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;
const LOCK_WAIT_MS = 10 * 60_000;

/**
 * Takes a spool into the tables, in one transaction. Holds a connection only while it works: where
 * another process merges for the same merchant and type, it waits without one.
 * @throws Purged, InstallRevoked: nothing was stored; NoRoom when the wait was too long.
 */
export async function mergeSpool(
  pool: Pool,
  merge: Merge,
  spool: Spool,
  rows: number,
  signal: AbortSignal,
): Promise<LoadCounts> {
  const deadline = performance.now() + LOCK_WAIT_MS;
  for (let wait = FIRST_PAUSE_MS; ; wait = Math.min(wait * 2, LONGEST_PAUSE_MS)) {
    const counts = await inTransaction(pool, (client) =>
      mergeUnlessBusy(client, merge, spool, rows, signal),
    );
    if (counts) return counts;
    if (performance.now() > deadline) {
      throw new NoRoom(
        'other uploads for this merchant have kept this one waiting for ten minutes; nothing of it was stored. Send it again',
        60,
      );
    }
    await pause(wait * (0.5 + Math.random()), undefined, { signal });
  }
}

/** @returns null when another process holds the lock: nothing was done. */
async function mergeUnlessBusy(
  client: ClientBase,
  { merchantId, type, installId, purgedTime }: Merge,
  spool: Spool,
  rows: number,
  signal: AbortSignal,
): Promise<LoadCounts | null> {
  const relation = RELATIONS[type];
  await client.query(sql.mergeSettings);
  if (!(await tryLock(client, relation, merchantId))) return null;
  if ((await readPurgedTime(client, merchantId)) !== purgedTime) {
    await holdInstall(client, installId);
    throw new Purged(
      'the objects of this merchant were purged while this upload came in; nothing of it was stored. Send it again if it is still wanted',
    );
  }
  await client.query(sql.createStaging(relation));
  await pipeline(spool.read(), client.query(copyFrom(sql.copyIntoStaging(relation))), { signal });
  const merged = await client.query<Omit<LoadCounts, 'received'>>(sql.merge(relation), [
    merchantId,
  ]);
  const [counts] = merged.rows;
  if (!counts) throw new Error('the merge returned no counts');
  // Last, so that an uninstall waits for a commit and not for a merge. Once it has returned, no upload
  // of the install can be stored any more.
  await holdInstall(client, installId);
  const { inserted, updated, unchanged, stale } = counts;
  // A line superseded by another line of the same upload was never the newest: it counts as stale.
  const superseded = rows - inserted - updated - unchanged - stale;
  return { received: rows, inserted, updated, unchanged, stale: stale + superseded };
}

/** Keeps an install from being revoked until the transaction ends. @throws InstallRevoked */
async function holdInstall(client: ClientBase, installId: string | null): Promise<void> {
  if (installId === null) return;
  if ((await client.query(sql.holdInstall, [installId])).rowCount !== 1)
    throw new InstallRevoked('the install was revoked while the upload came in');
}

async function tryLock(
  client: ClientBase,
  relation: Relation,
  merchantId: string,
): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(sql.tryLockMerge, [
    LOCKS.MERGE,
    relation.table,
    merchantId,
  ]);
  return rows[0]?.locked ?? false;
}

async function readPurgedTime(client: ClientBase, merchantId: string): Promise<number | null> {
  const { rows } = await client.query<{ purgedTime: number }>(sql.purgedTime, [merchantId]);
  return rows[0]?.purgedTime ?? null;
}

/**
 * Deletes all of a merchant's orders and payments, and has the uploads that began before refused.
 * Waits for merges under way, of any process, and holds new ones back while it deletes.
 * @returns how many objects it deleted.
 */
export async function purgeObjects(pool: Pool, merchantId: string): Promise<number> {
  return inTransaction(pool, async (client) => {
    await client.query(sql.mergeSettings);
    // In one order, so that two purges cannot wait for each other.
    for (const { table } of Object.values(RELATIONS))
      await client.query(sql.lockMerge, [LOCKS.MERGE, table, merchantId]);
    await client.query(sql.recordPurge, [merchantId]);
    let deleted = 0;
    for (const relation of Object.values(RELATIONS))
      deleted += (await client.query(sql.deleteObjects(relation), [merchantId])).rowCount ?? 0;
    return deleted;
  });
}
