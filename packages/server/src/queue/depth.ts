/** Counts the jobs of a queue. */
import type { Pool } from '../database/pool.ts';

/** Jobs of one kind, over all processes. */
export interface QueueDepth {
  /** May be taken now. */
  due: number;
  /** Wait for their next try. */
  delayed: number;
  running: number;
  /** Milliseconds that the first of those that are due has waited for a worker; 0 when there is none. */
  oldestDueMs: number;
}

/** A job that waits has a state below `active`, in pg-boss's ordered enum, and may be taken from `start_after` on. */
export async function measureQueue(pool: Pool, schema: string, name: string): Promise<QueueDepth> {
  const { rows } = await pool.query<QueueDepth>(
    `SELECT (count(*) FILTER (WHERE state < 'active' AND start_after <= now()))::int AS due,
       (count(*) FILTER (WHERE state < 'active' AND start_after > now()))::int AS delayed,
       (count(*) FILTER (WHERE state = 'active'))::int AS running,
       coalesce(extract(epoch FROM now() - min(start_after)
         FILTER (WHERE state < 'active' AND start_after <= now())) * 1000, 0)::float8 AS "oldestDueMs"
     FROM ${schema}.job WHERE name = $1 AND state <= 'active'`,
    [name],
  );
  const [depth] = rows;
  if (!depth) throw new Error('a count has one row');
  return depth;
}
