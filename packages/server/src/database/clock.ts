import type { Pool } from './pool.ts';

/** The service's moment: PostgreSQL's clock, epoch milliseconds. */
export async function databaseNow(pool: Pool): Promise<number> {
  const result = await pool.query<{ now: number }>('SELECT tillroll.now_ms() AS now');
  return result.rows[0]?.now ?? Number.NaN;
}
