/** Paces requests to the rate that the service allows. */
import { abortable, sleep } from './retry.ts';

/** A token may send 16 requests a second (wire contract, 429); a little less leaves room for clocks. */
const SHORTEST_GAP_MS = 1000 / 14;
const LONGEST_GAP_MS = 5_000;

/**
 * Paces the requests that carry the token: one at a time, and not faster than the service allows. A 429
 * doubles the gap between two requests; each answer without one shortens it a little.
 */
export class RateLimiter {
  #gapMs = SHORTEST_GAP_MS;
  #next = 0;
  #last: Promise<void> = Promise.resolve();

  /** Runs `request` in its turn. @throws ExportError INTERRUPTED when the signal fires before. */
  async run<T>(signal: AbortSignal | undefined, request: () => Promise<T>): Promise<T> {
    const before = this.#last;
    const turn = Promise.withResolvers<void>();
    this.#last = turn.promise;
    try {
      await abortable(before, signal);
      const wait = this.#next - performance.now();
      if (wait > 0) await sleep(wait, signal);
      this.#next = performance.now() + this.#gapMs;
      return await request();
    } finally {
      // A request that was interrupted passes its turn on only when the one before has ended.
      void before.then(turn.resolve);
    }
  }

  slowDown(): void {
    this.#gapMs = Math.min(LONGEST_GAP_MS, this.#gapMs * 2);
  }

  speedUp(): void {
    this.#gapMs = Math.max(SHORTEST_GAP_MS, this.#gapMs * 0.8);
  }
}
