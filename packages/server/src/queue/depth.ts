/** Counts the jobs of the queue, without opening it. */
import type { Queryable } from '../database/pool.ts';

/** The jobs that run exports, counted. */
export interface QueueDepth {
  /** Jobs that any free worker may take. */
  waiting: number;
  /** Milliseconds for which the oldest of them has waited; null when there is none. */
  oldestMs: number | null;
  /** Jobs that wait for the moment of their next try. */
  delayed: number;
  running: number;
}

const COUNT = `
  SELECT count(*) FILTER (WHERE state <> 'active' AND start_after <= now())::int AS waiting,
    (extract(epoch FROM now() - min(start_after) FILTER (WHERE state <> 'active' AND start_after <= now()))
      * 1000)::bigint AS "oldestMs",
    count(*) FILTER (WHERE state <> 'active' AND start_after > now())::int AS delayed,
    count(*) FILTER (WHERE state = 'active')::int AS running
  FROM tillroll_queue.job
  WHERE name = 'run-export' AND state IN ('created', 'retry', 'active')`;

/** Counts the jobs that run exports. Null when the queue has no tables yet. */
export async function readQueueDepth(database: Queryable): Promise<QueueDepth | null> {
  const { rows } = await database.query<{ found: boolean }>(
    `SELECT to_regclass('tillroll_queue.job') IS NOT NULL AS found`,
  );
  if (!rows[0]?.found) return null;
  return (await database.query<QueueDepth>(COUNT)).rows[0] ?? null;
}
