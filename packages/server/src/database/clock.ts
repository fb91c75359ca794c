import type { Queryable } from './pool.ts';

/** The service's moment: PostgreSQL's clock, epoch milliseconds. `Pulse.now` needs no query. */
export async function databaseNow(database: Queryable): Promise<number> {
  const result = await database.query<{ now: number }>('SELECT tillroll.now_ms() AS now');
  return result.rows[0]?.now ?? Number.NaN;
}
