import { CROCKFORD_ALPHABET, EXPORT_ID_LENGTH } from '@tillroll/contract';

/** Reproducible numbers from 0 to 1 (mulberry32). */
export type Random = () => number;

export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number from `low` to `high`, both inclusive. */
export function between(random: Random, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1));
}

export function oneOf<T>(random: Random, choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)] as T;
}

/** 13 characters that look random; the last five count, so that no two are the same. */
export function idFrom(random: Random, count: number): string {
  let id = '';
  for (let i = 0; i < EXPORT_ID_LENGTH - 5; i++) id += CROCKFORD_ALPHABET[between(random, 0, 31)];
  for (let i = 4; i >= 0; i--) id += CROCKFORD_ALPHABET[Math.floor(count / 32 ** i) % 32];
  return id;
}

export function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const copy = [...items];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [copy[i], copy[j]] = [copy[j] as T, copy[i] as T];
  }
  return copy;
}
