import { LONG_TURN_MS, MAX_STARTS_PER_TURN, MIN_STARTS_PER_TURN } from './limits.ts';

/**
 * Spreads work over turns of the event loop, in turn by key. A thousand connections that are made, or
 * requests that arrive, at the same moment would otherwise be handled in one turn, and everybody else's
 * polls would wait for the end of it. Work is begun at once while there is little of it.
 */
export class Pacer {
  /** In the order of their turns. No queue is empty. */
  readonly #queues = new Map<string, (() => void)[]>();
  #turn: NodeJS.Immediate | null = null;
  #turnedAt = 0;
  /** Amount that is begun in one turn: halved after a long turn, doubled after a short one. */
  #perTurn = MAX_STARTS_PER_TURN;
  #left = MAX_STARTS_PER_TURN;

  /** Calls `work` now, or in one of the next turns. */
  run(key: string, work: () => void): void {
    if (this.#turn === null) this.#schedule();
    if (this.#queues.size === 0 && this.#left > 0) {
      this.#left--;
      work();
      return;
    }
    const queue = this.#queues.get(key);
    if (queue) queue.push(work);
    else this.#queues.set(key, [work]);
  }

  #schedule(): void {
    this.#turnedAt = performance.now();
    this.#turn = setImmediate(() => this.#next());
  }

  #next(): void {
    this.#turn = null;
    // While a turn is scheduled the loop does not sleep: what has passed was spent on work.
    const isLong = performance.now() - this.#turnedAt > LONG_TURN_MS;
    this.#perTurn = isLong
      ? Math.max(MIN_STARTS_PER_TURN, this.#perTurn >> 1)
      : Math.min(MAX_STARTS_PER_TURN, this.#perTurn * 2);
    this.#left = this.#perTurn;
    if (this.#queues.size > 0) this.#schedule();
    while (this.#left > 0 && this.#queues.size > 0) {
      this.#left--;
      this.#beginNext();
    }
  }

  #beginNext(): void {
    for (const [key, queue] of this.#queues) {
      const work = queue.shift();
      this.#queues.delete(key);
      if (queue.length > 0) this.#queues.set(key, queue);
      work?.();
      return;
    }
  }
}
