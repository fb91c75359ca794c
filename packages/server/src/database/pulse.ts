/** Proves that the database can be written to, and keeps its clock. */
import type { Pool } from './pool.ts';
import { inTransaction } from './transaction.ts';
import { schemaFault } from './migrations.ts';

/** The moment of PostgreSQL's clock, and of this process's monotonic clock when it was taken. */
interface Sample {
  serverMs: number;
  at: number;
}

/**
 * Proves that a session can write, by writing: a server that is read-only, whose disk is full, or
 * whose standby does not confirm, answers reads as ever. Who finds the row locked leaves it: another
 * process is proving the same.
 */
const BEAT = `
  UPDATE tillroll.pulse SET beats = beats + 1
  WHERE only_one IN (SELECT only_one FROM tillroll.pulse FOR UPDATE SKIP LOCKED)`;

/** The database's pulse: whether it can be written to, and what time it is there. */
export class Pulse {
  readonly #pool: Pool;
  #sample: Sample | null = null;

  /** @param pool of its own, so that a check never waits for what requests hold. */
  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** One check. @throws what keeps the database from being used. */
  async check(): Promise<void> {
    const fault = await schemaFault(this.#pool);
    if (fault) throw new Error(fault);
    const sample = await inTransaction(this.#pool, async (client) => {
      await client.query(BEAT);
      const asked = performance.now();
      const { rows } = await client.query<{ now: number }>('SELECT tillroll.now_ms() AS now');
      const answered = performance.now();
      const serverMs = rows[0]?.now ?? Number.NaN;
      return { serverMs, at: (asked + answered) / 2 };
    });
    this.#sample = sample;
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
