import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LineBudget } from '../src/http/line-budget.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

test('one line a second, and all others are counted', () => {
  const reported: [at: number, omitted: number][] = [];
  const budget = new LineBudget({ burst: 1, perSecond: 1 }, (omitted) =>
    reported.push([performance.now() - begun, omitted]),
  );
  const begun = performance.now();
  let written = 0;
  for (let i = 0; i < 1_000; i++) {
    if (budget.take()) written++;
    vi.advanceTimersByTime(10);
  }
  budget.flush();
  const counted = reported.reduce((sum, [, omitted]) => sum + omitted, 0);
  expect(written + counted).toBe(1_000);
  expect(written + reported.length).toBeLessThanOrEqual(12);
  expect(written).toBeGreaterThan(0);
});

test('a burst passes whole, and the budget fills again', () => {
  const reported: number[] = [];
  const budget = new LineBudget({ burst: 100, perSecond: 10 }, (omitted) => reported.push(omitted));
  const take = (count: number): number =>
    Array.from({ length: count }, () => budget.take()).filter(Boolean).length;
  expect(take(150)).toBe(100);
  vi.advanceTimersByTime(1_000);
  expect(reported).toEqual([50]);
  expect(take(20)).toBe(9);
  vi.advanceTimersByTime(20_000);
  expect(reported).toEqual([50, 11]);
  expect(take(100)).toBe(100);
});
