import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  DAY_MS,
  isOpen,
  MINUTE_MS,
  nextClose,
  nextOpen,
  parseHours,
  REGION_HOURS,
} from '../src/index.ts';

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

const WEEK_MINUTES = 7 * 24 * 60;

/** A Sunday, 00:00 UTC. */
const SUNDAY = Date.UTC(2026, 10, 22);

/** Opening hours as the model knows them: on each of these days, from one minute of the day to another. */
interface Entry {
  days: number[];
  opens: number;
  closes: number;
}

/** The minutes of a week that are open, one by one. */
function openMinutes(entries: Entry[]): boolean[] {
  const week = Array.from({ length: WEEK_MINUTES }, () => false);
  for (const { days, opens, closes } of entries) {
    for (const day of days) {
      const end = closes > opens ? closes : closes + 24 * 60;
      for (let minute = opens; minute < end; minute++) {
        week[(day * 24 * 60 + minute) % WEEK_MINUTES] = true;
      }
    }
  }
  return week;
}

/** The calendar's own idea of where in the week a time is. */
function minuteOfWeek(time: number): number {
  const date = new Date(time);
  return (date.getUTCDay() * 24 + date.getUTCHours()) * 60 + date.getUTCMinutes();
}

/** The first whole minute after `time` at which `week` turns to `state`, found by walking. */
function walkTo(week: boolean[], time: number, state: boolean): number | null {
  let at = Math.floor(time / MINUTE_MS) * MINUTE_MS;
  for (let i = 0; i <= WEEK_MINUTES; i++) {
    const before = week[minuteOfWeek(at)];
    at += MINUTE_MS;
    if (before !== state && week[minuteOfWeek(at)] === state) return at;
  }
  return null;
}

/** Counts, for every minute of the week, the minutes until `week` turns to `state`, walking backwards. */
function minutesUntil(week: boolean[], state: boolean): (number | null)[] {
  const waits: (number | null)[] = Array.from({ length: WEEK_MINUTES }, () => null);
  let edge: number | null = null;
  for (let minute = 2 * WEEK_MINUTES - 1; minute >= 0; minute--) {
    if (minute < WEEK_MINUTES) waits[minute] = edge === null ? null : edge - minute;
    const isEdge =
      week[minute % WEEK_MINUTES] === state &&
      week[(minute + WEEK_MINUTES - 1) % WEEK_MINUTES] !== state;
    if (isEdge) edge = minute;
  }
  return waits;
}

function clock(minutes: number): string {
  const two = (part: number) => String(part).padStart(2, '0');
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

const WEEKDAYS = [1, 2, 3, 4, 5];

const EVERY_DAY = [0, 1, 2, 3, 4, 5, 6];

const at = (hour: number, minute = 0) => hour * 60 + minute;

const CASES: readonly [name: string, text: string, entries: Entry[]][] = [
  ['sandbox', REGION_HOURS.sandbox, [{ days: EVERY_DAY, opens: 0, closes: at(24) }]],
  ['us', REGION_HOURS.us, [{ days: EVERY_DAY, opens: at(10), closes: at(15) }]],
  [
    'eu',
    REGION_HOURS.eu,
    [
      { days: WEEKDAYS, opens: at(1), closes: at(5) },
      { days: [6], opens: at(2), closes: at(5) },
      { days: [0], opens: at(2), closes: at(6) },
    ],
  ],
  ['always', 'always', [{ days: EVERY_DAY, opens: 0, closes: at(24) }]],
  ['always, day by day', 'daily 00:00-24:00', [{ days: EVERY_DAY, opens: 0, closes: at(24) }]],
  ['never', 'never', []],
  [
    'over midnight',
    'daily 22:30-01:15',
    [{ days: EVERY_DAY, opens: at(22, 30), closes: at(1, 15) }],
  ],
  ['from Saturday to Sunday', 'sat 22:00-02:00', [{ days: [6], opens: at(22), closes: at(2) }]],
  ['to Saturday midnight', 'sat 22:00-24:00', [{ days: [6], opens: at(22), closes: at(24) }]],
  [
    'to Saturday midnight, as 00:00',
    'sat 22:00-00:00',
    [{ days: [6], opens: at(22), closes: at(24) }],
  ],
  [
    'to Saturday midnight and on from Sunday 00:00',
    'sat 22:00-24:00; sun 00:00-02:00',
    [
      { days: [6], opens: at(22), closes: at(24) },
      { days: [0], opens: 0, closes: at(2) },
    ],
  ],
  [
    'days over the end of the week',
    'fri-mon 08:00-09:00',
    [{ days: [5, 6, 0, 1], opens: at(8), closes: at(9) }],
  ],
  ['a whole day', 'wed 00:00-24:00', [{ days: [3], opens: 0, closes: at(24) }]],
  [
    'all but one minute',
    'sun-fri 00:00-24:00; sat 00:01-24:00',
    [
      { days: [0, 1, 2, 3, 4, 5], opens: 0, closes: at(24) },
      { days: [6], opens: 1, closes: at(24) },
    ],
  ],
  [
    'overlapping and touching',
    'mon 01:00-05:00; mon 04:00-06:00; mon 06:00-07:00',
    [{ days: [1], opens: at(1), closes: at(7) }],
  ],
];

describe('every minute of a week, against the calendar', () => {
  test.each(CASES)('%s: %s', (_name, text, entries) => {
    const hours = parseHours(text);
    const week = openMinutes(entries);
    const untilOpen = minutesUntil(week, true);
    const untilClose = minutesUntil(week, false);
    const wrong: string[] = [];
    for (let minute = 0; minute < WEEK_MINUTES; minute++) {
      // The first, a middle and the last millisecond of the minute.
      for (const offset of [0, 31_415, MINUTE_MS - 1]) {
        const time = SUNDAY + minute * MINUTE_MS + offset;
        const expected = [week[minute], untilOpen[minute], untilClose[minute]].map((wait) =>
          typeof wait === 'number' ? SUNDAY + (minute + wait) * MINUTE_MS : wait,
        );
        const actual = [isOpen(hours, time), nextOpen(hours, time), nextClose(hours, time)];
        if (actual.some((value, i) => value !== expected[i])) {
          wrong.push(`${new Date(time).toISOString()}: ${actual.join()} for ${expected.join()}`);
        }
      }
    }
    expect(wrong.slice(0, 5)).toEqual([]);
  });
});

const arbitraryEntry: fc.Arbitrary<Entry & { text: string }> = fc
  .record({
    first: fc.integer({ min: 0, max: 6 }),
    length: fc.integer({ min: 1, max: 7 }),
    // Few times, so that entries touch and overlap often.
    opens: fc.oneof(
      fc.integer({ min: 0, max: at(24) - 1 }),
      fc.constantFrom(0, 1, at(12), at(24) - 1),
    ),
    closes: fc.oneof(fc.integer({ min: 0, max: at(24) }), fc.constantFrom(0, 1, at(12), at(24))),
  })
  .filter(({ opens, closes }) => opens !== closes)
  .map(({ first, length, opens, closes }) => {
    const days = Array.from({ length }, (_, i) => (first + i) % 7);
    const name = length === 1 ? DAYS[first] : `${DAYS[first]}-${DAYS[(first + length - 1) % 7]}`;
    return { days, opens, closes, text: `${name} ${clock(opens)}-${clock(closes)}` };
  });

describe('any hours at any time', () => {
  const arbitraryTime = fc.oneof(
    fc.integer({ min: -40 * 365 * DAY_MS, max: 200 * 365 * DAY_MS }),
    // Edges of minutes, where most goes wrong.
    fc
      .tuple(fc.integer({ min: -WEEK_MINUTES, max: 2 * WEEK_MINUTES }), fc.constantFrom(-1, 0, 1))
      .map(([minute, off]) => SUNDAY + minute * MINUTE_MS + off),
  );

  test('the walk agrees', () => {
    fc.assert(
      fc.property(
        fc.array(arbitraryEntry, { minLength: 1, maxLength: 5 }),
        arbitraryTime,
        (entries, time) => {
          const hours = parseHours(entries.map(({ text }) => text).join('; '));
          const week = openMinutes(entries);
          expect(isOpen(hours, time)).toBe(week[minuteOfWeek(time)]);
          expect(nextOpen(hours, time)).toBe(walkTo(week, time, true));
          expect(nextClose(hours, time)).toBe(walkTo(week, time, false));
        },
      ),
      { numRuns: 500 },
    );
  });

  test('spans are sorted, apart and inside one week', () => {
    fc.assert(
      fc.property(fc.array(arbitraryEntry, { minLength: 1, maxLength: 8 }), (entries) => {
        const { spans } = parseHours(entries.map(({ text }) => text).join(';'));
        let last = -1;
        for (const { start, end } of spans) {
          expect(start).toBeGreaterThan(last);
          expect(end).toBeGreaterThan(start);
          last = end;
        }
        expect(last).toBeLessThanOrEqual(WEEK_MINUTES);
      }),
    );
  });

  test('the text of hours reads as the same hours', () => {
    fc.assert(
      fc.property(fc.array(arbitraryEntry, { minLength: 1, maxLength: 5 }), (entries) => {
        const hours = parseHours(entries.map(({ text }) => text).join('; '));
        expect(parseHours(hours.text.replaceAll(', ', '; '))).toEqual(hours);
      }),
    );
  });
});
