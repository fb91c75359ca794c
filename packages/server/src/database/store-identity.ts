/** The id of the store, as the database knows it. */
import type { Pool } from './pool.ts';
import { write } from './transaction.ts';

/** The id of the store that belongs to this database. */
export interface StoreIdentity {
  id: string;
  /** True when the store has it, too. Until then it is what a process is about to write there. */
  bound: boolean;
}

export async function readStoreIdentity(pool: Pool): Promise<StoreIdentity | null> {
  const { rows } = await pool.query<StoreIdentity>('SELECT id, bound FROM tillroll.store');
  return rows[0] ?? null;
}

/** Notes the id that is about to be written into the store. A bound one is never replaced. */
export async function proposeStoreIdentity(pool: Pool, id: string): Promise<void> {
  await write(
    pool,
    `INSERT INTO tillroll.store (id, bound) VALUES ($1, false)
     ON CONFLICT (only_one) DO UPDATE SET id = $1 WHERE NOT store.bound`,
    [id],
  );
}

/** Says that the store has its id. */
export async function bindStoreIdentity(pool: Pool, id: string): Promise<void> {
  await write(pool, 'UPDATE tillroll.store SET bound = true WHERE id = $1', [id]);
}

/** Forgets that a store was bound: the next process to start may give its store an id. */
export async function releaseStoreIdentity(pool: Pool): Promise<void> {
  await write(pool, 'UPDATE tillroll.store SET bound = false', []);
}
