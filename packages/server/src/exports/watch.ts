/** Lets requests wait for changes of exports without holding a connection. */
import type { Queryable } from '../database/pool.ts';
import type { ExportState } from './state.ts';
import * as sql from './sql.ts';

/** An export's state as those who wait for it see it. */
export type WatchedState = ExportState & { id: string; objects: number };

/** Requests that may wait at once. */
export interface WatchLimits {
  /** In this process. */
  readonly total: number;
  /** Of one key: an install. */
  readonly perKey: number;
}

/** The budgets of the wire contract ("More of read"). */
export const WATCH_LIMITS: WatchLimits = { total: 2_000, perKey: 50 };

/** Notifications may be lost with their connection, and poolers deliver none: the states are read this often anyway. */
const POLL_MS = 1_000;
/** Exports of one statement. */
const MAX_READ = 500;

interface Waiter {
  readonly isAnswered: (state: WatchedState) => boolean;
  readonly answer: () => void;
}

/**
 * The requests that wait for exports. An event, or else the clock, has the states of all exports that it concerns read
 * by one statement, however many requests wait for them.
 */
export class ExportWatch {
  readonly #database: Queryable;
  readonly #limits: WatchLimits;
  readonly #onError: (error: unknown) => void;
  readonly #waiters = new Map<string, Set<Waiter>>();
  readonly #ofKey = new Map<string, number>();
  readonly #due = new Set<string>();
  #count = 0;
  #isReading = false;
  #isClosed = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(database: Queryable, limits: WatchLimits, onError: (error: unknown) => void) {
    this.#database = database;
    this.#limits = limits;
    this.#onError = onError;
  }

  /** Requests that wait now. */
  get waiting(): number {
    return this.#count;
  }

  /**
   * Resolves once `isAnswered` holds, the export is gone, the time is over, the signal aborts or the service stops; at
   * once when too many wait already. The caller then reads the export, as if it had not waited.
   * @param key whose requests are counted together. @param ms longest wait.
   */
  async wait(
    exportId: string,
    key: string,
    ms: number,
    isAnswered: (state: WatchedState) => boolean,
    signal?: AbortSignal,
  ): Promise<void> {
    const ofKey = this.#ofKey.get(key) ?? 0;
    const isFull = this.#count >= this.#limits.total || ofKey >= this.#limits.perKey;
    if (isFull || this.#isClosed || signal?.aborted) return;
    this.#count++;
    this.#ofKey.set(key, ofKey + 1);
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter: Waiter = { isAnswered, answer: resolve };
    const waiters = this.#waiters.get(exportId) ?? new Set();
    this.#waiters.set(exportId, waiters.add(waiter));
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => resolve(), { once: true });
    // Changes since the caller read the export were not heard here.
    this.changed(exportId);
    this.#timer ??= setInterval(() => this.changedAll(), POLL_MS);
    await promise;
    clearTimeout(timer);
    waiters.delete(waiter);
    if (waiters.size === 0) this.#waiters.delete(exportId);
    this.#count--;
    const left = (this.#ofKey.get(key) ?? 1) - 1;
    if (left === 0) this.#ofKey.delete(key);
    else this.#ofKey.set(key, left);
    if (this.#count === 0) this.#stopTimer();
  }

  /** Told that an export has changed. */
  changed(exportId: string): void {
    if (!this.#waiters.has(exportId)) return;
    this.#due.add(exportId);
    // Not at once: what comes in one turn of the event loop shares a statement.
    setImmediate(() => void this.#read());
  }

  /** Answers all who wait, and from then on everybody at once. */
  close(): void {
    this.#isClosed = true;
    for (const waiters of this.#waiters.values()) for (const { answer } of waiters) answer();
    this.#stopTimer();
  }

  /** Told that changes may have been missed: all that are waited for are read. */
  changedAll(): void {
    for (const exportId of this.#waiters.keys()) this.#due.add(exportId);
    void this.#read();
  }

  async #read(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      while (this.#due.size > 0) {
        const ids = [...this.#due].slice(0, MAX_READ);
        for (const id of ids) this.#due.delete(id);
        const { rows } = await this.#database.query<WatchedState>(sql.readStates, [ids]);
        const found = new Map(rows.map((row) => [row.id, row]));
        for (const id of ids) this.#judge(id, found.get(id));
      }
    } catch (error) {
      // The clock has them read again.
      this.#onError(error);
    } finally {
      this.#isReading = false;
    }
  }

  #judge(exportId: string, state: WatchedState | undefined): void {
    for (const { isAnswered, answer } of this.#waiters.get(exportId) ?? [])
      if (state === undefined || isAnswered(state)) answer();
  }

  #stopTimer(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }
}
