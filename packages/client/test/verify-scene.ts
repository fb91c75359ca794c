/** A sound directory of two months, and what `verify` finds in it. */

import { expect } from 'vitest';
import { verify } from '../src/directory/verify.ts';
import { commitMonths, FEBRUARY, JANUARY, openDirectory } from './directory-scene.ts';
import { temporary } from './output-directory.ts';

export const LINES = 'orders/2026-01.jsonl';

export const OTHER_LINES = 'orders/2026-02.jsonl';

/** A sound directory of two months. */
export async function makeDirectory(
  format: 'jsonl' | 'csv' | 'parquet' = 'jsonl',
  gzip = false,
): Promise<string> {
  const out = temporary();
  const directory = await openDirectory(out, { format, gzip });
  await commitMonths(directory, [JANUARY, FEBRUARY]);
  await directory[Symbol.asyncDispose]();
  return out;
}

/** The faults that `verify` finds, as `path: message`. */
export async function faultsIn(out: string): Promise<string[]> {
  const { isSound, faults } = await verify(out);
  expect(isSound).toBe(faults.length === 0);
  return faults.map(({ path, message }) => `${path}: ${message}`);
}
