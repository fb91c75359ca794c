/** One point in time that several waits share, so that they end together and not one after the other. */
export class Deadline {
  readonly #at: number;
  /** @param ms from now. */
  constructor(ms: number) {
    this.#at = performance.now() + ms;
  }

  /** Milliseconds that are left; 0 when it has passed. */
  remainingMs(): number {
    return Math.max(0, this.#at - performance.now());
  }

  /** Waits for `work` until the deadline. @returns whether the work ended, well or badly, in time. */
  async waitFor(work: Promise<unknown>): Promise<boolean> {
    const { promise: late, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), this.remainingMs());
    try {
      const ended = work.then(
        () => true,
        () => true,
      );
      return await Promise.race([ended, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
