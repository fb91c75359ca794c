/** Repeats a check in the background and keeps its last result. */
import { setTimeout as delay } from 'node:timers/promises';

export interface WatchOptions {
  /** Throws when something is wrong. @param signal aborts when the check takes too long. */
  check: (signal: AbortSignal) => Promise<void>;
  everyMs: number;
  /** The longest check; one that takes longer has failed. */
  boundMs: number;
  /** Called when the result changes, and for the first fault; with null once all is well again. */
  onChange: (fault: unknown) => void;
}

/** A result that is so many intervals old is not one any more: the check itself hangs. */
const STALE_INTERVALS = 3;

/** Runs a check again and again in the background, and remembers its last result. */
export class Watch {
  readonly #options: WatchOptions;
  readonly #closing = new AbortController();
  #running: Promise<void> | null = null;
  #isGood = false;
  #fault: unknown = null;
  #checkedAt = -Infinity;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** Tells whether the last result is good and fresh. Answers at once. */
  get isGood(): boolean {
    const { everyMs, boundMs } = this.#options;
    const age = performance.now() - this.#checkedAt;
    return this.#isGood && age <= STALE_INTERVALS * everyMs + boundMs;
  }

  /** Runs the first check, and the others in the background until `close`. */
  async start(): Promise<void> {
    await this.#check();
    this.#running = this.#repeat();
  }

  async #repeat(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await delay(this.#options.everyMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (!signal.aborted) await this.#check();
    }
  }

  async #check(): Promise<void> {
    const { check, boundMs, onChange } = this.#options;
    const bound = AbortSignal.any([AbortSignal.timeout(boundMs), this.#closing.signal]);
    const aborted = Promise.withResolvers<never>();
    const onAbort = (): void => aborted.reject(new Error(`no result within ${boundMs} ms`));
    bound.addEventListener('abort', onAbort, { once: true });
    let fault: unknown = null;
    try {
      await Promise.race([check(bound), aborted.promise]);
    } catch (error) {
      fault = error;
    } finally {
      bound.removeEventListener('abort', onAbort);
    }
    if (this.#closing.signal.aborted) return;
    const isGood = fault === null;
    const hasChanged = isGood ? this.#fault !== null : this.#isGood || this.#fault === null;
    this.#isGood = isGood;
    this.#fault = fault;
    this.#checkedAt = performance.now();
    if (hasChanged) onChange(fault);
  }

  /** Ends the checks; none is under way any more once this resolves. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }
}
