import type { Socket } from 'node:net';
import { SLOW_TURN_MS, STARTS_PER_TURN } from './limits.ts';

interface Waiting {
  readonly socket: Socket;
  readonly start: () => void;
}

/**
 * Starts new connections a few at a time, with a turn of the event loop in between, and in turn by
 * address. The first bytes of a thousand connections that are made at once would otherwise be handled
 * in one turn, and everybody else's polls would wait for the end of it.
 */
export class Admission {
  /** In the order of their turns. No queue is empty. */
  readonly #queues = new Map<string, Waiting[]>();
  #turn: NodeJS.Immediate | null = null;
  #turnedAt = 0;

  /** @param start begins to read; it is not called for a connection that was closed meanwhile. */
  add(address: string, socket: Socket, start: () => void): void {
    const queue = this.#queues.get(address);
    if (queue) queue.push({ socket, start });
    else this.#queues.set(address, [{ socket, start }]);
    if (this.#turn === null) this.#schedule();
  }

  #schedule(): void {
    this.#turnedAt = performance.now();
    this.#turn = setImmediate(() => {
      this.#turn = null;
      // What the last ones cost shows only now: reading happens between two turns.
      const isSlow = performance.now() - this.#turnedAt > SLOW_TURN_MS;
      for (let n = isSlow ? 1 : STARTS_PER_TURN; n > 0 && this.#queues.size > 0; n--) {
        this.#startNext();
      }
      if (this.#queues.size > 0) this.#schedule();
    });
  }

  #startNext(): void {
    for (const [address, queue] of this.#queues) {
      const next = queue.shift();
      this.#queues.delete(address);
      if (queue.length > 0) this.#queues.set(address, queue);
      if (next && !next.socket.destroyed) next.start();
      return;
    }
  }
}
