import { randomUUID } from 'node:crypto';
import type { ExportType, FailureCode } from '@tillroll/contract';
import { inTransaction, write, type Pool } from '../database/pool.ts';
import { MAX_ERRORS, MAX_LOSSES, retryDelayMs } from './lifecycle.ts';
import type { ExportQueue } from './queue.ts';
import type { ExportRecord, ManifestFile } from './record.ts';
import * as sql from './sql.ts';
import { toStatement, type ExportStatement, type StatementColumns } from './statements.ts';

/** One try of a worker at an export. Only the current attempt can change the export. */
export interface Attempt {
  exportId: string;
  /** Counts from 1. */
  number: number;
  merchantId: string;
  appId: string;
  type: ExportType;
  startTime: number;
  endTime: number;
  /** What the attempt before this one read with, if nobody knows that it has ended. */
  former: ExportStatement | null;
}

/** What became of an attempt that ended without a manifest. `superseded`: it was no longer the current one. */
export type Ending = 'will be retried' | 'failed' | 'superseded';

/** Delay before an export is tried again after a lost link: the far side needs a moment. */
const LOST_LINK_DELAY_MS = 2_000;

/**
 * Begins an attempt.
 * @returns null when the job is out of date (the export is finished, or has another job), or when the
 * export was lost too often and is FAILED now.
 */
export async function takeExport(
  pool: Pool,
  exportId: string,
  jobId: string,
): Promise<Attempt | null> {
  const { rows } = await write<ExportRecord & StatementColumns & { losses: number }>(
    pool,
    sql.take,
    [exportId, jobId],
  );
  const [row] = rows;
  if (!row) return null;
  if (row.losses > MAX_LOSSES) {
    await write(pool, sql.fail, [exportId, row.attempt, 'WORKER_LOST' satisfies FailureCode]);
    return null;
  }
  const { id, attempt, merchantId, appId, type, startTime, endTime } = row;
  const former = toStatement(id, row);
  return { exportId: id, number: attempt, merchantId, appId, type, startTime, endTime, former };
}

/** Reports progress. @returns false when the attempt is no longer the current one and must stop. */
export async function reportProgress(
  pool: Pool,
  attempt: Attempt,
  percent: number,
): Promise<boolean> {
  const result = await write(pool, sql.progress, [
    attempt.exportId,
    attempt.number,
    Math.min(99, percent),
  ]);
  return result.rowCount === 1;
}

/**
 * Commits the manifest, DONE and the expiry in one transaction.
 * @returns `availableUntil`, or null when the attempt was superseded and nothing changed.
 */
export async function completeExport(
  pool: Pool,
  queue: ExportQueue,
  attempt: Attempt,
  files: readonly ManifestFile[],
  retentionMs: number,
): Promise<number | null> {
  return inTransaction(pool, async (client) => {
    const { rows } = await client.query<{ availableUntil: number }>(sql.complete, [
      attempt.exportId,
      attempt.number,
      retentionMs,
      JSON.stringify(files.map(({ objects, bytes, sha256 }) => ({ objects, bytes, sha256 }))),
    ]);
    const [row] = rows;
    if (!row) return null;
    await client.query(sql.insertFiles, [
      attempt.exportId,
      files.map((file) => file.objects),
      files.map((file) => file.bytes),
      files.map((file) => file.compressedBytes),
      files.map((file) => file.sha256),
    ]);
    await queue.enqueueExpiry(client, { exportId: attempt.exportId, at: row.availableUntil });
    return row.availableUntil;
  });
}

/** An error of the export itself: tried again with back-off, FAILED with `code` after three. */
export async function recordError(
  pool: Pool,
  queue: ExportQueue,
  attempt: Attempt,
  code: FailureCode,
): Promise<Ending> {
  return inTransaction(pool, async (client) => {
    const jobId = randomUUID();
    const { rows } = await client.query<{ errors: number }>(sql.retry, [
      attempt.exportId,
      attempt.number,
      jobId,
    ]);
    const [row] = rows;
    if (!row) return 'superseded';
    if (row.errors >= MAX_ERRORS) {
      await client.query(sql.fail, [attempt.exportId, attempt.number, code]);
      return 'failed';
    }
    await queue.enqueueRun(client, {
      jobId,
      exportId: attempt.exportId,
      delayMs: retryDelayMs(row.errors),
    });
    return 'will be retried';
  });
}

/** The attempt ended through no fault of the export: tried again, FAILED after twenty of those. */
export async function handBack(
  pool: Pool,
  queue: ExportQueue,
  attempt: Pick<Attempt, 'exportId' | 'number'>,
  cause: 'shutdown' | 'lost',
): Promise<Ending> {
  return inTransaction(pool, async (client) => {
    const jobId = randomUUID();
    const { rows } = await client.query<{ losses: number }>(sql.handBack, [
      attempt.exportId,
      attempt.number,
      jobId,
    ]);
    const [row] = rows;
    if (!row) return 'superseded';
    if (row.losses > MAX_LOSSES) {
      await client.query(sql.fail, [
        attempt.exportId,
        attempt.number,
        'WORKER_LOST' satisfies FailureCode,
      ]);
      return 'failed';
    }
    await queue.enqueueRun(client, {
      jobId,
      exportId: attempt.exportId,
      delayMs: cause === 'lost' ? LOST_LINK_DELAY_MS : 0,
    });
    return 'will be retried';
  });
}
