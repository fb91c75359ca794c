import type { MonthProgress, PullEvent } from '@tillroll/client/files';
import { expect, test } from 'vitest';
import { plainDisplay } from '../src/display/plain.ts';
import { FEBRUARY, JANUARY, month } from './fixture.ts';

const START = Date.UTC(2026, 6, 30, 6, 48);
const NAME = 'orders/2026-01';

/** A display, what it wrote, and a clock that is set by hand. */
function recorded() {
  const lines: string[] = [];
  const clock = { ms: START };
  const display = plainDisplay(
    (line) => lines.push(line),
    () => clock.ms,
  );
  const show = (event: PullEvent) => display.event(event);
  const move = (part: Partial<MonthProgress>) => show({ event: 'month', month: month(NAME, part) });
  /** The text written since the last call, without the time. */
  const texts = () => lines.splice(0).map((line) => line.slice('2026-07-30T06:48:00Z '.length, -1));
  return { lines, clock, show, move, texts };
}

function plan(months: MonthProgress[]): PullEvent {
  return {
    event: 'plan',
    from: JANUARY,
    to: FEBRUARY,
    timezone: 'UTC',
    out: '/data/s',
    format: 'jsonl',
    months,
  };
}

test('a month is a line for each long stage', () => {
  const { show, move, texts, lines } = recorded();
  show(plan([month(NAME), month('orders/x', { stage: 'kept' })]));
  expect(lines[0]).toMatch(/^2026-07-30T06:48:00Z plan: /);
  expect(texts()).toEqual([
    'plan: 2 month files, 2026-01-01T00:00:00Z <= createdTime < 2026-02-01T00:00:00Z, to /data/s; 1 complete before',
  ]);
  move({ stage: 'creating' });
  for (const percent of [0, 10, 50, 100]) move({ stage: 'exporting', percent });
  for (let files = 0; files <= 300; files++)
    move({ stage: 'downloading', percent: files / 3, files, filesTotal: 300 });
  move({ stage: 'assembling', percent: 0 });
  move({ stage: 'converting', percent: 0 });
  move({ stage: 'done', percent: 100, objects: 300_000, bytes: 420_000_000 });
  expect(texts()).toEqual([
    `${NAME} exporting`,
    `${NAME} downloading`,
    `${NAME} done: 300,000 objects, 420 MB received`,
  ]);
});

test('a long stage is reported once a minute', () => {
  const { clock, move, texts } = recorded();
  move({ stage: 'exporting', percent: 0 });
  texts();
  for (let second = 0; second < 150; second++) {
    clock.ms += 1000;
    move({ stage: 'exporting', percent: second / 3 });
  }
  expect(texts()).toEqual([`${NAME} exporting: 19 %`, `${NAME} exporting: 39 %`]);
});

test('waits are reported, but short and repeated ones do not flood', () => {
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
  expect(texts()).toEqual(['the server asked for fewer requests; continuing in 5 s']);
});

test('a watched lock is reported in the words of the library', () => {
  const { clock, show, texts } = recorded();
  const message = '/data/s may be in use by process 12 on till; waiting up to 30 s to see';
  show({ event: 'waiting', reason: 'lock', until: clock.ms + 30_000, opens: null, message });
  expect(texts()).toEqual([message]);
});

test('a text of the server stays one line and controls nothing', () => {
  const { move, show, texts } = recorded();
  move({ stage: 'failed', message: 'bad\n\u001b[31mnews\u009b2J\u202edlo' });
  show({ event: 'warning', message: 'a\r\nb\u2028c' });
  expect(texts()).toEqual([`${NAME} failed: bad  [31mnews 2J\\u{202e}dlo`, 'warning: a b c']);
});

test('a table is reported once a file', () => {
  const { show, texts } = recorded();
  for (const fraction of [0, 0.2, 0.4])
    show({ event: 'converting', path: 'sales.duckdb', fraction });
  expect(texts()).toEqual(['writing sales.duckdb: 0 %']);
});
