import { MAX_TIME_MS } from '@tillroll/contract';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ExportError } from '../src/errors.ts';
import { formatInstant, parseSpan, parseWhen, type When } from '../src/time/span.ts';
import { Zone } from '../src/time/zone.ts';

const UTC = new Zone('UTC');
const HOUR = 3_600_000;

function at(when: When, zone = 'UTC'): string {
  return new Date(parseWhen('from', when, new Zone(zone))).toISOString();
}

function refusal(work: () => unknown): ExportError {
  try {
    work();
  } catch (error) {
    if (error instanceof ExportError && error.code === 'USAGE') return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('a bound', () => {
  test.each<[When, string, string]>([
    ['2026-01-31', 'UTC', '2026-01-31T00:00:00.000Z'],
    ['2024-02-29', 'UTC', '2024-02-29T00:00:00.000Z'],
    ['2000-02-29', 'UTC', '2000-02-29T00:00:00.000Z'],
    [' 2026-01-31 ', 'UTC', '2026-01-31T00:00:00.000Z'],
    ['2026-01-31', 'America/New_York', '2026-01-31T05:00:00.000Z'],
    ['2026-07-31', 'America/New_York', '2026-07-31T04:00:00.000Z'],
    ['2026-07-31', 'Asia/Kathmandu', '2026-07-30T18:15:00.000Z'],
    ['2026-01-31T18:00', 'UTC', '2026-01-31T18:00:00.000Z'],
    ['2026-01-31 18:00', 'Europe/Berlin', '2026-01-31T17:00:00.000Z'],
    ['2026-01-31T18:00:05', 'Europe/Berlin', '2026-01-31T17:00:05.000Z'],
    ['2026-01-31T18:00:05.5', 'Europe/Berlin', '2026-01-31T17:00:05.500Z'],
    ['2026-01-31T18:00:05.123456', 'UTC', '2026-01-31T18:00:05.123Z'],
    ['2026-01-31T18:00Z', 'Europe/Berlin', '2026-01-31T18:00:00.000Z'],
    ['2026-01-31t18:00z', 'Europe/Berlin', '2026-01-31T18:00:00.000Z'],
    ['2026-01-31T18:00+01:00', 'Asia/Tokyo', '2026-01-31T17:00:00.000Z'],
    ['2026-01-31T18:00-0330', 'Asia/Tokyo', '2026-01-31T21:30:00.000Z'],
    ['1969-12-31T19:00-05:00', 'UTC', '1970-01-01T00:00:00.000Z'],
    ['1970-01-01', 'UTC', '1970-01-01T00:00:00.000Z'],
    ['1767225600000', 'Asia/Tokyo', '2026-01-01T00:00:00.000Z'],
    [1_767_225_600_000, 'Asia/Tokyo', '2026-01-01T00:00:00.000Z'],
    [0, 'UTC', '1970-01-01T00:00:00.000Z'],
    [new Date(1_767_225_600_001), 'UTC', '2026-01-01T00:00:00.001Z'],
    [MAX_TIME_MS, 'UTC', '+275760-09-13T00:00:00.000Z'],
    ['9999-12-31', 'UTC', '9999-12-31T00:00:00.000Z'],
    // In March 2026 the clocks of Berlin skip 02:00 to 03:00; in October they show it twice.
    ['2026-03-29T02:30', 'Europe/Berlin', '2026-03-29T01:00:00.000Z'],
    ['2026-10-25T02:30', 'Europe/Berlin', '2026-10-25T00:30:00.000Z'],
  ])('%j in %s is %s', (when, zone, expected) => {
    expect(at(when, zone)).toBe(expected);
  });

  test.each<[unknown, RegExp]>([
    ['yesterday', /got "yesterday"$/],
    ['', /got ""$/],
    ['2026', /got "2026"$/],
    ['20260131', /got "20260131"$/],
    ['2026-1-31', /got "2026-1-31"$/],
    ['31.01.2026', /got "31\.01\.2026"$/],
    ['2026-01-31T', /got "2026-01-31T"$/],
    ['2026-01-31T18', /got "2026-01-31T18"$/],
    ['2026-01-31T18:00 Z', /got "2026-01-31T18:00 Z"$/],
    ['2026-01-31\n2026-02-01', /got "2026-01-31\\n2026-02-01"$/],
    ['2025-02-29', /got "2025-02-29": 2025-02 has no day 29$/],
    ['2100-02-29', /got "2100-02-29": 2100-02 has no day 29$/],
    ['2026-04-31', /2026-04 has no day 31$/],
    ['2026-04-00', /2026-04 has no day 00$/],
    ['2026-00-10', /got "2026-00-10": there is no month 00$/],
    ['2026-13-10', /got "2026-13-10": there is no month 13$/],
    ['2026-01-31T24:00', /no such time of day$/],
    ['2026-01-31T12:60', /no such time of day$/],
    ['2026-01-31T12:00:60', /no such time of day$/],
    ['2026-01-31Z', /got "2026-01-31Z": an offset needs a time$/],
    ['2026-01-31+01:00', /an offset needs a time$/],
    ['2026-01-31T12:00+25:00', /got "2026-01-31T12:00\+25:00": no such offset$/],
    ['2026-01-31T12:00+01:75', /no such offset$/],
    ['1969-12-31', /before 1970$/],
    ['1970-01-01T00:00+00:01', /before 1970$/],
    ['0071-05-05', /got "0071-05-05": before 1970$/],
    ['0000-01-01', /before 1970$/],
    [-1, /got -1$/],
    [1.5, /got 1\.5$/],
    [Number.NaN, /got NaN$/],
    [Infinity, /got Infinity$/],
    [MAX_TIME_MS + 1, /got 8640000000000001$/],
    ['9999999999999999', /got "9999999999999999"$/],
    [new Date('x'), /got Invalid Date$/],
    [undefined, /got undefined$/],
    [null, /got null$/],
    [{ from: 1 }, /got \{"from":1\}$/],
  ])('%j is refused', (when, message) => {
    const error = refusal(() => parseWhen('to', when as When, UTC));
    expect(error.option).toBe('to');
    expect(error.message).toMatch(/^to must be a date \(2026-01-31\)/);
    expect(error.message).toMatch(message);
  });

  test('that was written by toISOString is read as what it was', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) }),
        fc.constantFrom('UTC', 'Asia/Tokyo'),
        (time, zone) => {
          expect(parseWhen('from', new Date(time).toISOString(), new Zone(zone))).toBe(time);
          expect(parseWhen('from', formatInstant(time), new Zone(zone))).toBe(time);
        },
      ),
    );
  });

  test('is a day of the calendar, or none', () => {
    const part = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max });
    fc.assert(
      fc.property(fc.integer({ min: 1971, max: 2100 }), part(13), part(32), (year, month, day) => {
        const two = (value: number): string => String(value).padStart(2, '0');
        const isDay =
          month >= 1 &&
          month <= 12 &&
          day >= 1 &&
          day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
        const text = `${year}-${two(month)}-${two(day)}`;
        if (isDay) expect(at(text)).toBe(`${text}T00:00:00.000Z`);
        else expect(() => at(text)).toThrow(ExportError);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a span', () => {
  test.each([
    ['2026-03-29', '2026-03-30', 'Europe/Berlin', 23],
    ['2026-10-25', '2026-10-26', 'Europe/Berlin', 25],
    ['2026-03-08', '2026-03-09', 'America/New_York', 23],
    ['2026-11-01', '2026-11-02', 'America/New_York', 25],
    ['2026-01-31', '2026-02-01', 'America/New_York', 24],
    ['2024-02-28', '2024-03-01', 'UTC', 48],
    ['2018-11-04', '2018-11-05', 'America/Sao_Paulo', 23],
    ['2026-04-05', '2026-04-06', 'Australia/Lord_Howe', 24.5],
    ['2011-12-29', '2011-12-31', 'Pacific/Apia', 24],
  ])('from %s to %s in %s has %d hours', (from, to, timezone, hours) => {
    const span = parseSpan({ from, to, timezone });
    expect((span.endTime - span.startTime) / HOUR).toBe(hours);
  });

  test('is UTC without a zone', () => {
    expect(parseSpan({ from: '1970-01-01', to: '1970-01-02' })).toEqual({
      startTime: 0,
      endTime: 24 * HOUR,
    });
  });

  test('must end after it begins, and says both', () => {
    const error = refusal(() => parseSpan({ from: '2026-02-01', to: '2026-01-31T12:00' }));
    expect(error.message).toBe(
      'to must be later than from; got from 2026-02-01T00:00:00Z and to 2026-01-31T12:00:00Z',
    );
    expect(error.hint).toMatch(/The end is exclusive/);
    refusal(() => parseSpan({ from: 5, to: 5 }));
    // A day that Samoa never had is empty.
    refusal(() => parseSpan({ from: '2011-12-30', to: '2011-12-31', timezone: 'Pacific/Apia' }));
  });

  test('names the zone that does not exist', () => {
    for (const timezone of ['Mars/Olympus', '', 'Europe/Berln', 'CEST?'])
      expect(refusal(() => parseSpan({ from: 0, to: 1, timezone })).message).toContain(
        `such as Europe/London or America/New_York; got ${JSON.stringify(timezone)}`,
      );
  });
});
