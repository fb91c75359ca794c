import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Zone } from '../src/zone.ts';

const DAY = 86_400_000;
const MINUTE = 60_000;

const NAMES = [
  'UTC',
  'Europe/Berlin',
  'Europe/London',
  'America/New_York',
  'America/Sao_Paulo',
  'America/St_Johns',
  'America/Havana',
  'America/Asuncion',
  'Africa/Cairo',
  'Africa/Casablanca',
  'Africa/Monrovia',
  'Asia/Beirut',
  'Asia/Amman',
  'Asia/Gaza',
  'Asia/Kathmandu',
  'Asia/Tehran',
  'Australia/Lord_Howe',
  'Antarctica/Troll',
  'Pacific/Apia',
  'Pacific/Kiritimati',
  'Pacific/Kwajalein',
  'Pacific/Chatham',
] as const;
const ZONES = NAMES.map((name) => new Zone(name));
const zone = fc.constantFrom(...ZONES);
/** 1970 to 2100; more often than not close to where clocks are changed. */
const time = fc.oneof(
  fc.integer({ min: 0, max: Date.UTC(2100, 0, 1) }),
  fc
    .tuple(
      fc.integer({ min: 1970, max: 2100 }),
      fc.integer({ min: 0, max: 11 }),
      fc.integer({ min: -3 * 24 * 4, max: 3 * 24 * 4 }),
      fc.constantFrom(-1, 0, 1, 12_345),
    )
    .map(
      ([year, month, quarters, more]) => Date.UTC(year, month, 1) + quarters * 15 * MINUTE + more,
    )
    .filter((at) => at >= 0),
);

function iso(at: number): string {
  return new Date(at).toISOString();
}

/** The first instant of a local day, as an independent search finds it. */
function beginOfDay(of: Zone, midnight: number): number {
  let low = midnight - 2 * DAY;
  // Minute by minute would be slow: hours first, then minutes, then seconds.
  for (const step of [60 * MINUTE, MINUTE, 1000])
    while (of.local(low + step) < midnight) low += step;
  return low + 1000;
}

describe('the clocks of a zone', () => {
  test('show what Intl shows', () => {
    expect(iso(new Zone('America/New_York').local(Date.UTC(2026, 6, 1, 12, 34, 56, 789)))).toBe(
      '2026-07-01T08:34:56.789Z',
    );
    expect(iso(new Zone('Asia/Kathmandu').local(Date.UTC(2026, 6, 1)))).toBe(
      '2026-07-01T05:45:00.000Z',
    );
    // Midnight is hour 0, never 24.
    expect(iso(new Zone('Europe/Berlin').local(Date.UTC(2026, 0, 31, 23)))).toBe(
      '2026-02-01T00:00:00.000Z',
    );
    expect(iso(new Zone('America/New_York').local(0))).toBe('1969-12-31T19:00:00.000Z');
    expect(iso(new Zone('America/New_York').local(-1))).toBe('1969-12-31T18:59:59.999Z');
  });

  test.each([
    // Clocks that skip midnight: the day begins at 01:00.
    ['America/Sao_Paulo', '2018-11-04T00:00', '2018-11-04T03:00:00.000Z', '2018-11-04T01:00'],
    ['Asia/Beirut', '2022-03-27T00:00', '2022-03-26T22:00:00.000Z', '2022-03-27T01:00'],
    ['Africa/Cairo', '2024-04-26T00:00', '2024-04-25T22:00:00.000Z', '2024-04-26T01:00'],
    ['America/Havana', '2024-03-10T00:00', '2024-03-10T05:00:00.000Z', '2024-03-10T01:00'],
    // Midnight twice: the day begins with the first.
    ['America/Havana', '2024-11-03T00:00', '2024-11-03T04:00:00.000Z', '2024-11-03T00:00'],
    ['Africa/Cairo', '2024-11-01T00:00', '2024-10-31T22:00:00.000Z', '2024-11-01T00:00'],
    // Samoa went from the 29th to the 31st.
    ['Pacific/Apia', '2011-12-30T00:00', '2011-12-30T10:00:00.000Z', '2011-12-31T00:00'],
    ['Pacific/Apia', '2011-12-30T12:00', '2011-12-30T10:00:00.000Z', '2011-12-31T00:00'],
    ['Pacific/Apia', '2011-12-31T00:00', '2011-12-30T10:00:00.000Z', '2011-12-31T00:00'],
    ['Pacific/Apia', '2011-12-29T23:59', '2011-12-30T09:59:00.000Z', '2011-12-29T23:59'],
    // Half an hour of summer.
    ['Australia/Lord_Howe', '2026-10-04T02:15', '2026-10-03T15:30:00.000Z', '2026-10-04T02:30'],
    ['Australia/Lord_Howe', '2026-04-05T01:45', '2026-04-04T14:45:00.000Z', '2026-04-05T01:45'],
  ])('%s: %s is %s, shown as %s', (name, local, instant, shown) => {
    const of = new Zone(name);
    const found = of.instant(Date.parse(`${local}Z`));
    expect(iso(found)).toBe(instant);
    expect(iso(of.local(found))).toBe(`${shown}:00.000Z`);
  });

  test('are read as the first instant that shows a time, or anything later', () => {
    fc.assert(
      fc.property(zone, time, (of, at) => {
        const local = of.local(at);
        const first = of.instant(local);
        // A time that is shown is found again; one that is shown twice, by its first instant.
        expect(of.local(first)).toBe(local);
        expect(first).toBeLessThanOrEqual(at);
        expect(at - first).toBeLessThanOrEqual(DAY);
      }),
      { numRuns: 4000 },
    );
  });

  test('are read in their order, also where they skip', () => {
    fc.assert(
      fc.property(zone, time, fc.integer({ min: 1, max: 2 * DAY }), (of, local, more) => {
        const a = of.instant(local);
        const b = of.instant(local + more);
        expect(b).toBeGreaterThanOrEqual(a);
        // Never before its time.
        expect(of.local(a)).toBeGreaterThanOrEqual(local);
        expect(of.local(a - 1)).not.toBe(local);
      }),
      { numRuns: 4000 },
    );
  });

  test('begin each day when it begins', () => {
    fc.assert(
      fc.property(zone, fc.integer({ min: 1, max: 47_000 }), (of, day) => {
        expect(iso(of.instant(day * DAY))).toBe(iso(beginOfDay(of, day * DAY)));
      }),
      { numRuns: 500 },
    );
  });
});

describe('months', () => {
  test.each(NAMES)('of %s follow one another without a gap from 1970 to 2100', (name) => {
    const of = new Zone(name);
    let month = of.month(Date.UTC(1970, 0, 20));
    for (let count = 0; month.startTime < Date.UTC(2100, 0, 1); count++) {
      expect(month.name).toBe(iso(Date.UTC(1970, count, 1)).slice(0, 7));
      const next = of.month(month.endTime);
      expect(next.startTime, next.name).toBe(month.endTime);
      expect(of.month(month.endTime - 1), month.name).toEqual(month);
      month = next;
    }
  });

  test('hold the instant that was asked for', () => {
    fc.assert(
      fc.property(zone, time, (of, at) => {
        const { name, startTime, endTime } = of.month(at);
        expect(startTime).toBeLessThanOrEqual(at);
        expect(endTime).toBeGreaterThan(at);
        expect(of.month(startTime)).toEqual({ name, startTime, endTime });
      }),
      { numRuns: 2000 },
    );
  });

  test('change once, also where a minute of the new one is followed by an hour of the old', () => {
    // In 2009 the clocks of Newfoundland went from 00:01 on 1 November back to 23:01 on 31 October.
    const of = new Zone('America/St_Johns');
    const begin = Date.UTC(2009, 10, 1, 2, 30);
    expect(iso(of.local(begin))).toBe('2009-11-01T00:00:00.000Z');
    expect(iso(of.local(begin + MINUTE))).toBe('2009-10-31T23:01:00.000Z');
    expect(of.month(begin - 1).name).toBe('2009-10');
    for (const later of [0, MINUTE, 30 * MINUTE, 90 * MINUTE])
      expect(of.month(begin + later)).toMatchObject({ name: '2009-11', startTime: begin });
  });
});
