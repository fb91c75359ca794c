import type { PullEvent, RangeProgress } from '@tillroll/client/files';
import { expect, test } from 'vitest';
import { plainDisplay } from '../src/display/plain.ts';
import { FEBRUARY, JANUARY, range } from './fixture.ts';

const START = Date.UTC(2026, 6, 30, 6, 48);
const NAME = 'orders/2026-01-01_2026-01-31';

/** A display, what it wrote, and a clock that is set by hand. */
function recorded() {
  const lines: string[] = [];
  const clock = { ms: START };
  const display = plainDisplay(
    (line) => lines.push(line),
    () => clock.ms,
  );
  const show = (event: PullEvent) => display.event(event);
  const move = (part: Partial<RangeProgress>) => show({ event: 'range', range: range(NAME, part) });
  /** What was written since, without the time. */
  const texts = () => lines.splice(0).map((line) => line.slice('2026-07-30T06:48:00Z '.length, -1));
  return { lines, clock, show, move, texts };
}

function plan(ranges: RangeProgress[]): PullEvent {
  return { event: 'plan', from: JANUARY, to: FEBRUARY, timezone: 'UTC', out: '/data/s', ranges };
}

test('a range is a line for each stage that lasts', () => {
  const { show, move, texts, lines } = recorded();
  show(plan([range(NAME), range('orders/x', { stage: 'kept' })]));
  expect(lines[0]).toMatch(/^2026-07-30T06:48:00Z plan: /);
  expect(texts()).toEqual([
    'plan: 2 ranges, 2026-01-01T00:00:00Z <= createdTime < 2026-02-01T00:00:00Z, to /data/s; 1 complete before',
  ]);
  move({ stage: 'creating' });
  for (const percent of [0, 10, 50, 100]) move({ stage: 'exporting', percent });
  for (let files = 0; files <= 300; files++)
    move({ stage: 'downloading', percent: files / 3, files, filesTotal: 300 });
  move({ stage: 'merging', percent: 0 });
  move({ stage: 'done', percent: 100, objects: 300_000, bytes: 420_000_000 });
  expect(texts()).toEqual([
    `${NAME} exporting`,
    `${NAME} downloading`,
    `${NAME} done: 300,000 objects, 420 MB`,
  ]);
});

test('what lasts is told of once a minute', () => {
  const { clock, move, texts } = recorded();
  move({ stage: 'exporting', percent: 0 });
  texts();
  for (let second = 0; second < 150; second++) {
    clock.ms += 1000;
    move({ stage: 'exporting', percent: second / 3 });
  }
  expect(texts()).toEqual([`${NAME} exporting: 19 %`, `${NAME} exporting: 39 %`]);
});

test('waits are told, but short and repeated ones do not flood', () => {
  const { clock, show, texts } = recorded();
  const opens = Date.UTC(2026, 6, 30, 10);
  const hours = { event: 'waiting', reason: 'hours', opens, message: 'closed' } as const;
  show({ ...hours, until: opens });
  expect(texts()).toEqual(['closed until 10:00 UTC (in 3 h 12 min)']);
  for (let i = 0; i < 100; i++) {
    clock.ms += 500;
    show({
      event: 'waiting',
      reason: 'rate',
      until: clock.ms + 5000,
      opens: null,
      message: '429',
    });
    show({ event: 'waiting', reason: 'retry', until: clock.ms + 100, opens: null, message: 'x' });
  }
  expect(texts()).toEqual(['asked to slow down; going on in 5 s']);
});

test('a message from the far side stays one line', () => {
  const { move, show, texts } = recorded();
  move({ stage: 'failed', message: 'bad\n\u001b[31mnews' });
  show({ event: 'warning', message: 'a\r\nb' });
  expect(texts()).toEqual([`${NAME} failed: bad [31mnews`, 'warning: a b']);
});

test('conversion is told once a file', () => {
  const { show, texts } = recorded();
  for (const fraction of [0, 0.2, 0.4])
    show({ event: 'converting', path: 'orders.parquet', fraction });
  show({ event: 'converting', path: 'payments.parquet', fraction: 0.55 });
  expect(texts()).toEqual([
    'writing orders.parquet: 0 % of all',
    'writing payments.parquet: 55 % of all',
  ]);
});
