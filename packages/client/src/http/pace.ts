import { sleep } from './backoff.ts';

/** 16 a second are allowed to a token (wire contract, 429); a little less leaves room for clocks. */
const FASTEST_MS = 1000 / 14;
const SLOWEST_MS = 5_000;

/**
 * The rhythm of the requests that carry the token: one at a time, and never faster than the far side
 * allows. A 429 halves the pace; each answer without one brings it back a little.
 */
export class Pace {
  #gapMs = FASTEST_MS;
  #next = 0;
  #last: Promise<void> = Promise.resolve();

  /** Runs `request` when its turn comes. */
  async take<T>(signal: AbortSignal | undefined, request: () => Promise<T>): Promise<T> {
    const before = this.#last;
    let done = (): void => undefined;
    this.#last = new Promise((resolve) => {
      done = resolve;
    });
    try {
      await before;
      const wait = this.#next - performance.now();
      if (wait > 0) await sleep(wait, signal);
      this.#next = performance.now() + this.#gapMs;
      return await request();
    } finally {
      done();
    }
  }

  slower(): void {
    this.#gapMs = Math.min(SLOWEST_MS, this.#gapMs * 2);
  }

  faster(): void {
    this.#gapMs = Math.max(FASTEST_MS, this.#gapMs * 0.8);
  }
}
