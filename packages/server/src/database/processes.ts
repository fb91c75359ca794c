/** The processes that serve or work, as they are known by their heartbeats. */
import type { Pool, Queryable } from './pool.ts';
import { DEAD_AFTER_MS, type ProcessIdentity } from './pulse.ts';
import { write } from './transaction.ts';

/** Time for which a dead process is still shown. */
const FORGOTTEN_AFTER_MS = 10 * 60_000;

/** A process that serves or works. Times are epoch milliseconds. */
export interface ProcessRecord extends ProcessIdentity {
  startedTime: number;
  /** The time of its last heartbeat. */
  beatTime: number;
  /** PostgreSQL's clock when the row was read. */
  now: number;
}

/** Processes, dead ones among them, in the order of their start. */
export async function listProcesses(database: Queryable): Promise<ProcessRecord[]> {
  const { rows } = await database.query<ProcessRecord>(
    `SELECT id, role, host, pid, version, started_time AS "startedTime", beat_time AS "beatTime",
       tillroll.now_ms() AS now
     FROM tillroll.processes ORDER BY started_time, id`,
  );
  return rows;
}

export function isAlive({ now, beatTime }: ProcessRecord): boolean {
  return now - beatTime <= DEAD_AFTER_MS;
}

/** Deletes the rows of processes that died a while ago. @returns how many. */
export async function forgetDeadProcesses(pool: Pool): Promise<number> {
  const { rowCount } = await write(
    pool,
    'DELETE FROM tillroll.processes WHERE beat_time < tillroll.now_ms() - $1::bigint',
    [FORGOTTEN_AFTER_MS],
  );
  return rowCount ?? 0;
}
