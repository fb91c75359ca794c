import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { describe, expect, test } from 'vitest';
import { parseMonth, Zone } from '../src/time/zone.ts';
import { anyZone, DAY, EVERY_NAME, iso, MINUTE, NAMES, time, zone } from './zones.ts';

const CLOCKS = new Map<string, Intl.DateTimeFormat>();

/** The zone's local time, written as if it were UTC, from Intl alone: the source that results are compared with. */
function clock(of: Zone, at: number): number {
  let format = CLOCKS.get(of.name);
  if (!format) {
    format = new Intl.DateTimeFormat('en-GB', {
      timeZone: of.name,
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    });
    CLOCKS.set(of.name, format);
  }
  const parts = format.formatToParts(at);
  const part = (type: string): number => Number(parts.find((each) => each.type === type)?.value);
  return (
    Date.UTC(
      part('year'),
      part('month') - 1,
      part('day'),
      part('hour'),
      part('minute'),
      part('second'),
    ) +
    (((at % 1000) + 1000) % 1000)
  );
}

/** The instant that `Zone.instant` finds for a local time, written as if it were UTC. */
function instant(of: Zone, local: number): number {
  return of.instant(Temporal.PlainDateTime.from(iso(local).slice(0, -1)));
}

/** The first instant of a local day, as an independent search finds it. */
function beginOfDay(of: Zone, midnight: number): number {
  let low = midnight - 2 * DAY;
  // Minute by minute would be slow: hours first, then minutes, then seconds.
  while (clock(of, low + 60 * MINUTE) < midnight) low += 60 * MINUTE;
  // Clocks that are put back a minute after midnight show the day between two of these hours, and then the day before.
  low -= 120 * MINUTE;
  for (const step of [MINUTE, 1000]) while (clock(of, low + step) < midnight) low += step;
  return low + 1000;
}

describe('the clocks of a zone', () => {
  test.each([
    // Clocks that skip midnight: the day begins at 01:00.
    ['America/Sao_Paulo', '2018-11-04T00:00', '2018-11-04T03:00:00.000Z', '2018-11-04T01:00'],
    ['Asia/Beirut', '2022-03-27T00:00', '2022-03-26T22:00:00.000Z', '2022-03-27T01:00'],
    ['Africa/Cairo', '2024-04-26T00:00', '2024-04-25T22:00:00.000Z', '2024-04-26T01:00'],
    ['America/Havana', '2024-03-10T00:00', '2024-03-10T05:00:00.000Z', '2024-03-10T01:00'],
    // Midnight twice: the day begins with the first.
    ['America/Havana', '2024-11-03T00:00', '2024-11-03T04:00:00.000Z', '2024-11-03T00:00'],
    ['America/St_Johns', '1999-10-31T00:00', '1999-10-31T02:30:00.000Z', '1999-10-31T00:00'],
    ['Africa/Cairo', '2024-11-01T00:00', '2024-10-31T22:00:00.000Z', '2024-11-01T00:00'],
    // Samoa went from the 29th to the 31st.
    ['Pacific/Apia', '2011-12-30T00:00', '2011-12-30T10:00:00.000Z', '2011-12-31T00:00'],
    ['Pacific/Apia', '2011-12-30T12:00', '2011-12-30T10:00:00.000Z', '2011-12-31T00:00'],
    ['Pacific/Apia', '2011-12-31T00:00', '2011-12-30T10:00:00.000Z', '2011-12-31T00:00'],
    ['Pacific/Apia', '2011-12-29T23:59', '2011-12-30T09:59:00.000Z', '2011-12-29T23:59'],
    // Half an hour of summer.
    ['Australia/Lord_Howe', '2026-10-04T02:15', '2026-10-03T15:30:00.000Z', '2026-10-04T02:30'],
    ['Australia/Lord_Howe', '2026-04-05T01:45', '2026-04-04T14:45:00.000Z', '2026-04-05T01:45'],
  ])('%s: %s is %s, shown as %s', (name, local, expected, shown) => {
    const of = new Zone(name);
    const found = instant(of, Date.parse(`${local}Z`));
    expect(iso(found)).toBe(expected);
    expect(iso(clock(of, found))).toBe(`${shown}:00.000Z`);
  });

  test('are read as the first instant that shows a time, or anything later', () => {
    fc.assert(
      fc.property(zone, time, (of, at) => {
        const local = clock(of, at);
        const first = instant(of, local);
        // A time that is shown is found again; one that is shown twice, by its first instant.
        expect(clock(of, first)).toBe(local);
        expect(first).toBeLessThanOrEqual(at);
        expect(at - first).toBeLessThanOrEqual(DAY);
      }),
      { numRuns: 4000 },
    );
  });

  test('are read in their order, also where they skip', () => {
    fc.assert(
      fc.property(zone, time, fc.integer({ min: 1, max: 2 * DAY }), (of, local, more) => {
        const a = instant(of, local);
        const b = instant(of, local + more);
        expect(b).toBeGreaterThanOrEqual(a);
        // Never before its time.
        expect(clock(of, a)).toBeGreaterThanOrEqual(local);
        expect(clock(of, a - 1)).not.toBe(local);
      }),
      { numRuns: 4000 },
    );
  });

  test('begin each day when it begins', () => {
    fc.assert(
      fc.property(zone, fc.integer({ min: 1, max: 47_000 }), (of, day) => {
        expect(iso(instant(of, day * DAY))).toBe(iso(beginOfDay(of, day * DAY)));
      }),
      { numRuns: 500, examples: [[new Zone('America/St_Johns'), 10_895]] },
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
    expect(iso(clock(of, begin))).toBe('2009-11-01T00:00:00.000Z');
    expect(iso(clock(of, begin + MINUTE))).toBe('2009-10-31T23:01:00.000Z');
    expect(of.month(begin - 1).name).toBe('2009-10');
    for (const later of [0, MINUTE, 30 * MINUTE, 90 * MINUTE])
      expect(of.month(begin + later)).toMatchObject({ name: '2009-11', startTime: begin });
  });
});

describe('the name of a month', () => {
  test('gives the month back', () => {
    fc.assert(
      fc.property(anyZone, time, (of, at) => {
        const month = of.month(at);
        if (month.name >= '1970') expect(parseMonth(month.name, new Zone(of.name))).toEqual(month);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    '',
    '2026',
    '2026-1',
    '2026-00',
    '2026-13',
    '2026-01-01',
    '1969-12',
    ' 2026-01',
    '..',
    '2026-01/..',
    '+010000-01',
  ])('%j is refused', (name) => {
    expect(() => parseMonth(name, new Zone('UTC'))).toThrow(RangeError);
  });
});

describe('names of zones', () => {
  test.each([
    ['Asia/Calcutta', 'Asia/Kolkata'],
    ['ASIA/kolkata', 'asia/calcutta'],
    ['US/Eastern', 'America/New_York'],
    ['us/eastern', 'US/Eastern'],
    ['UTC', 'Etc/UTC'],
    ['UTC', 'GMT'],
    ['utc', 'etc/gmt'],
    ['UTC', 'Zulu'],
    ['Europe/Kiev', 'Europe/Kyiv'],
    ['Asia/Saigon', 'Asia/Ho_Chi_Minh'],
  ])('%s is %s', (a, b) => {
    expect(new Zone(a).isSame(b)).toBe(true);
    expect(new Zone(b).isSame(new Zone(a))).toBe(true);
    expect(new Zone(a).name).toBe(new Zone(b).name);
    // A name that was stored is found again.
    expect(new Zone(new Zone(a).name).name).toBe(new Zone(a).name);
  });

  test.each([
    ['UTC', 'Europe/London'],
    ['UTC', 'Africa/Abidjan'],
    ['Europe/Berlin', 'Europe/Paris'],
    ['America/New_York', 'America/Toronto'],
  ])('%s is not %s', (a, b) => {
    expect(new Zone(a).isSame(b)).toBe(false);
  });

  test('are all known to Temporal, too', () => {
    for (const name of EVERY_NAME) {
      const of = new Zone(name);
      expect(of.isSame(name), name).toBe(true);
      expect(of.month(Date.UTC(2026, 0, 15)).name, name).toBe('2026-01');
    }
  });

  test.each(['2026-01-01T00:00Z', 'Mars/Olympus', '', 'Etc/Unknown', 'local', '+05:30', '-08'])(
    '%j is none',
    (name) => {
      expect(() => new Zone(name)).toThrow(/such as Europe\/London/);
    },
  );
});
