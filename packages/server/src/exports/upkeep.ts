import type { Pool } from '../database/pool.ts';
import * as sql from './sql.ts';

/** The attempt whose files must stay, or null when everything of this export may go. */
export async function keptAttempt(pool: Pool, exportId: string): Promise<number | null> {
  const { rows } = await pool.query<{ attempt: number }>(sql.keptAttempt, [exportId]);
  return rows[0]?.attempt ?? null;
}

/** Records that the files of an expired export are gone. @returns false while it has not expired. */
export async function markExpired(pool: Pool, exportId: string): Promise<boolean> {
  return ((await pool.query(sql.expire, [exportId])).rowCount ?? 0) > 0;
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

/** @returns whether the export was open and is CANCELED now. */
export async function cancelExport(pool: Pool, exportId: string): Promise<boolean> {
  return ((await pool.query(sql.cancel, [exportId])).rowCount ?? 0) > 0;
}

/** Cancels a merchant's open exports. @returns all its exports, open or not, each with its last job. */
export async function closeMerchant(
  pool: Pool,
  merchantId: string,
): Promise<{ id: string; jobId: string }[]> {
  await pool.query(sql.cancelMerchant, [merchantId]);
  return (await pool.query<{ id: string; jobId: string }>(sql.exportsOfMerchant, [merchantId]))
    .rows;
}

/** Deletes export records; their files must be gone already. @returns how many. */
export async function deleteExports(pool: Pool, ids: readonly string[]): Promise<number> {
  return (await pool.query(sql.deleteExports, [ids])).rowCount ?? 0;
}
