/** A worker's attempts at an export: claim, progress, completion. */
import type { ExportFile, ExportFormat, ExportType, FailureCode } from '@tillroll/contract';
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
  format: ExportFormat;
  objectsPerFile: number;
  /** Of changes: the number of the load after which they are; null for a range. */
  sinceNumber: number | null;
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
  const { format, objectsPerFile, sinceNumber } = row;
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
      format,
      objectsPerFile,
      sinceNumber,
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
  objects: number,
): Promise<boolean> {
  const result = await write(pool, sql.progress, [
    attempt.exportId,
    attempt.number,
    Math.min(99, percent),
    objects,
  ]);
  return result.rowCount === 1;
}

/** Results of an attempt besides its files. */
export interface Findings {
  /** JSON of the control totals; null where there are too many kinds of them. */
  totals: string | null;
  /** The moment of the snapshot, epoch milliseconds; null where the source does not say it. */
  snapshotTime: number | null;
  /** Of changes: where the next ones begin; null for a range. */
  cursor: string | null;
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
  { totals, snapshotTime, cursor }: Findings,
  retentionMs: number,
): Promise<number | null> {
  return inTransaction(pool, async (client) => {
    const { rows } = await client.query<{ availableUntil: number }>(sql.complete, [
      attempt.exportId,
      attempt.number,
      retentionMs,
      JSON.stringify(files.map(describeFile)),
      files.reduce((sum, file) => sum + file.objects, 0),
      totals,
      snapshotTime,
      cursor,
    ]);
    const [row] = rows;
    if (!row) return null;
    await client.query(sql.insertFiles, [
      attempt.exportId,
      files.map((file) => file.objects),
      files.map((file) => file.bytes),
      files.map((file) => file.compressedBytes),
      files.map((file) => file.sha256),
      files.map((file) => file.storedEtag ?? ''),
      files.map((file) => file.kind ?? ''),
    ]);
    const { exportId, requestId } = attempt;
    await queue.enqueueExpiry(client, { exportId, requestId, at: row.availableUntil });
    return row.availableUntil;
  });
}

/** Picks what a poll shows of a file. */
function describeFile({ objects, bytes, sha256, kind }: ManifestFile): ExportFile {
  return { objects, bytes, sha256, ...(kind && { kind }) };
}
