import { expect, test } from 'vitest';
import { layout } from '../src/display/layout.ts';
import { PullState } from '../src/display/pull-state.ts';
import { drawBar } from '../src/display/terminal.ts';
import { FEBRUARY, JANUARY, month } from './fixture.ts';

const PLAN = {
  event: 'plan',
  from: JANUARY,
  to: FEBRUARY,
  timezone: 'UTC',
  out: '/data/sales',
  format: 'jsonl',
} as const;
const names = Array.from({ length: 250 }, (_, i) => `orders/${i}`);
const draw = drawBar(['#', '.']);

function planned(format: 'jsonl' | 'duckdb' = 'jsonl'): PullState {
  const state = new PullState(0);
  state.apply({ ...PLAN, format, months: names.map((name) => month(name)) }, 0);
  return state;
}

test('a kept month counts as done, and not as received', () => {
  const state = new PullState(0);
  const kept = month('orders/0', { stage: 'kept', objects: 1000, bytes: 1_000_000 });
  state.apply({ ...PLAN, months: [kept, month('orders/1')] }, 0);
  const { fraction, ended, objects, bytesPerSecond } = state.snapshot(1000);
  expect({ fraction, ended, objects }).toEqual({ fraction: 0.5, ended: 1, objects: 1000 });
  expect(bytesPerSecond).toBeNull();
});

test('the speed is that of the last seconds', () => {
  const state = planned();
  const download = (bytes: number) =>
    ({ event: 'month', month: month('orders/0', { stage: 'downloading', bytes }) }) as const;
  for (let s = 1; s <= 20; s++) state.apply(download(s * 1_000_000), s * 1000);
  expect(state.snapshot(20_000).bytesPerSecond).toBeCloseTo(1_000_000, -4);
  // Nothing more arrives: the speed falls to nothing.
  for (let s = 21; s <= 40; s++) state.snapshot(s * 1000);
  expect(state.snapshot(40_000).bytesPerSecond).toBeNull();
});

test('the time left does not count the hours in which the server was closed', () => {
  const run = (closedMs: number) => {
    const state = planned();
    const hour = 3_600_000;
    state.apply({ event: 'month', month: month('orders/0', { stage: 'creating' }) }, 0);
    if (closedMs > 0)
      state.apply(
        { event: 'waiting', reason: 'hours', until: closedMs, opens: closedMs, message: '' },
        0,
      );
    state.apply({ event: 'month', month: month('orders/0', { stage: 'exporting' }) }, closedMs);
    for (const name of names.slice(0, 125))
      state.apply({ event: 'month', month: month(name, { stage: 'done' }) }, closedMs + hour);
    return state.snapshot(closedMs + hour).leftMs;
  };
  expect(run(0)).toBeCloseTo(3_600_000);
  expect(run(19 * 3_600_000)).toBeCloseTo(3_600_000);
});

test('a wait is shown until its end, or until the server accepts what waited', () => {
  const state = planned();
  const wait = {
    event: 'waiting',
    reason: 'hours',
    until: 9000,
    opens: 9000,
    message: '',
  } as const;
  state.apply({ event: 'month', month: month('orders/0', { stage: 'creating' }) }, 0);
  state.apply(wait, 0);
  // Another month that still downloads does not end it.
  state.apply({ event: 'month', month: month('orders/1', { stage: 'downloading' }) }, 10);
  expect(state.snapshot(100).waiting).toMatchObject({ reason: 'hours' });
  expect(state.snapshot(9001).waiting).toBeNull();
  state.apply(wait, 0);
  state.apply({ event: 'month', month: month('orders/0', { stage: 'exporting' }) }, 200);
  expect(state.snapshot(300).waiting).toBeNull();
});

test('before the plan there is a line only for what is waited for', () => {
  const state = new PullState(0);
  const size = { width: 79, rows: 6 };
  expect(layout(state.snapshot(0), size, draw, 0)).toEqual([]);
  const message = 'sales may be in use by another process; waiting up to 30 s to see';
  state.apply({ event: 'waiting', reason: 'lock', until: 30_000, opens: null, message }, 0);
  expect(layout(state.snapshot(0), size, draw, 0)).toEqual([`  ${message}`]);
  state.apply({ ...PLAN, months: [month('orders/0')] }, 1);
  expect(state.snapshot(2).waiting).toBeNull();
});

test('a table of the whole directory is a part of the whole', () => {
  const state = planned('duckdb');
  for (const name of names)
    state.apply({ event: 'month', month: month(name, { stage: 'done' }) }, 1);
  expect(state.snapshot(2).fraction).toBe(0.75);
  state.apply({ event: 'converting', path: 'sales.duckdb', fraction: 1 }, 3);
  expect(state.snapshot(4).fraction).toBe(1);
});

test('250 months are a few lines, each as wide as the terminal or less', () => {
  const state = planned();
  for (const name of names)
    state.apply({ event: 'month', month: month(name, { stage: 'exporting', percent: 50 }) }, 1);
  const until = Date.UTC(2026, 6, 30, 10);
  const now = Date.UTC(2026, 6, 30, 6, 48);
  state.apply({ event: 'waiting', reason: 'hours', until, opens: until, message: '' }, now);
  for (const width of [10, 20, 40, 79, 119]) {
    for (const rows of [1, 2, 6]) {
      const lines = layout(state.snapshot(now), { width, rows }, draw, now);
      expect(lines).toHaveLength(rows);
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(width);
    }
  }
  const lines = layout(state.snapshot(now), { width: 79, rows: 6 }, draw, now);
  expect(lines[0]).toMatch(/^#+\.+ {2}17 % {2}0\/250 done/);
  expect(lines[1]).toMatch(/^ {2}orders\/0 #{6}\.{6} exporting 50 %$/);
  expect(lines[5]).toBe('  closed until 10:00 UTC (in 3 h 12 min)');
});
