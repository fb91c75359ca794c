/** A small fast random generator that gives the same numbers for the same seed. */
import { createHash } from 'node:crypto';

/** A small fast generator (sfc32) behind the few questions that sample data asks. */
export interface Random {
  /** In [0, 1), 32 bits. */
  next(): number;
  /** An integer from `low` to `high`, both inclusive. */
  int(low: number, high: number): number;
  chance(probability: number): boolean;
  pick<T>(choices: readonly T[]): T;
}

/** Eight 32-bit words that depend on every part, so that neighbouring seeds share nothing. */
export function wordsFrom(...parts: readonly (string | number)[]): Uint32Array {
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest();
  return Uint32Array.from({ length: 8 }, (_, i) => digest.readUInt32LE(i * 4));
}

/** @param words the first four seed the generator. */
export function createRandom(words: Uint32Array): Random {
  let [a = 0, b = 0, c = 0, counter = 0] = words;

  function next(): number {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 0x1_0000_0000;
  }

  return {
    next,
    int: (low, high) => low + Math.floor(next() * (high - low + 1)),
    chance: (probability) => next() < probability,
    pick<T>(choices: readonly T[]): T {
      if (choices.length === 0) throw new RangeError('nothing to pick from');
      return choices[Math.floor(next() * choices.length)] as T;
    },
  };
}
