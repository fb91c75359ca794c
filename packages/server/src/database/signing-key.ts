/** The key that signs file URLs, kept in the database. */
import { randomBytes } from 'node:crypto';
import type { Pool } from './pool.ts';
import { write } from './transaction.ts';

/** The key that signs file URLs when none is configured: made once, the same for every process. */
export async function sharedSigningKey(pool: Pool): Promise<string> {
  await write(pool, 'INSERT INTO tillroll.signing_key (key) VALUES ($1) ON CONFLICT DO NOTHING', [
    randomBytes(32).toString('hex'),
  ]);
  const { rows } = await pool.query<{ key: string }>('SELECT key FROM tillroll.signing_key');
  const key = rows[0]?.key;
  if (!key) throw new Error('the signing key could not be stored');
  return key;
}
