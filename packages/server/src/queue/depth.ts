/** Counts the jobs of a queue. */
import type { Queryable } from '../database/pool.ts';

/** The jobs that run exports, over all processes. */
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
export async function measureQueue(database: Queryable): Promise<QueueDepth> {
  const { rows } = await database.query<QueueDepth>(
    `SELECT (count(*) FILTER (WHERE state < 'active' AND start_after <= now()))::int AS due,
       (count(*) FILTER (WHERE state < 'active' AND start_after > now()))::int AS delayed,
       (count(*) FILTER (WHERE state = 'active'))::int AS running,
       coalesce(extract(epoch FROM now() - min(start_after)
         FILTER (WHERE state < 'active' AND start_after <= now())) * 1000, 0)::float8 AS "oldestDueMs"
     FROM tillroll_queue.job WHERE name = 'run-export' AND state <= 'active'`,
  );
  const [depth] = rows;
  if (!depth) throw new Error('a count has one row');
  return depth;
}

/** Counts them without opening the queue. Null when it has no tables yet. */
export async function findQueueDepth(database: Queryable): Promise<QueueDepth | null> {
  const { rows } = await database.query<{ found: boolean }>(
    `SELECT to_regclass('tillroll_queue.job') IS NOT NULL AS found`,
  );
  return rows[0]?.found ? measureQueue(database) : null;
}
