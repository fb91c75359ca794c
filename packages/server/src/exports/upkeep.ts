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

/** Cancels a merchant's open exports. @returns the ids of all its exports, open or not. */
export async function closeMerchant(pool: Pool, merchantId: string): Promise<string[]> {
  await pool.query(sql.cancelMerchant, [merchantId]);
  return (await pool.query<{ id: string }>(sql.exportIdsOfMerchant, [merchantId])).rows.map(
    ({ id }) => id,
  );
}

/** Deletes a merchant's export records; their files must be gone already. */
export async function deleteExports(pool: Pool, merchantId: string): Promise<number> {
  return (await pool.query(sql.deleteExportsOfMerchant, [merchantId])).rowCount ?? 0;
}

/** Up to 100 exports that ended `ageMs` ago or earlier and of which no file should be left. */
export async function forgettableExports(pool: Pool, ageMs: number): Promise<string[]> {
  return (await pool.query<{ id: string }>(sql.forgettable, [ageMs])).rows.map(({ id }) => id);
}

/** Deletes the record of an export that has ended; its files must be gone already. */
export async function forgetExport(pool: Pool, exportId: string): Promise<void> {
  await pool.query(sql.forget, [exportId]);
}

/** Notes that the files of all finished exports are gone. @returns how many exports still had theirs. */
export async function giveUpFiles(pool: Pool): Promise<number> {
  return (await pool.query(sql.giveUpFiles)).rowCount ?? 0;
}
