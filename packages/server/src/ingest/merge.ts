/** Merges a spool into the tables, and deletes a merchant's objects. */
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import {
  EXPORT_TYPES,
  type DeleteCounts,
  type ExportType,
  type LoadCounts,
} from '@tillroll/contract';
import { from as copyFrom } from 'pg-copy-streams';
import { LOCKS } from '../database/locks.ts';
import type { ClientBase, Pool } from '../database/pool.ts';
import { inTransaction } from '../database/transaction.ts';
import { InstallRevoked, NoRoom, Purged } from './errors.ts';
import { IDS, RELATIONS, type Relation } from './relations.ts';
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
  const { merchantId, type } = merge;
  const relation = RELATIONS[type];
  return underMergeLock(pool, merge, signal, async (client, number) => {
    await stage(client, relation, spool, signal);
    const merged = await client.query<Omit<LoadCounts, 'received'>>(sql.merge(relation), [
      merchantId,
      type,
      number,
    ]);
    const [counts] = merged.rows;
    if (!counts) throw new Error('the merge returned no counts');
    const { inserted, updated, unchanged, stale } = counts;
    // A line superseded by another line of the same upload was never the newest: it counts as stale.
    const superseded = rows - inserted - updated - unchanged - stale;
    return { received: rows, inserted, updated, unchanged, stale: stale + superseded };
  });
}

/**
 * Deletes the objects whose ids are in a spool, in one transaction; as `mergeSpool` otherwise.
 * @throws Purged, InstallRevoked: nothing was deleted; NoRoom when the wait was too long.
 */
export async function deleteSpooled(
  pool: Pool,
  merge: Merge,
  spool: Spool,
  rows: number,
  signal: AbortSignal,
): Promise<DeleteCounts> {
  const { merchantId, type } = merge;
  return underMergeLock(pool, merge, signal, async (client, number) => {
    await stage(client, IDS, spool, signal);
    const values = [merchantId, type, number];
    const found = await client.query<{ deleted: number }>(
      sql.deleteListed(RELATIONS[type]),
      values,
    );
    const deleted = found.rows[0]?.deleted ?? 0;
    return { received: rows, deleted, unknown: rows - deleted };
  });
}

/**
 * Runs one change of a merchant's objects of a type, alone, with the next number.
 * @param work may run several times, each in a transaction of its own.
 */
async function underMergeLock<T>(
  pool: Pool,
  merge: Merge,
  signal: AbortSignal,
  work: (client: ClientBase, number: number) => Promise<T>,
): Promise<T> {
  const deadline = performance.now() + LOCK_WAIT_MS;
  for (let wait = FIRST_PAUSE_MS; ; wait = Math.min(wait * 2, LONGEST_PAUSE_MS)) {
    const done = await inTransaction(pool, (client) => workUnlessBusy(client, merge, work));
    if (done) return done.result;
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
async function workUnlessBusy<T>(
  client: ClientBase,
  { merchantId, type, installId, purgedTime }: Merge,
  work: (client: ClientBase, number: number) => Promise<T>,
): Promise<{ result: T } | null> {
  await client.query(sql.mergeSettings);
  if (!(await tryLock(client, RELATIONS[type], merchantId))) return null;
  if ((await readPurgedTime(client, merchantId)) !== purgedTime) {
    await holdInstall(client, installId);
    throw new Purged(
      'the objects of this merchant were purged while this upload came in; nothing of it was stored. Send it again if it is still wanted',
    );
  }
  const result = await work(client, await takeNumber(client, merchantId, type));
  // Last, so that an uninstall waits for a commit and not for a merge. Once it has returned, no upload
  // of the install can be stored any more.
  await holdInstall(client, installId);
  return { result };
}

/** Copies a spool to the staging table of this transaction. */
async function stage(
  client: ClientBase,
  relation: Relation,
  spool: Spool,
  signal: AbortSignal,
): Promise<void> {
  await client.query(sql.createStaging(relation));
  await pipeline(spool.read(), client.query(copyFrom(sql.copyIntoStaging(relation))), { signal });
}

/** The number of this transaction among those that change the merchant's objects of this type. Under the merge lock. */
async function takeNumber(
  client: ClientBase,
  merchantId: string,
  type: ExportType,
): Promise<number> {
  const { rows } = await client.query<{ number: number }>(sql.nextNumber, [merchantId, type]);
  const [row] = rows;
  if (!row) throw new Error('there is no next number');
  return row.number;
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
    for (const type of EXPORT_TYPES) {
      deleted +=
        (await client.query(sql.deleteObjects(RELATIONS[type]), [merchantId])).rowCount ?? 0;
      // No tombstones: whoever follows the changes begins again.
      await takeNumber(client, merchantId, type);
      await client.query(sql.raiseFloor, [merchantId, type]);
    }
    await client.query(sql.deleteTombstones, [merchantId]);
    return deleted;
  });
}
