import { createHash } from 'node:crypto';

/** Random numbers that a seed repeats: the moments and sizes of a case's faults. */
export class Random {
  #state: number;

  /** @param seed any text; a case adds its name, so that its numbers do not depend on which cases ran before. */
  constructor(seed: string) {
    this.#state = createHash('sha256').update(seed).digest().readUInt32LE(0);
  }

  /** From 0 to 1, exclusive: the generator `mulberry32`. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** From `low` to `high`, exclusive. */
  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }
}
