/** A semaphore whose permits go to keys in turn, with bounds on those that wait. */

/** Limits of those that run at once and of those that wait, over all keys and for each one. */
export interface SemaphoreLimits {
  /** Permits in all. */
  readonly permits: number;
  /** Permits that one key may hold at once; at most, and by default, all of them. */
  readonly permitsPerKey?: number;
  /** Waiters in all. One more takes the place of the key that has the most, or is refused at once. */
  readonly waiting: number;
  /** Waiters of one key; one more is refused at once. At most, and by default, all of them. */
  readonly waitingPerKey?: number;
  /** The longest wait for a permit, ms. */
  readonly waitMs: number;
}

/** No permit: too many are waiting already, or the wait was too long. The work was not begun. */
export class Overloaded extends Error {
  override name = 'Overloaded';
}

const TOO_MANY = 'too many are waiting already';

interface Waiter {
  readonly grant: () => void;
  /** Ends the wait. */
  readonly refuse: (reason: unknown) => void;
}

/**
 * A semaphore that is fair between keys: permits go to the keys that wait in turn, and within one key
 * in the order of asking. A caller with a thousand requests waiting delays another caller's single
 * request by one turn, not by a thousand; nor does it fill the queue for the others.
 */
export class FairSemaphore {
  readonly #limits: SemaphoreLimits;
  readonly #held = new Map<string, number>();
  /** In the order of their turns: a key that was served goes to the end. No queue is empty. */
  readonly #queues = new Map<string, Set<Waiter>>();
  #holding = 0;
  #waiting = 0;

  constructor(limits: SemaphoreLimits) {
    this.#limits = limits;
  }

  /** Permits held now. */
  get holding(): number {
    return this.#holding;
  }

  /** Callers that wait for a permit now. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Runs `work` with a permit of `key`.
   * @throws Overloaded when no permit can be had in time; the signal's reason when it aborts while
   * waiting; whatever `work` throws.
   */
  async run<T>(key: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const release = await this.acquire(key, signal);
    try {
      return await work();
    } finally {
      release();
    }
  }

  /**
   * Takes a permit.
   * @returns what gives the permit back; calling it again does nothing.
   * @throws Overloaded, or the signal's reason when it aborts while waiting.
   */
  async acquire(key: string, signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (this.#isFree(key)) this.#hold(key);
    else await this.#wait(key, signal);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#release(key);
    };
  }

  #isFree(key: string): boolean {
    const { permits, permitsPerKey = permits } = this.#limits;
    return this.#holding < permits && (this.#held.get(key) ?? 0) < permitsPerKey;
  }

  #hold(key: string): void {
    this.#holding++;
    this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
  }

  #release(key: string): void {
    this.#holding--;
    const held = (this.#held.get(key) ?? 0) - 1;
    if (held > 0) this.#held.set(key, held);
    else this.#held.delete(key);
    this.#grantNext();
  }

  /** Serves the first key in turn that may have a permit. */
  #grantNext(): void {
    for (const [key, queue] of this.#queues) {
      if (!this.#isFree(key)) continue;
      const [first] = queue;
      if (!first) continue;
      this.#leave(key, first);
      const rest = this.#queues.get(key);
      if (rest) {
        this.#queues.delete(key);
        this.#queues.set(key, rest);
      }
      this.#hold(key);
      first.grant();
      return;
    }
  }

  #leave(key: string, waiter: Waiter): void {
    const queue = this.#queues.get(key);
    if (!queue?.delete(waiter)) return;
    this.#waiting--;
    if (queue.size === 0) this.#queues.delete(key);
  }

  /**
   * Refuses the newest waiter of the key that has the most, if those are more than a newcomer's key would
   * have. @returns whether there is room now.
   */
  #makeRoom(ofNewcomer: number): boolean {
    let longest: Set<Waiter> | null = null;
    for (const queue of this.#queues.values()) {
      if (longest === null || queue.size > longest.size) longest = queue;
    }
    if (longest === null || longest.size <= ofNewcomer + 1) return false;
    [...longest].at(-1)?.refuse(new Overloaded(TOO_MANY));
    return true;
  }

  async #wait(key: string, signal: AbortSignal | undefined): Promise<void> {
    const { waiting, waitingPerKey = waiting, waitMs } = this.#limits;
    const queue = this.#queues.get(key) ?? new Set<Waiter>();
    if (queue.size >= waitingPerKey || (this.#waiting >= waiting && !this.#makeRoom(queue.size))) {
      throw new Overloaded(TOO_MANY);
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const refuse = (reason: unknown): void => {
      this.#leave(key, waiter);
      reject(reason as Error);
    };
    const waiter: Waiter = { grant: resolve, refuse };
    const timer = setTimeout(() => refuse(new Overloaded(`no turn within ${waitMs} ms`)), waitMs);
    const onAbort = (): void => refuse(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    queue.add(waiter);
    this.#queues.set(key, queue);
    this.#waiting++;
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }
}
