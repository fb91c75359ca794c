/** The tasks of worker and operator on exports besides running them: expire, cancel, forget, delete. */
import type { Pool } from '../database/pool.ts';
import { write } from '../database/transaction.ts';
import * as sql from './sql.ts';
import { toStatement, type ExportStatement, type StatementColumns } from './running-statement.ts';

/** The attempt whose files must stay, or null when everything of this export may go. */
export async function findRetainedAttempt(pool: Pool, exportId: string): Promise<number | null> {
  const { rows } = await pool.query<{ attempt: number }>(sql.findRetainedAttempt, [exportId]);
  return rows[0]?.attempt ?? null;
}

/** Records that the files of an expired export are gone. @returns false while it has not expired. */
export async function markExpired(pool: Pool, exportId: string): Promise<boolean> {
  return ((await write(pool, sql.expire, [exportId])).rowCount ?? 0) > 0;
}

/** Exports past `availableUntil` whose files are still there. */
export async function overdueExports(pool: Pool): Promise<string[]> {
  return (await pool.query<{ id: string }>(sql.overdue)).rows.map(({ id }) => id);
}

/** Open exports untouched for `idleMs`, each with the job that should move it. */
export async function idleExports(
  pool: Pool,
  idleMs: number,
): Promise<{ id: string; attempt: number; jobId: string }[]> {
  return (await pool.query<{ id: string; attempt: number; jobId: string }>(sql.idle, [idleMs]))
    .rows;
}

/** Counts the exports that have not ended, and how long ago the oldest of them was created. */
export async function measureOpenExports(
  pool: Pool,
): Promise<{ pending: number; inProgress: number; oldestMs: number }> {
  const { rows } = await pool.query<{ pending: number; inProgress: number; oldestMs: number }>(
    sql.measureOpen,
  );
  const [open] = rows;
  if (!open) throw new Error('a count has one row');
  return open;
}

type Canceled = { exportId: string } & StatementColumns;

/** The statements of exports that were canceled, to be ended by `endStatement`. */
function toStatements(rows: readonly Canceled[]): ExportStatement[] {
  return rows.flatMap((row) => toStatement(row.exportId, row) ?? []);
}

/** Cancels an export. @returns null when it is not open; else the statement that reads for it, if any. */
export async function cancelExport(
  pool: Pool,
  exportId: string,
): Promise<ExportStatement[] | null> {
  const { rows } = await write<Canceled>(pool, sql.cancel, [exportId]);
  return rows.length === 0 ? null : toStatements(rows);
}

/**
 * Puts the files of a DONE export out of reach, for good.
 * @returns the attempt whose files are to be deleted now; null when none of its files are available.
 */
export async function endAvailability(pool: Pool, exportId: string): Promise<number | null> {
  const { rows } = await write<{ attempt: number }>(pool, sql.endAvailability, [exportId]);
  return rows[0]?.attempt ?? null;
}

/** Cancels a merchant's open exports. @returns the statements that read for them. */
export async function cancelMerchant(pool: Pool, merchantId: string): Promise<ExportStatement[]> {
  return toStatements((await write<Canceled>(pool, sql.cancelMerchant, [merchantId])).rows);
}

/** All exports of a merchant, open or not, each with its last job. */
export async function listMerchantExports(
  pool: Pool,
  merchantId: string,
): Promise<{ id: string; jobId: string }[]> {
  return (await pool.query<{ id: string; jobId: string }>(sql.listMerchantExports, [merchantId]))
    .rows;
}

/** Deletes export records; their files must be gone already. @returns how many. */
export async function deleteExports(pool: Pool, ids: readonly string[]): Promise<number> {
  return (await write(pool, sql.deleteExports, [ids])).rowCount ?? 0;
}

/** Up to 100 exports that ended `ageMs` ago or earlier and of which no file should be left. */
export async function forgettableExports(pool: Pool, ageMs: number): Promise<string[]> {
  return (await pool.query<{ id: string }>(sql.forgettable, [ageMs])).rows.map(({ id }) => id);
}

/** Deletes the record of an export that has ended; its files must be gone already. */
export async function forgetExport(pool: Pool, exportId: string): Promise<void> {
  await write(pool, sql.forget, [exportId]);
}

/** Notes that the files of all finished exports are gone. @returns how many exports still had theirs. */
export async function giveUpFiles(pool: Pool): Promise<number> {
  return (await write(pool, sql.giveUpFiles, [])).rowCount ?? 0;
}
