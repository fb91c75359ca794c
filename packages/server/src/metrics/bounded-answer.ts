/** Answers for a scrape, which must not wait for long. */
/** Longest wait for an answer. */
const WAIT_MS = 1_000;
/** Scrapes that come sooner get the same answer. */
const FRESH_MS = 5_000;

/** Waits for `work` up to `ms`. @returns null when it takes longer, or fails. */
export async function waitAtMost<T>(work: Promise<T>, ms: number): Promise<T | null> {
  const { promise: late, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(() => resolve(null), ms);
  try {
    return await Promise.race([work.catch(() => null), late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Asks something that may be slow, such as the database, for those who must not wait: one question at a time, whose
 * answer serves all who come within 5 s.
 */
export class BoundedAnswer<T> {
  readonly #ask: () => Promise<T>;
  readonly #onError: (error: unknown) => void;
  #running: Promise<void> | null = null;
  #last: { readonly answer: T; readonly at: number } | null = null;

  constructor(ask: () => Promise<T>, onError: (error: unknown) => void) {
    this.#ask = ask;
    this.#onError = onError;
  }

  /** @returns null when there is no answer within 1 s. */
  async read(): Promise<T | null> {
    if (this.#findFresh() === null) {
      this.#running ??= this.#run();
      await waitAtMost(this.#running, WAIT_MS);
    }
    return this.#findFresh();
  }

  #findFresh(): T | null {
    if (!this.#last || performance.now() - this.#last.at > FRESH_MS) return null;
    return this.#last.answer;
  }

  async #run(): Promise<void> {
    try {
      const answer = await this.#ask();
      this.#last = { answer, at: performance.now() };
    } catch (error) {
      this.#onError(error);
    } finally {
      this.#running = null;
    }
  }
}
