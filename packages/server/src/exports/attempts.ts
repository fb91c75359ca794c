/** A worker's attempts at an export: claim, progress, completion. */
import type { ExportType, FailureCode } from '@tillroll/contract';
import type { Pool } from '../database/pool.ts';
import { inTransaction, write } from '../database/transaction.ts';
import { MAX_INTERRUPTIONS } from './lifecycle.ts';
import type { ExportQueue, RequestId } from './queue.ts';
import type { ExportRecord, ManifestFile } from './record.ts';
import * as sql from './sql.ts';
import { toStatement, type ExportStatement, type StatementColumns } from './running-statement.ts';

/** One try of a worker at an export. Only the current attempt can change the export. */
export interface Attempt {
  exportId: string;
  /** Counts from 1. */
  number: number;
  requestId: RequestId;
  merchantId: string;
  appId: string;
  type: ExportType;
  startTime: number;
  endTime: number;
  /** The statement of the attempt before this one, if it is not known to have ended. */
  former: ExportStatement | null;
  /** Name of the worker of the attempt before this one, or null when there was none. */
  takenOverFrom: string | null;
}

/** The result of claiming a job's export: an attempt, an export that was interrupted too often, or null when the job is out of date. */
export type Claim =
  | { attempt: Attempt }
  | { failed: Pick<Attempt, 'exportId' | 'number' | 'takenOverFrom'> }
  | null;

/**
 * Begins an attempt. An export that was lost too often is FAILED instead.
 * @param worker the name of the worker, for the worker that takes over from it.
 */
export async function claimExport(
  pool: Pool,
  { exportId, jobId, requestId }: { exportId: string; jobId: string; requestId: RequestId },
  worker: string,
): Promise<Claim> {
  const { rows } = await write<
    ExportRecord & StatementColumns & { interruptions: number; takenOverFrom: string | null }
  >(pool, sql.claim, [exportId, jobId, worker]);
  const [row] = rows;
  if (!row) return null;
  const { id, attempt, merchantId, appId, type, startTime, endTime, takenOverFrom } = row;
  if (row.interruptions > MAX_INTERRUPTIONS) {
    await write(pool, sql.fail, [exportId, attempt, 'WORKER_LOST' satisfies FailureCode]);
    return { failed: { exportId: id, number: attempt, takenOverFrom } };
  }
  return {
    attempt: {
      exportId: id,
      number: attempt,
      requestId,
      merchantId,
      appId,
      type,
      startTime,
      endTime,
      former: toStatement(id, row),
      takenOverFrom,
    },
  };
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
      files.map((file) => file.storedEtag),
    ]);
    const { exportId, requestId } = attempt;
    await queue.enqueueExpiry(client, { exportId, requestId, at: row.availableUntil });
    return row.availableUntil;
  });
}
