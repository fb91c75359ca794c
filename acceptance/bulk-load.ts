/** Counts and objects of loads, for the tests of bulk loading. */

import { expect } from 'vitest';
import { type Counts, type ExportType, json, line, main } from './api.ts';
import type { Answer } from './exact-requests.ts';

export const stored = (start: number, type: ExportType = 'ORDERS') =>
  main.objects(type, start, start + 60_000);

export const zero: Counts = { received: 0, inserted: 0, updated: 0, unchanged: 0, stale: 0 };

export const counts = (some: Partial<Counts>): Counts => ({ ...zero, ...some });

export const MiB = 1024 * 1024;

export function three(start: number): string[] {
  return [line(start), line(start + 1, { note: 'caf\u00e9 \u{1f950}' }), line(start + 2)];
}

export function expectCounts(answer: Answer, expected: Counts): void {
  expect(answer.status, answer.text.slice(0, 500)).toBe(200);
  expect(json<Counts>(answer)).toEqual(expected);
}

/** Refused as a whole: the same good lines are all new when they are sent again. */
export async function expectNothingStored(
  start: number,
  lines: readonly string[],
  type: ExportType = 'ORDERS',
): Promise<void> {
  expect(await stored(start, type)).toEqual([]);
  expect(await main.load(type, lines)).toEqual(
    counts({ received: lines.length, inserted: lines.length }),
  );
}
