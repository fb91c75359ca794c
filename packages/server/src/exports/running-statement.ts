/** Records the statement that an attempt reads with, so that another process can end it. */
import { terminateBackend, type Backend } from '../database/backend.ts';
import type { Pool } from '../database/pool.ts';
import { write } from '../database/transaction.ts';
import * as sql from './sql.ts';

/** The statement that an attempt reads with, or read with last, on the server. */
export interface ExportStatement {
  exportId: string;
  backend: Backend;
}

/** Columns of an export's row that name the statement which reads for it. */
export interface StatementColumns {
  sourcePid: number | null;
  sourceStarted: number | null;
}

/** The statement that a row records, or null. */
export function toStatement(
  exportId: string,
  { sourcePid, sourceStarted }: StatementColumns,
): ExportStatement | null {
  if (sourcePid === null || sourceStarted === null) return null;
  return { exportId, backend: { pid: sourcePid, started: sourceStarted } };
}

/**
 * Records what the current attempt is about to read with, so that the worker that takes the export over can
 * end it. @returns false when the attempt is not the current one any more.
 */
export async function recordStatement(
  pool: Pool,
  attempt: { exportId: string; number: number },
  { pid, started }: Backend,
): Promise<boolean> {
  const values = [attempt.exportId, attempt.number, pid, started];
  return (await write(pool, sql.recordStatement, values)).rowCount === 1;
}

/**
 * Ends a statement, whatever became of the process that began it, and forgets it.
 * @param sourcePool leads to the server that exports read from.
 * @returns whether it was still running. @throws when it may still run: the right is missing (42501).
 */
export async function endStatement(
  pool: Pool,
  sourcePool: Pool,
  statement: ExportStatement,
): Promise<boolean> {
  const { exportId, backend } = statement;
  const wasRunning = await terminateBackend(sourcePool, backend);
  await write(pool, sql.forgetStatement, [exportId, backend.pid, backend.started]);
  return wasRunning;
}

/** The statements of exports that nobody runs any more, and that nobody has ended yet. */
export async function leftStatements(pool: Pool): Promise<ExportStatement[]> {
  const { rows } = await pool.query<{ exportId: string } & StatementColumns>(sql.leftStatements);
  return rows.flatMap((row) => toStatement(row.exportId, row) ?? []);
}
