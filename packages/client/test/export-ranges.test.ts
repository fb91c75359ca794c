import { MAX_RANGE_MS, MAX_TIME_MS, type TimeRange } from '@tillroll/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exportRanges, parseMonth, Zone } from '../src/time/zone.ts';
import { anyZone, DAY, EVERY_NAME, iso, NAMES, time } from './zones.ts';

describe('ranges of exports', () => {
  /** Up to three years, more often than not with a bound beside a change of clocks. */
  const span = fc
    .tuple(time, fc.integer({ min: 1, max: 1100 * DAY }))
    .map(([startTime, length]): TimeRange => ({ startTime, endTime: startTime + length }));

  function checkRanges(of: Zone, wanted: TimeRange): TimeRange[] {
    const ranges = [...exportRanges(wanted, of)];
    let next = wanted.startTime;
    for (const { startTime, endTime } of ranges) {
      expect(startTime).toBe(next);
      expect(endTime).toBeGreaterThan(startTime);
      expect(endTime - startTime).toBeLessThanOrEqual(MAX_RANGE_MS);
      expect(of.month(endTime - 1)).toEqual(of.month(startTime));
      next = endTime;
    }
    expect(next).toBe(wanted.endTime);
    return ranges;
  }

  test('tile a span, stay within months and within 30 days, in every zone', () => {
    fc.assert(
      fc.property(anyZone, span, (of, wanted) => void checkRanges(of, wanted)),
      { numRuns: 600 },
    );
  });

  test.each(EVERY_NAME.filter((_, index) => index % 23 === 0).concat(NAMES))(
    'do so in %s from 1970 to 2040',
    (name) => {
      checkRanges(new Zone(name), { startTime: 0, endTime: Date.UTC(2040, 0, 1) });
    },
  );

  test('are the same ones for a longer span, but for its ends', () => {
    fc.assert(
      fc.property(anyZone, span, fc.nat(90 * DAY), fc.nat(90 * DAY), (of, inner, before, after) => {
        const outer = {
          startTime: Math.max(0, inner.startTime - before),
          endTime: inner.endTime + after,
        };
        const all = new Set(
          [...exportRanges(outer, of)].map(({ startTime, endTime }) => `${startTime} ${endTime}`),
        );
        for (const { startTime, endTime } of [...exportRanges(inner, of)].slice(1, -1))
          expect(all).toContain(`${startTime} ${endTime}`);
      }),
      { numRuns: 300 },
    );
  });

  test.each([
    // 31 days: cut where the 16th begins.
    ['UTC', '2026-01', ['2026-01-01T00:00:00.000Z', '2026-01-16T00:00:00.000Z']],
    // 30 days exactly, and fewer.
    ['UTC', '2026-04', ['2026-04-01T00:00:00.000Z']],
    ['UTC', '2026-02', ['2026-02-01T00:00:00.000Z']],
    // 30 days and an hour, 30 days less an hour.
    ['America/New_York', '2026-11', ['2026-11-01T04:00:00.000Z', '2026-11-16T05:00:00.000Z']],
    ['Africa/Cairo', '2026-04', ['2026-03-31T22:00:00.000Z']],
    // 31 days less an hour.
    ['Europe/Berlin', '2026-03', ['2026-02-28T23:00:00.000Z', '2026-03-15T23:00:00.000Z']],
    // Samoa's December of 2011 had 30 days.
    ['Pacific/Apia', '2011-12', ['2011-12-01T10:00:00.000Z']],
    // Offsets of seconds.
    ['Africa/Monrovia', '1971-12', ['1971-12-01T00:44:30.000Z', '1971-12-16T00:44:30.000Z']],
  ])('%s, %s', (name, month, starts) => {
    const of = new Zone(name);
    const ranges = checkRanges(of, parseMonth(month, of));
    expect(ranges.map(({ startTime }) => iso(startTime))).toEqual(starts);
  });

  test('cut a long month at its 16th day also where little of it is wanted', () => {
    const of = new Zone('UTC');
    const wanted = { startTime: Date.UTC(2026, 0, 14), endTime: Date.UTC(2026, 0, 20) };
    expect([...exportRanges(wanted, of)]).toHaveLength(2);
  });

  test('end with the last time that there is', () => {
    const startTime = MAX_TIME_MS - 100 * DAY;
    for (const of of [new Zone('UTC'), new Zone('Asia/Tokyo'), new Zone('America/New_York')])
      checkRanges(of, { startTime, endTime: MAX_TIME_MS });
  });

  test.each([
    [5, 5],
    [6, 5],
    [0.5, 5],
    [0, Number.NaN],
    [0, Infinity],
  ])('refuse %d to %d', (startTime, endTime) => {
    expect(() => [...exportRanges({ startTime, endTime }, new Zone('UTC'))]).toThrow(
      /not a range of time/,
    );
  });
});
