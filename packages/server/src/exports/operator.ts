/** Reads exports for an operator, and runs one again. */
import { randomUUID } from 'node:crypto';
import type { ExportStatus, FailureCode } from '@tillroll/contract';
import type { Pool, Queryable } from '../database/pool.ts';
import { inTransaction } from '../database/transaction.ts';
import { TURN_MS } from './create.ts';
import * as operatorSql from './operator-sql.ts';
import type { ExportQueue } from './queue.ts';
import type { ExportRecord } from './record.ts';
import * as sql from './sql.ts';

/** An export as its operator sees it. Times are epoch milliseconds. */
export interface ExportOverview extends ExportRecord {
  /** The start of the current, or the last, attempt. */
  startedTime: number | null;
  errors: number;
  interruptions: number;
  /** The worker that runs it, or ran it last: `host/pid/worker`. */
  worker: string | null;
  jobId: string;
  /** The last error that ended an attempt, whatever became of the export since. */
  lastErrorCode: FailureCode | null;
  lastError: string | null;
  lastErrorTime: number | null;
}

/** Totals of the files of an export. */
export interface FileTotals {
  files: number;
  objects: number;
  /** Bytes of the identity form. */
  bytes: number;
  storedBytes: number;
}

export interface ExportFilter {
  merchantId: string | null;
  appId: string | null;
  status: ExportStatus | null;
  limit: number;
}

/** Exports of all merchants, newest first. */
export async function listAllExports(
  database: Queryable,
  { merchantId, appId, status, limit }: ExportFilter,
): Promise<ExportOverview[]> {
  const values = [merchantId, appId, status, limit];
  return (await database.query<ExportOverview>(operatorSql.list, values)).rows;
}

/** Open exports, those that run first, then the oldest. */
export async function listOpenExports(
  database: Queryable,
  limit: number,
): Promise<ExportOverview[]> {
  return (await database.query<ExportOverview>(operatorSql.listOpen, [limit])).rows;
}

/** Exports that run, each with its worker, `host/pid/worker`. */
export async function listRunningExports(
  database: Queryable,
): Promise<{ id: string; worker: string }[]> {
  return (await database.query<{ id: string; worker: string }>(operatorSql.listRunning)).rows;
}

/** Exports that are FAILED, the last one first. */
export async function listFailedExports(
  database: Queryable,
  limit: number,
): Promise<ExportOverview[]> {
  return (await database.query<ExportOverview>(operatorSql.listFailed, [limit])).rows;
}

/** Numbers of open exports. */
export interface OpenCounts {
  pending: number;
  inProgress: number;
  /** Those of which an attempt has failed. */
  withErrors: number;
}

export async function countOpenExports(database: Queryable): Promise<OpenCounts> {
  const { rows } = await database.query<OpenCounts>(operatorSql.countOpen);
  const [counts] = rows;
  if (!counts) throw new Error('a count has one row');
  return counts;
}

/** One export, or null when there is none, or no longer. */
export async function findExport(
  database: Queryable,
  exportId: string,
): Promise<ExportOverview | null> {
  const { rows } = await database.query<ExportOverview>(operatorSql.read, [exportId]);
  return rows[0] ?? null;
}

export async function readFileTotals(database: Queryable, exportId: string): Promise<FileTotals> {
  const { rows } = await database.query<FileTotals>(operatorSql.readTotals, [exportId]);
  const [totals] = rows;
  if (!totals) throw new Error('a sum has one row');
  return totals;
}

/**
 * Puts an export that is FAILED or CANCELED back to PENDING, with a job, in one transaction. Hours and limits do not
 * apply: the operator decides. It counts as open from then on.
 * @returns false when it is in another state, or unknown: nothing was changed.
 */
export async function reopenExport(
  pool: Pool,
  queue: ExportQueue,
  exportId: string,
): Promise<boolean> {
  return inTransaction(pool, async (client) => {
    const jobId = randomUUID();
    const values = [exportId, jobId, TURN_MS];
    const { rows } = await client.query<{ turnTime: number }>(sql.reopen, values);
    const [row] = rows;
    if (!row) return false;
    await queue.enqueueRun(client, {
      jobId,
      exportId,
      requestId: null,
      turnTime: row.turnTime,
      delayMs: 0,
    });
    return true;
  });
}
