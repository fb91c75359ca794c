/** Makes ids of 13 characters, as Clover has them, that never repeat within a run. */
import { CROCKFORD_ALPHABET } from '@tillroll/contract';

/** All pairs of characters, so that an id costs seven look-ups instead of thirteen. */
const PAIRS = Array.from(
  { length: 1024 },
  (_, i) => CROCKFORD_ALPHABET.charAt(i >>> 5) + CROCKFORD_ALPHABET.charAt(i & 31),
);

function mixed(word: number, key: number): number {
  let x = (word + key) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85eb_ca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2_ae35);
  return x ^ (x >>> 16);
}

function encoded(topBit: number, high: number, low: number): string {
  return (
    CROCKFORD_ALPHABET.charAt((topBit << 4) | (high >>> 28)) +
    PAIRS[(high >>> 18) & 1023] +
    PAIRS[(high >>> 8) & 1023] +
    PAIRS[((high & 255) << 2) | (low >>> 30)] +
    PAIRS[(low >>> 20) & 1023] +
    PAIRS[(low >>> 10) & 1023] +
    PAIRS[low & 1023]
  );
}

/**
 * Ids of 13 characters: a counter through a keyed permutation (a Feistel network of four rounds).
 * A permutation cannot repeat within one run; between runs, other keys make a chance meeting as
 * likely as that of random 64-bit numbers.
 * @param keys five words.
 */
export function createIds(keys: Uint32Array): () => string {
  const [k0 = 0, k1 = 0, k2 = 0, k3 = 0, k4 = 0] = keys;
  const topBit = k4 & 1;
  let low = 0;
  let high = 0;

  return () => {
    low = (low + 1) >>> 0;
    if (low === 0) high++;
    let left = high;
    let right = low;
    left ^= mixed(right, k0);
    right ^= mixed(left, k1);
    left ^= mixed(right, k2);
    right ^= mixed(left, k3);
    return encoded(topBit, left, right);
  };
}
