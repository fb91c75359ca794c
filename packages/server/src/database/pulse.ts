/** Proves that the database can be written to, keeps its clock, and tells other processes that this one lives. */
import { schemaFault } from './migrations.ts';
import type { Pool } from './pool.ts';
import { inTransaction, write } from './transaction.ts';

/** A process writes its row every two seconds. One that has not for so long is dead, or cannot reach the database. */
export const DEAD_AFTER_MS = 20_000;

/** The moment of PostgreSQL's clock, and of this process's monotonic clock when it was taken. */
interface Sample {
  serverMs: number;
  at: number;
}

/** A process as other processes see it. */
export interface ProcessIdentity {
  /** Unique, also where hosts and process numbers come again. */
  readonly id: string;
  /** The command that started it: `all`, `serve` or `work`. */
  readonly role: string;
  readonly host: string;
  readonly pid: number;
  /** Version of the program. */
  readonly version: string;
}

/**
 * Writes the process's row, and proves by it that a session can write: a server that is read-only, whose disk
 * is full, or whose standby does not confirm, answers reads as ever. A row that was taken for dead and deleted
 * is written again. $1 id, $2 role, $3 host, $4 pid, $5 version, $6 age in ms
 * at which a process is dead. Returns how many processes answer requests.
 */
const BEAT = `
  INSERT INTO tillroll.processes AS p (id, role, host, pid, version, started_time, beat_time)
  SELECT $1, $2, $3, $4, $5, clock.now, clock.now FROM (SELECT tillroll.now_ms() AS now) clock
  ON CONFLICT (id) DO UPDATE SET beat_time = excluded.beat_time
  RETURNING beat_time AS now, (
    SELECT count(*)::int FROM tillroll.processes o
    WHERE o.role <> 'work' AND o.beat_time > tillroll.now_ms() - $6::bigint) AS serving`;

/** The database's pulse: whether it can be written to, and what time it is there. Others see by it that this process lives. */
export class Pulse {
  readonly #pool: Pool;
  readonly #process: ProcessIdentity;
  #sample: Sample | null = null;
  #serving = 1;

  /** @param pool of its own, so that a check never waits for what requests hold. */
  constructor(pool: Pool, process: ProcessIdentity) {
    this.#pool = pool;
    this.#process = process;
  }

  /** One check. @throws what keeps the database from being used. */
  async check(): Promise<void> {
    const fault = await schemaFault(this.#pool);
    if (fault) throw new Error(fault);
    const { id, role, host, pid, version } = this.#process;
    this.#sample = await inTransaction(this.#pool, async (client) => {
      const asked = performance.now();
      const values = [id, role, host, pid, version, DEAD_AFTER_MS];
      const { rows } = await client.query<{ now: number; serving: number }>(BEAT, values);
      this.#serving = Math.max(1, rows[0]?.serving ?? 1);
      const answered = performance.now();
      return { serverMs: rows[0]?.now ?? Number.NaN, at: (asked + answered) / 2 };
    });
  }

  /** Processes that answer requests, as of the last check; at least 1. */
  get serving(): number {
    return this.#serving;
  }

  /** Removes the process's row: it ends in order. No check may be under way, or follow. */
  async end(): Promise<void> {
    await write(this.#pool, 'DELETE FROM tillroll.processes WHERE id = $1', [this.#process.id]);
  }

  /**
   * PostgreSQL's clock now, epoch milliseconds, without asking it: the last sample and what has passed
   * since then. What decides something at create asks PostgreSQL in its own transaction.
   */
  now(): number {
    if (!this.#sample) throw new Error('the clock has not been read yet');
    const { serverMs, at } = this.#sample;
    return Math.floor(serverMs + (performance.now() - at));
  }
}
