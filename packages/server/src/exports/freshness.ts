/** Finds what a copy of the database holds of an export, and the position that it must have replayed. */
import type { Pool, Queryable } from '../database/pool.ts';
import { write } from '../database/transaction.ts';
import type { Attempt } from './attempts.ts';
import * as sql from './sql.ts';

/** Tells whether the exports of a database can be read in a snapshot; another system's has none. */
export async function canReadExports(snapshot: Queryable): Promise<boolean> {
  const { rows } = await snapshot.query<{ readable: boolean | null }>(sql.canReadExports);
  return rows[0]?.readable ?? false;
}

/** Tells whether a snapshot holds an export: then it holds whatever was committed before it was created. */
export async function hasExport(snapshot: Queryable, exportId: string): Promise<boolean> {
  const { rows } = await snapshot.query<{ found: boolean }>(sql.hasExport, [exportId]);
  return rows[0]?.found ?? false;
}

/**
 * Records a position of the write-ahead log behind the transaction that created the export, once: a later
 * attempt waits for the same one. @returns null when the attempt is not the current one any more.
 */
export async function recordWalPosition(pool: Pool, attempt: Attempt): Promise<string | null> {
  const values = [attempt.exportId, attempt.number];
  const { rows } = await write<{ position: string }>(pool, sql.recordWalPosition, values);
  return rows[0]?.position ?? null;
}
