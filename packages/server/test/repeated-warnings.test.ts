import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Logger } from '../src/log.ts';
import { RepeatedWarnings } from '../src/repeated-warnings.ts';

const lines: unknown[] = [];
const log = {
  warn: (fields: object, msg: string) => void lines.push({ ...fields, msg }),
} as unknown as Logger;

beforeEach(() => {
  lines.length = 0;
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('a cause is told at once, then once a window with how often it came again', () => {
  const warnings = new RepeatedWarnings(log, 1000);
  for (let n = 0; n < 500; n++) warnings.warn('queue', new Error('connect ECONNREFUSED'));
  expect(lines).toEqual([{ error: 'connect ECONNREFUSED', msg: 'queue' }]);
  vi.advanceTimersByTime(1000);
  expect(lines.splice(1)).toEqual([
    { error: 'connect ECONNREFUSED', times: 499, msg: 'queue (repeated)' },
  ]);
  warnings.warn('queue', new Error('connect ECONNREFUSED'));
  vi.advanceTimersByTime(1000);
  expect(lines.splice(1)).toEqual([
    { error: 'connect ECONNREFUSED', times: 1, msg: 'queue (repeated)' },
  ]);
  vi.advanceTimersByTime(10_000);
  expect(lines).toHaveLength(1);
  expect(vi.getTimerCount()).toBe(0);
});

test('after a quiet window the same cause is news again', () => {
  const warnings = new RepeatedWarnings(log, 1000);
  warnings.warn('queue', 'down');
  vi.advanceTimersByTime(2000);
  warnings.warn('queue', 'down');
  expect(lines).toEqual([
    { error: 'down', msg: 'queue' },
    { error: 'down', msg: 'queue' },
  ]);
});

test('causes are apart by message and by error', () => {
  const warnings = new RepeatedWarnings(log, 1000);
  for (const message of ['queue', 'pool'])
    for (const error of ['down', 'full']) for (let n = 0; n < 3; n++) warnings.warn(message, error);
  expect(lines).toHaveLength(4);
});

test('what was counted is told at the end, and no timer is left', () => {
  const warnings = new RepeatedWarnings(log, 1000);
  for (let n = 0; n < 3; n++) warnings.warn('queue', 'down');
  warnings.warn('queue', 'once');
  warnings.flush();
  expect(lines.slice(2)).toEqual([{ error: 'down', times: 2, msg: 'queue (repeated)' }]);
  expect(vi.getTimerCount()).toBe(0);
});

test('causes without end, each with a text of its own, take no memory without end', () => {
  const warnings = new RepeatedWarnings(log, 1000);
  for (let n = 0; n < 1000; n++) warnings.warn('queue', `cause ${n}`);
  expect(vi.getTimerCount()).toBeLessThanOrEqual(100);
  expect(lines).toHaveLength(1000);
});
